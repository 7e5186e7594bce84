import errno
import os

import pytest

from daemon.domain.os_errors import os_failure, os_remedy

#: What the remedy is about; a full disk is no question of permissions, nor is a path that is not there.
KINDS = {
    errno.ENOSPC: "space",
    errno.EDQUOT: "space",
    errno.EACCES: "permissions",
    errno.EPERM: "permissions",
    errno.EROFS: "read-only",
    errno.ENOENT: "path",
    errno.ENOTDIR: "path",
    errno.EISDIR: "folder",
    errno.ENAMETOOLONG: "shorter",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "ulimit -n",
    errno.EIO: "disk",
    errno.EADDRINUSE: "port",
    errno.ECONNREFUSED: "server runs",
    errno.ETIMEDOUT: "server runs",
    errno.ENXIO: "retuned doctor",
}


@pytest.mark.parametrize(("number", "about"), KINDS.items(), ids=lambda value: str(value))
def test_the_remedy_is_that_of_the_errors_number(number: int, about: str) -> None:
    error = OSError(number, os.strerror(number), "/some/file")

    assert about in os_remedy(error)
    assert ("permission" in os_remedy(error)) is (about == "permissions")
    assert os_failure(error).startswith(f"/some/file: {os.strerror(number)}; ")
    assert "\n" not in os_failure(error)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError("gone"), OSError("odd"), OSError()])
def test_an_error_without_a_number_has_a_remedy_too(error: OSError) -> None:
    text, _, remedy = os_failure(error).rpartition("; ")

    assert text
    assert remedy


def test_both_files_are_named() -> None:
    assert "/a -> /b: " in os_failure(OSError(errno.EXDEV, "other device", "/a", None, "/b"))
