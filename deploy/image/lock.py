"""Writes the requirements of the image, with the hash of every file: ``python deploy/image/lock.py``.

The versions are those of constraints.txt; uv adds what they need and the hashes. torch and what only CUDA needs
stand in a file of their own, because an image for CPUs takes torch from another index.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
#: What the image can do beside the default: a ledger on PostgreSQL, artifacts on S3, training Jobs, traces, Avro, Amazon MSK.
EXTRAS = ("postgres", "s3", "kubernetes", "tracing", "avro", "msk")
_CUDA = re.compile(r"^(torch|triton|nvidia-.*|cuda-.*)==")
_COMPILE = [
    "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url",
    "--no-emit-find-links", "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28",
]  # fmt: skip


def main() -> None:
    """Write requirements.txt, requirements-cuda.txt and requirements-build.txt."""
    pinned = ["--constraints", "constraints.txt"]
    extras = [part for extra in EXTRAS for part in ("--extra", extra)]
    blocks = _blocks(_compile(["pyproject.toml", *extras, *pinned]))
    _write("requirements.txt", [block for block in blocks if not _CUDA.match(block)])
    _write("requirements-cuda.txt", [block for block in blocks if _CUDA.match(block)])
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    _write("requirements-build.txt", _blocks(_compile(["-", *pinned], "\n".join(build))))


def _compile(arguments: list[str], given: str | None = None) -> str:
    command = [sys.executable, "-m", *_COMPILE, *arguments]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def _blocks(requirements: str) -> list[str]:
    """Return each requirement with its hashes."""
    return re.findall(r"^[^\s#].*(?:\n\s.*)*", requirements, flags=re.MULTILINE)


def _write(name: str, blocks: list[str]) -> None:
    text = "# Written by `make lock`, from pyproject.toml and constraints.txt.\n"
    (HERE / name).write_text(text + "".join(f"{block}\n" for block in blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
