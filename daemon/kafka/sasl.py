"""What the client needs to log in by SASL."""

from daemon.kafka import msk
from daemon.kafka.library import AbstractTokenProvider
from daemon.kafka.login import LoginError
from daemon.kafka.oauth import OAuthTokens, TokenError
from daemon.kafka.settings import KafkaSettings


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Hands tokens to the client, which asks on a thread of its own at each login."""

    def __init__(self, tokens: OAuthTokens) -> None:
        self._tokens = tokens

    def token(self) -> str:
        """Return a valid token. Raises LoginError."""
        try:
            return self._tokens.token()
        except TokenError as error:
            raise LoginError(f"no token to log in with: {error}") from error

    def extensions(self) -> dict[str, str]:
        """Return what is sent beside the token."""
        return dict(self._tokens.extensions)


def sasl_options(settings: KafkaSettings) -> dict[str, object]:
    """Return the client's options for SASL."""
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        msk.use()
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password,
        "sasl_oauth_token_provider": settings.oauth and _TokenProvider(settings.oauth),
    }
