"""Reads the body of an answer within a bound of bytes, decompressed or not."""

import zlib

from daemon.domain.teaching import TeacherOutcome

#: Far more than an answer of the most tokens takes.
MOST_BYTES = 2 << 20
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class BodyError(Exception):
    """The body can't be used."""

    def __init__(self, outcome: TeacherOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class BoundedBody:
    """Collects chunks. It never holds more than ``MOST_BYTES``, also of what a small body decompresses to."""

    def __init__(self, encoding: str) -> None:
        """``encoding`` is the header Content-Encoding. Raises BodyError for one that was not asked for and is not known."""
        names = [name for name in (part.strip().lower() for part in encoding.split(",")) if name]
        if names in ([], ["identity"]):
            self._decompressor = None
        elif names in (["gzip"], ["x-gzip"], ["deflate"]):
            self._decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)
        else:
            raise BodyError(
                TeacherOutcome.NOT_JSON,
                f"it is encoded as {encoding[:40]!r}, though it was asked not to be; switch that off in the proxy between",
            )
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add a chunk. Raises BodyError where it is too much, or can't be decompressed."""
        if self._decompressor is not None:
            try:
                chunk = self._decompressor.decompress(chunk, MOST_BYTES + 1)
            except zlib.error as error:
                message = f"it can't be decompressed: {error}; switch compression off in the proxy between"
                raise BodyError(TeacherOutcome.NOT_JSON, message) from error
            if self._decompressor.unconsumed_tail:
                raise _too_large()
        self._body += chunk
        if len(self._body) > MOST_BYTES:
            raise _too_large()

    def whole(self) -> bytes:
        """Return all of it."""
        return bytes(self._body)


def _too_large() -> BodyError:
    message = f"it has more than {MOST_BYTES >> 20} MiB; correct teacher.url, which may be no chat endpoint"
    return BodyError(TeacherOutcome.TOO_LARGE, message)
