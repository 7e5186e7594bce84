"""What a client logs in with, and what to change when a broker refuses it."""

from daemon.domain.errors import DaemonError
from daemon.kafka.settings import KafkaSettings


class LoginError(DaemonError):
    """There is nothing to log in with. The message says why and what to change; the client connects again by itself."""


def login_name(settings: KafkaSettings) -> str | None:
    """Return whom the client logs in as, as far as the settings tell; None without SASL."""
    if not settings.security_protocol.startswith("SASL"):
        return None
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return "the AWS identity of this process"
    if settings.sasl_mechanism == "OAUTHBEARER":
        return f"client {settings.oauth.client_id}" if settings.oauth else "a client without settings"
    return f"user {settings.sasl_username}"


def principal_name(settings: KafkaSettings) -> str:
    """Return the name that a broker with default settings gives this login.

    A token's subject is taken to be the client's id, as most OAuth servers have it.
    """
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return "AWS-IDENTITY"
    return settings.oauth.client_id if settings.oauth else str(settings.sasl_username)


def login_words(settings: KafkaSettings) -> str:
    """Return `` as WHOM by MECHANISM``; nothing without SASL."""
    name = login_name(settings)
    return "" if name is None else f" as {name} by {settings.sasl_mechanism}"


def refused_login_meaning(settings: KafkaSettings) -> str:
    """Return who was refused, and which settings to check."""
    who = f"the broker refuses {login_name(settings)} by {settings.sasl_mechanism}"
    if settings.sasl_mechanism == "OAUTHBEARER":
        return (
            f"{who}: compare issuer, audience and scope of the token with what the broker expects (kafka.oauth_scope, "
            "kafka.oauth_extra, kafka.oauth_extensions), and check that the port asks for OAUTHBEARER"
        )
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return (
            f"{who}: check that its policy allows kafka-cluster:Connect, that the machine's clock is right, and that "
            "the port is the cluster's for IAM"
        )
    return (
        f"{who}: check kafka.sasl_mechanism, "
        "kafka.sasl_username and the password, and that the port asks for SASL"
    )
