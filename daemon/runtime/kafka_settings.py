"""Loads how to connect to Kafka: the section ``kafka`` of the settings, with the files that it names."""

from collections.abc import Iterator

from daemon.config.loader import Mistake, SettingsError, read_secret
from daemon.config.settings import KafkaSection, Settings
from daemon.kafka.msk import NO_BOTOCORE, botocore_is_missing
from daemon.kafka.oauth import ClientCredentials, OAuthTokens
from daemon.kafka.pem import authority_problem, pair_problems
from daemon.kafka.settings import KafkaSettings
from daemon.runtime.schemas import NO_FASTAVRO, fastavro_is_missing


def load_kafka_settings(settings: Settings) -> KafkaSettings:
    """Read secret files, check PEM files, and return how to connect. Raises SettingsError if a file can't be used."""
    kafka = settings.kafka
    if mistakes := (*_pem_mistakes(kafka), *_package_mistakes(kafka)):
        raise SettingsError(mistakes)
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic=kafka.topic,
        dead_letter_topic=kafka.dead_letter_topic,
        group_id=kafka.group_id,
        instance_id=kafka.instance_id,
        client_id=f"retuned-{settings.model_line}",
        session_timeout_ms=kafka.session_timeout_ms,
        heartbeat_interval_ms=kafka.heartbeat_interval_ms,
        max_poll_records=kafka.max_poll_records,
        max_batch_bytes=kafka.max_batch_bytes,
        stalled_after_s=kafka.stalled_after_s,
        api_version=_version(kafka.api_version),
        security_protocol=kafka.security_protocol,
        ssl_cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None,
        ssl_certfile=str(kafka.ssl_certfile) if kafka.ssl_certfile else None,
        ssl_keyfile=str(kafka.ssl_keyfile) if kafka.ssl_keyfile else None,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=read_secret(kafka.sasl_password, kafka.sasl_password_file),
        oauth=_oauth_tokens(kafka),
    )


def _oauth_tokens(kafka: KafkaSection) -> OAuthTokens | None:
    """Return what fetches the tokens of OAUTHBEARER; None for another mechanism. The secret is read, to check it."""
    if kafka.oauth_token_url is None or kafka.oauth_client_id is None:
        return None
    _oauth_secret(kafka)
    credentials = ClientCredentials(
        token_url=kafka.oauth_token_url,
        client_id=kafka.oauth_client_id,
        secret=lambda: _oauth_secret(kafka),
        authentication=kafka.oauth_client_auth,
        scope=kafka.oauth_scope,
        parameters=kafka.oauth_extra,
        cafile=str(kafka.oauth_cafile) if kafka.oauth_cafile else None,
    )
    return OAuthTokens(credentials, extensions=kafka.oauth_extensions)


def _oauth_secret(kafka: KafkaSection) -> str:
    return read_secret(kafka.oauth_client_secret, kafka.oauth_client_secret_file) or ""


def _version(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    major, minor = text.split(".")
    return int(major), int(minor)


def _pem_mistakes(kafka: KafkaSection) -> Iterator[Mistake]:
    if kafka.ssl_cafile and (problem := authority_problem(kafka.ssl_cafile)):
        yield Mistake(path="kafka.ssl_cafile", problem=problem, source=str(kafka.ssl_cafile))
    if kafka.oauth_cafile and (problem := authority_problem(kafka.oauth_cafile)):
        yield Mistake(path="kafka.oauth_cafile", problem=problem, source=str(kafka.oauth_cafile))
    registry = kafka.schema_registry
    if registry.cafile and (problem := authority_problem(registry.cafile)):
        yield Mistake(path="kafka.schema_registry.cafile", problem=problem, source=str(registry.cafile))
    if kafka.ssl_certfile:
        for file, problem in pair_problems(kafka.ssl_certfile, kafka.ssl_keyfile):
            name = "kafka.ssl_keyfile" if file == kafka.ssl_keyfile else "kafka.ssl_certfile"
            yield Mistake(path=name, problem=problem, source=str(file))


def _package_mistakes(kafka: KafkaSection) -> Iterator[Mistake]:
    if kafka.schema_registry.url is not None and fastavro_is_missing():
        yield Mistake(path="kafka.schema_registry.url", problem=NO_FASTAVRO, source="this installation")
    if kafka.sasl_mechanism == "AWS_MSK_IAM" and botocore_is_missing():
        yield Mistake(path="kafka.sasl_mechanism", problem=NO_BOTOCORE, source="this installation")
