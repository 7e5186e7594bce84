"""Shows URLs without the secrets in them."""

import re

_USER_INFO = re.compile(r"(?<=://)([^/?#:@]*):(.*)@")
_SECRET = re.compile(r"(?i)([?&][^=&]*(?:password|passwd|pwd|secret|token|key)[^=&]*=)[^&]*")


def without_secrets(url: str) -> str:
    """Return a URL with its password, and what its parameters hold in secret, as ***.

    The password may contain any character: it ends at the last @.
    """
    return _SECRET.sub(r"\1***", _USER_INFO.sub(r"\1:***@", url))
