"""Makes the chart's values.schema.json: the settings' own schema for ``config``, and one of the chart's other values."""

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.config.lines import LINES, NAME_PATTERN, OF_ALL_LINES
from daemon.config.settings import Settings
from deploy.helm.values import Place, commented, defaults

Schema = dict[str, Any]

_STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_ANYTHING: Schema = {"type": "object"}
_NAMED: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "minLength": 1}},
    },
}
_VARIABLES: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "minLength": 1}, "value": {"type": "string"}},
    },
}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_PORTS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}}
_QUANTITY: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGTPE]i?|m|k)?$"}
_SECRET_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"  # noqa: S105 (a pattern)
_OPTIONAL_NAME: Schema = {"type": "string", "pattern": rf"^$|{_SECRET_NAME}"}
_ACCESS_MODES: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {"enum": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]},
}
_PULL_POLICY: Schema = {"enum": ["Always", "IfNotPresent", "Never"]}
_DURATION: Schema = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h))+$"}
_ENDINGS = ("annotations", "labels", "Annotations", "Labels", "nodeSelector")

#: What the default of a value does not tell. A default of {} or [] accepts any object or any list otherwise.
_SPECIAL: Mapping[str, Schema] = {
    "replicaCount": {"type": "integer", "minimum": 1},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "jobs.image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": _PULL_POLICY,
    "model.image.pullPolicy": _PULL_POLICY,
    "model.mountPath": {"type": "string", "pattern": "^/."},
    "imagePullSecrets": _NAMED,
    "updateStrategy": _ANYTHING,
    "persistence.accessModes": _ACCESS_MODES,
    "persistence.size": _QUANTITY,
    "persistence.whenScaled": {"enum": ["Retain", "Delete"]},
    "target.accessModes": _ACCESS_MODES,
    "target.size": _QUANTITY,
    "model.sizeLimit": _QUANTITY,
    "scratch.tmp": _QUANTITY,
    "scratch.cache": _QUANTITY,
    "scratch.sharedMemory": _QUANTITY,
    "artifacts.env": _STRINGS,
    "resources": _ANYTHING,
    "extraObjects": {"type": "array", "items": {"type": ["object", "string"]}},
    "podSecurityContext": _ANYTHING,
    "securityContext": _ANYTHING,
    "startupProbe": _ANYTHING,
    "livenessProbe": _ANYTHING,
    "readinessProbe": _ANYTHING,
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 30},
    "jobs.terminationGracePeriodSeconds": {"type": "integer", "minimum": 0},
    "topologySpreadConstraints": _OBJECTS,
    "podDisruptionBudget.maxUnavailable": {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+%$"}]
    },
    "podDisruptionBudget.unhealthyPodEvictionPolicy": {"enum": ["AlwaysAllow", "IfHealthyBudget"]},
    "serviceAccount.automountServiceAccountToken": {"type": ["boolean", "null"]},
    "jobs.resources": _ANYTHING,
    "jobs.tolerations": _OBJECTS,
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "networkPolicy.ingress.from": _OBJECTS,
    "networkPolicy.egress.dns.to": _OBJECTS,
    "networkPolicy.egress.dns.ports": _PORTS,
    "networkPolicy.egress.kafka.ports": _PORTS,
    "networkPolicy.egress.postgresql.ports": _PORTS,
    "networkPolicy.egress.artifacts.ports": _PORTS,
    "networkPolicy.egress.http.ports": _PORTS,
    "networkPolicy.egress.kubernetesApi.ports": _PORTS,
    "ingress.hosts": {
        "type": "array",
        "items": {"type": "object", "required": ["host"], "properties": {"host": {"type": "string"}}},
    },
    "autoscaling.kind": {"enum": ["keda", "hpa"]},
    "autoscaling.minReplicas": {"type": "integer", "minimum": 1},
    "autoscaling.maxReplicas": {"type": "integer", "minimum": 1},
    "autoscaling.lagPerReplica": {"type": "integer", "minimum": 1},
    "autoscaling.behavior": _ANYTHING,
    "autoscaling.keda.metadata": _STRINGS,
    "serviceMonitor.interval": _DURATION,
    "serviceMonitor.scrapeTimeout": _DURATION,
    "prometheusRule.disabled": _TEXTS,
    "extraEnv": _VARIABLES,
    "extraVolumes": _NAMED,
    "extraVolumeMounts": _NAMED,
    "extraContainers": _NAMED,
    "extraInitContainers": _NAMED,
    "jobs.extraEnv": _VARIABLES,
    "jobs.extraVolumes": _NAMED,
    "jobs.extraVolumeMounts": _NAMED,
}
#: Settings that the chart gives each pod itself.
_GIVEN = frozenset({"instance_id"})
_NO_PASSWORD: Schema = {"not": {"type": "string", "pattern": "://[^/@]*:[^/@]+@"}}


