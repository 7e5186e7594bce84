"""When the certificates that the settings name expire."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from daemon.config.settings import Settings

#: So long before its end a certificate is to be renewed. The alert RetunedCertificateExpires has the same number.
SOON = timedelta(days=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """The certificate of a file that expires next."""

    setting: str  # that names the file
    file: Path
    expires_at: datetime

    def expires_soon(self, now: datetime) -> bool:
        """Return whether it has expired, or is to be renewed."""
        return self.expires_at - now < SOON

    def words(self, now: datetime) -> str:
        """Say when it expires."""
        days = (self.expires_at - now).days
        when = f"expires in {days} days" if days >= 0 else "has expired"
        return f"the certificate in {self.file} ({self.setting}) {when}: {self.expires_at:%Y-%m-%d %H:%M}Z"


def certificates(settings: Settings, now: datetime) -> Iterator[Certificate]:
    """Yield the certificates. Of a client's file, the first to expire counts; of authorities, the next to expire.

    A file of authorities may keep some that expired long ago. Files that can't be read are left out: connecting names them.
    """
    kafka, registry = settings.kafka, settings.kafka.schema_registry
    if kafka.ssl_certfile is not None and (ends := _ends(kafka.ssl_certfile)):
        yield Certificate(setting="kafka.ssl_certfile", file=kafka.ssl_certfile, expires_at=min(ends))
    for setting, file in (
        ("kafka.ssl_cafile", kafka.ssl_cafile),
        ("kafka.oauth_cafile", kafka.oauth_cafile),
        ("kafka.schema_registry.cafile", registry.cafile),
        ("teacher.ca_file", settings.teacher.ca_file),
    ):
        if file is not None and (ends := _ends(file)):
            next_end = min((end for end in ends if end > now), default=max(ends))
            yield Certificate(setting=setting, file=file, expires_at=next_end)


def _ends(file: Path) -> list[datetime]:
    """Return when the certificates of a PEM file expire."""
    from cryptography import x509  # few settings name a certificate

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
    return [certificate.not_valid_after_utc for certificate in found]
