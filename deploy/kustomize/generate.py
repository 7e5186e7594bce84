"""Writes plain manifests for kustomize from the Helm chart: a base, and overlays that patch it: ``make docs``."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.helm.programs import render
from deploy.helm.values import CHART

FOLDER = Path(__file__).parent
BASE, OVERLAYS = "embedded", ("replicated", "gpu")
_HEADER = (
    "# Generated from deploy/helm/retuned by `make docs`. Do not edit: patch it in an overlay of your own.\n"
)
_OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by", "helm.sh/resource-policy")

Manifest = dict[str, Any]
Key = tuple[str, str]  # kind and name


def manifests(mode: str) -> dict[Key, Manifest]:
    """Return what the chart makes of the values of a mode, without what only Helm needs."""
    made = render(CHART, "--values", str(CHART / f"values-{mode}.yaml"))
    return {(each["kind"], each["metadata"]["name"]): _plain(each) for each in made}


def files() -> dict[str, str]:
    """Return the text of each file by its path in this folder."""
    base = manifests(BASE)
    written = {f"base/{_file(key)}": _yaml(manifest) for key, manifest in base.items()}
    written["base/kustomization.yaml"] = _kustomization({"resources": sorted(map(_file, base))})
    for mode in OVERLAYS:
        written |= {f"overlays/{mode}/{name}": text for name, text in _overlay(base, manifests(mode))}
    return written


def write(folder: Path = FOLDER) -> None:
    """Renew all manifests; those that the chart no longer makes go."""
    wanted = files()
    for path in present(folder) - wanted.keys():
        (folder / path).unlink()
    for name, text in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def present(folder: Path = FOLDER) -> set[str]:
    """Return the paths of the manifests that are there."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml")}


def _overlay(base: Mapping[Key, Manifest], wanted: Mapping[Key, Manifest]) -> Iterator[tuple[str, str]]:
    added = sorted(wanted.keys() - base.keys())
    patches: list[dict[str, Any]] = []
    for key in added:
        yield _file(key), _yaml(wanted[key])
    for key in sorted(base):
        target = {"kind": key[0], "name": key[1]}
        if key not in wanted:
            patches.append({"target": target, "patch": _yaml(_removal(base[key]), header="")})
        elif operations := list(_differences(base[key], wanted[key], "")):
            name = f"patch-{_file(key)}"
            yield name, _yaml(operations)
            patches.append({"target": target, "path": name})
    content: dict[str, Any] = {"resources": ["../../base", *map(_file, added)]}
    yield "kustomization.yaml", _kustomization(content | ({"patches": patches} if patches else {}))


def _removal(manifest: Manifest) -> Manifest:
    return {
        "$patch": "delete",
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": manifest["metadata"]["name"]},
    }


def _differences(old: Any, new: Any, path: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON patch (RFC 6902) from one document to another. Lists that differ are replaced as a whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield {"op": "replace", "path": path, "value": new}
        return
    for key in sorted({*old, *new}):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in new:
            yield {"op": "remove", "path": place}
        elif key not in old:
            yield {"op": "add", "path": place, "value": new[key]}
        else:
            yield from _differences(old[key], new[key], place)


def _plain(value: Any) -> Any:
    """Return a manifest without what only Helm needs."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _plain(each) for key, each in value.items() if key not in _OF_HELM}
    return {key: each for key, each in kept.items() if each != {} or value[key] == {}}


def _file(key: Key) -> str:
    return f"{key[0].lower()}-{key[1]}.yaml"


def _kustomization(content: Mapping[str, Any]) -> str:
    return _yaml({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **content})


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that people can read the files in a ConfigMap."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _yaml(content: Any, *, header: str = _HEADER) -> str:
    return header + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