def values_schema() -> Schema:
    """Return the JSON Schema of the chart's values."""
    settings = Settings.model_json_schema()
    explained = {value.place: value.comment for value in commented()}
    properties = {
        name: _described(_own(value, (name,), explained), (name,), explained)
        for name, value in defaults().items()
    }
    properties["secretFiles"] |= _secret_files(settings)
    allowed = _optional(_without_secrets(settings))
    properties["config"] = {
        "type": "object",
        "description": explained["config",],
        "additionalProperties": False,
        "properties": allowed["properties"] | {LINES: _lines(allowed["properties"])},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the chart retuned",
        "type": "object",
        "additionalProperties": False,
        "properties": properties | {"global": _ANYTHING},
        "$defs": allowed["$defs"],
    }


def _lines(settings: Schema) -> Schema:
    """Return the schema of the model lines: each sets what it has of its own."""
    own = {name: kind for name, kind in settings.items() if name not in OF_ALL_LINES}
    return {
        "description": "Several model lines in one daemon: settings of their own by the name of each",
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {
            NAME_PATTERN: {"type": "object", "additionalProperties": False, "properties": own},
        },
    }


def _optional(schema: Any) -> Any:
    """Return a schema that asks for nothing: a line needs not repeat what the settings of all lines have."""
    if isinstance(schema, list):
        return [_optional(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _optional(value)
        for key, value in schema.items()
        if not (key == "required" and isinstance(value, list))
    }


def file_settings(schema: Schema) -> list[str]:
    """Return the settings that name a file to read, such as ``kafka.ssl_cafile``, from the settings' schema."""
    return sorted(
        ".".join(place)
        for place, kind in _settings(schema, schema["$defs"], ())
        if kind.get("format") == "path" and place[-1].endswith(("file", "kubeconfig"))
    )


def _own(default: Any, place: Place, explained: Mapping[Place, str]) -> Schema:
    """Return the schema of one of the chart's own values, by its default."""
    name = ".".join(place)
    if name in _SPECIAL:
        return dict(_SPECIAL[name])
    if name.endswith(_ENDINGS):
        return dict(_STRINGS)
    if name.endswith(("existingSecret", "existingEnvSecret", "existingClaim")):
        return dict(_OPTIONAL_NAME)
    if isinstance(default, dict):
        if not default:
            return dict(_ANYTHING)
        nested = {
            key: _described(_own(value, (*place, key), explained), (*place, key), explained)
            for key, value in default.items()
        }
        return {"type": "object", "additionalProperties": False, "properties": nested}
    kinds: Mapping[type, Schema] = {
        bool: {"type": "boolean"},
        int: {"type": "integer", "minimum": 0},
        str: {"type": "string"},
        list: _OBJECTS,
    }
    return dict(kinds[type(default)])


def _described(schema: Schema, place: Place, explained: Mapping[Place, str]) -> Schema:
    return schema | {"description": explained[place]} if place in explained else schema


def _secret_files(settings: Schema) -> Schema:
    item: Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["existingSecret", "key"],
        "properties": {
            "existingSecret": {"type": "string", "pattern": _SECRET_NAME},
            "key": {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"},
            "setting": {"enum": file_settings(settings)},
        },
    }
    return {"type": "array", "uniqueItems": True, "items": item}


def _without_secrets(schema: Any) -> Any:
    """Return a schema that refuses secrets, and what the chart sets itself; titles, which repeat names, are left out."""
    if isinstance(schema, list):
        return [_without_secrets(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: _without_secrets(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
    properties = result.get("properties")
    if isinstance(properties, dict):
        kept = {
            name: kind for name, kind in properties.items() if name not in _GIVEN and not _is_secret(kind)
        }
        result["properties"] = {
            name: kind | _NO_PASSWORD if name.endswith("_url") else kind for name, kind in kept.items()
        }
    return result


def _is_secret(kind: Schema) -> bool:
    return any(part.get("format") == "password" for part in (kind, *kind.get("anyOf", ())))


def _settings(schema: Schema, definitions: Schema, place: Place) -> Iterator[tuple[Place, Schema]]:
    """Yield the settings that have no settings below them, each kind of one of several kinds by itself."""
    for name, kind in schema.get("properties", {}).items():
        for part in kind.get("anyOf", [kind]):
            if "$ref" in part:
                yield from _settings(definitions[part["$ref"].rsplit("/", 1)[1]], definitions, (*place, name))
            else:
                yield (*place, name), part
