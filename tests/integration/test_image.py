"""The image, step by step: no container engine is at hand, so the tests do what deploy/Dockerfile says."""

import importlib.metadata
import os
import re
import signal
import site
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.e2e.daemon_process import free_port
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker
from tests.support.dockerfile import read_image_config
from tests.support.helpers import eventually, required_program
from tests.support.read_only_root import run_read_only

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
LOCKED = ("requirements.txt", "requirements-cuda.txt")
#: Comes with torch's wheel for CUDA, which some machines do not have.
FOR_CUDA = re.compile(r"triton|nvidia-.*|cuda-.*")


def blocks(name: str) -> dict[str, str]:
    """Each locked requirement with its version and hashes, by its name."""
    text = (ROOT / "deploy" / "image" / name).read_text(encoding="utf-8")
    found = re.findall(r"^[^\s#].*(?:\n\s.*)*", text, flags=re.MULTILINE)
    return {canonicalize_name(block.split("==")[0]): block for block in found}


def locked() -> dict[str, str]:
    return {package: block for name in LOCKED for package, block in blocks(name).items()}


def version(block: str) -> str:
    return block.split("==")[1].split()[0]


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    program = Path(sys.executable).with_name("hadolint")

    said = subprocess.run([program, DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)

    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("name", [*LOCKED, "requirements-build.txt"])
def test_every_package_of_the_image_is_checked_against_a_hash(name: str) -> None:
    assert [package for package, block in blocks(name).items() if "--hash=sha256:" not in block] == []


def test_the_image_has_the_versions_that_were_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested: dict[str, str] = {
        canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)
    }

    others = {
        package: version(block) for package, block in locked().items() if not FOR_CUDA.fullmatch(package)
    }
    assert others == {package: tested.get(package, pin) for package, pin in others.items()}


def test_the_image_has_all_that_retuned_needs() -> None:
    """What has changed in pyproject.toml since `make lock` is missing here."""
    needed: set[tuple[str, str]] = set()
    todo = [("retuned", extra) for extra in ("", *extras_of_the_image())]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in needed:
            continue
        needed.add((name, extra))
        for text in importlib.metadata.requires(name) or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(wanted.name), each) for each in ("", *wanted.extras)]

    names = {name for name, _ in needed} - {"retuned"}
    assert sorted(names - locked().keys()) == []


def extras_of_the_image() -> list[str]:
    script = (ROOT / "deploy" / "image" / "lock.py").read_text(encoding="utf-8")
    named = re.search(r"^EXTRAS = \((.*?)\)", script, flags=re.MULTILINE | re.DOTALL)
    assert named is not None
    found = re.findall(r'"(\w+)"', named[1])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(found) <= project["optional-dependencies"].keys()
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that another user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="retuned-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def environment_of_image(place: Path) -> Path:
    """An empty environment with the wheel in it; its dependencies are those of the tests' environment."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = ["wheel", "--no-deps", "--wheel-dir", str(place / "wheels"), str(ROOT)]
    subprocess.run([*pip, *build], check=True, timeout=240, capture_output=True)
    folder = place / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    wheel = next((place / "wheels").iterdir())
    install = ["--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True, timeout=120)
    [packages] = (folder / "lib").glob("python3.*/site-packages")
    (packages / "dependencies.pth").write_text(
        "\n".join(site.getsitepackages())
    )  # their own .pth files are not read
    return folder


@pytest.fixture
def model(place: Path) -> Path:
    folder = place / "model"
    code = f"from pathlib import Path; from tests.support.tiny_model import make_tiny_model; make_tiny_model(Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240, cwd=ROOT)
    for file in (folder, *folder.iterdir()):
        file.chmod(0o755)
    return folder


def test_the_daemon_runs_as_the_images_user_in_a_read_only_root(
    place: Path, environment_of_image: Path, model: Path, broker: Broker, topic: str
) -> None:
    required_program("setpriv", "install util-linux")
    image, port = read_image_config(DOCKERFILE), free_port()
    state, cache, temporary = (made_for(image.uid, place / name) for name in ("state", "cache", "tmp"))
    stream = Stream(broker, topic)
    settings = place / "retuned.yaml"
    settings.write_text(
        f"model: {{base: {model}}}\nstate_dir: {state}\nhttp: {{port: {port}}}\n"
        f"kafka: {{bootstrap_servers: ['{broker.bootstrap}'], topic: {topic}, "
        f"dead_letter_topic: {stream.settings.dead_letter_topic}}}\n"
    )
    environment = {
        **image.environment,
        "PATH": f"{environment_of_image / 'bin'}:{os.environ['PATH']}",
        "RETUNED_CONFIG": str(settings),
        "HF_HOME": str(cache / "huggingface"),
        "XDG_CACHE_HOME": str(cache),
        "TMPDIR": str(temporary),
    }
    with (place / "log").open("w+b") as log:
        daemon = run_read_only(
            image.command,
            uid=image.uid,
            workdir=state,
            writable=(state, cache, temporary),
            readable=(Path(sys.base_prefix), Path(sys.prefix)),
            environment=environment,
            output=log,
        )
        try:
            eventually(lambda: answers(daemon, port, "/livez", place / "log"), deadline_s=60)
            eventually(lambda: answers(daemon, port, "/readyz", place / "log"), deadline_s=90)
            assert user_of(daemon.pid) == image.uid
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(20) == 0
        finally:
            daemon.kill()
            daemon.wait()
            sys.stdout.write((place / "log").read_text(encoding="utf-8"))  # shown where the test failed
    said = (place / "log").read_text(encoding="utf-8")
    assert "Traceback" not in said, said
    assert "Read-only file system" not in said, said
    assert (state / "ledger.db").stat().st_uid == image.uid


def made_for(uid: int, folder: Path) -> Path:
    folder.mkdir()
    os.chown(folder, uid, uid)
    return folder


def answers(daemon: subprocess.Popen[bytes], port: int, path: str, log: Path) -> bool:
    assert daemon.poll() is None, log.read_text(encoding="utf-8")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def user_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid
