"""Names the rights that a broker refuses: who lacks which operation on what, and the command that grants it."""

from dataclasses import dataclass
from pathlib import Path

from daemon.domain.streams import AccessDenied
from daemon.kafka.library import kafka_errors
from daemon.kafka.login import principal_name
from daemon.kafka.msk import policy_words
from daemon.kafka.settings import KafkaSettings

#: What a broker calls a client that it does not authenticate.
_ANONYMOUS = "User:ANONYMOUS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """An operation on a resource, as Kafka's access control lists name them."""

    operation: str  # READ, WRITE, CREATE, IDEMPOTENT_WRITE
    resource: str  # topic, group, cluster, transactional-id
    name: str = ""  # of the resource; the cluster has none

    def __str__(self) -> str:
        return f"{self.operation} on {' '.join(filter(None, (self.resource, self.name)))}"


def least_rights(settings: KafkaSettings) -> tuple[Right, ...]:
    """Return the rights that the daemon needs, and no more."""
    return (
        Right(operation="READ", resource="topic", name=settings.topic),
        Right(operation="READ", resource="group", name=settings.group_id),
        Right(operation="WRITE", resource="topic", name=settings.dead_letter_topic),
    )


def refused_right(error: BaseException, settings: KafkaSettings) -> Right | None:
    """Return the right whose lack an error reports; None if it reports something else."""
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError):
        return _topic_right(error, settings)
    if isinstance(error, kafka_errors.GroupAuthorizationFailedError):
        return Right(operation="READ", resource="group", name=settings.group_id)
    if isinstance(error, kafka_errors.ClusterAuthorizationFailedError):
        return Right(operation="IDEMPOTENT_WRITE", resource="cluster")
    if isinstance(error, kafka_errors.TransactionalIdAuthorizationFailedError):
        return Right(operation="WRITE", resource="transactional-id", name=_first_text(error))
    return None


def _topic_right(error: BaseException, settings: KafkaSettings) -> Right:
    """Return READ on the topic, or WRITE on the dead-letter topic, whichever the error names."""
    named = error.args[0] if error.args else ()
    topics = {named} if isinstance(named, str) else set(named)
    if settings.dead_letter_topic in topics and settings.topic not in topics:
        return Right(operation="WRITE", resource="topic", name=settings.dead_letter_topic)
    return Right(operation="READ", resource="topic", name=settings.topic)


def _first_text(error: BaseException) -> str:
    return next((argument for argument in error.args if isinstance(argument, str)), "")


def access_denied(right: Right, settings: KafkaSettings) -> AccessDenied:
    """Return the error that names principal, operation and resource, with the command that grants the right."""
    principal = principal_of(settings)
    grant = grant_command(right, settings)
    return AccessDenied(
        f"the broker refuses {principal} {right}; have an administrator grant it: {grant}",
        grant=grant,
    )


def denial(error: BaseException, settings: KafkaSettings) -> AccessDenied | None:
    """Return what an error of the client means if it reports a missing right; None if it reports something else."""
    right = refused_right(error, settings)
    return None if right is None else access_denied(right, settings)


def grant_command(right: Right, settings: KafkaSettings) -> str:
    """Return the ``kafka-acls`` command that grants a right, or what to allow where IAM grants it."""
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return f"{policy_words(right.operation, right.resource)} {right.name}".rstrip()
    operation = "".join(word.title() for word in right.operation.split("_"))
    resource = f"--{right.resource}" + (f" {right.name}" if right.name else "")
    return (
        f"kafka-acls --bootstrap-server {settings.bootstrap_servers[0]} --add "
        f"--allow-principal '{principal_of(settings)}' --operation {operation} {resource}"
    )


def principal_of(settings: KafkaSettings) -> str:
    """Return what a broker with default settings calls this client."""
    if settings.security_protocol.startswith("SASL"):
        return f"User:{principal_name(settings)}"
    if settings.security_protocol == "SSL" and settings.ssl_certfile is not None:
        return f"User:{_subject(Path(settings.ssl_certfile))}"
    return _ANONYMOUS


def _subject(certificate: Path) -> str:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).subject.rfc4514_string()
    except (OSError, ValueError):
        return f"the subject of {certificate}"
