"""What every Target promises. A new target is one more entry of TARGETS."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from registry.directory_target import BadPointer, DirectoryTarget
from registry.targets import Target
from tests.factories.registry import NOW, a_version, v

TARGETS: dict[str, Callable[[Path], Target]] = {
    "directory": lambda folder: DirectoryTarget(folder / "目标" / "live")
}


@pytest.fixture(params=TARGETS)
def open_target(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Target]:
    return lambda: TARGETS[request.param](tmp_path)


def test_nothing_is_served_at_first(open_target: Callable[[], Target]) -> None:
    assert open_target().current() is None


def test_what_was_switched_to_is_served(open_target: Callable[[], Target], tmp_path: Path) -> None:
    target = open_target()
    target.serve(a_version(3), tmp_path, now=NOW)
    assert target.current() == v(3)

    target.serve(a_version(2), tmp_path, now=NOW)
    assert target.current() == v(2)


def test_the_bare_base_is_served_without_an_artifact(open_target: Callable[[], Target]) -> None:
    target = open_target()
    target.serve(a_version(0), None, now=NOW)

    assert target.current() == v(0)


def test_serving_the_same_again_changes_nothing(open_target: Callable[[], Target], tmp_path: Path) -> None:
    target = open_target()
    target.serve(a_version(3), tmp_path, now=NOW)
    target.serve(a_version(3), tmp_path, now=NOW)

    assert target.current() == v(3)


def test_what_is_served_outlives_the_process(open_target: Callable[[], Target], tmp_path: Path) -> None:
    open_target().serve(a_version(3), tmp_path, now=NOW)

    assert open_target().current() == v(3)


def test_a_reader_sees_the_old_or_the_new_and_nothing_between(
    open_target: Callable[[], Target], tmp_path: Path
) -> None:
    target, done = open_target(), Event()
    target.serve(a_version(1), tmp_path, now=NOW)

    def switch() -> None:
        try:
            for number in range(200):
                target.serve(a_version(1 + number % 2), tmp_path, now=NOW)
        finally:
            done.set()

    writer = Thread(target=switch)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(open_target().current())
    writer.join(30)

    assert seen <= {v(1), v(2)}


def test_a_target_serves_a_version_with_its_folder_and_no_other(
    open_target: Callable[[], Target], tmp_path: Path
) -> None:
    target = open_target()
    assert not target.serves(a_version(3), tmp_path)
    target.serve(a_version(3), tmp_path, now=NOW)

    assert target.serves(a_version(3), tmp_path)
    assert not target.serves(a_version(3), tmp_path / "other")
    assert not target.serves(a_version(3), None)
    assert not target.serves(a_version(2), tmp_path)


# The directory: what a server that watches it may rely on.


def test_the_pointer_says_what_to_load(tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    DirectoryTarget(tmp_path / "live").serve(a_version(3), artifact, now=NOW)

    assert json.loads((tmp_path / "live" / "live.json").read_text(encoding="utf-8")) == {
        "version": "support-bot-v3",
        "artifact": str(artifact),
        "digest": a_version(3).digest,
        "base": "SmolLM2-135M-Instruct",
        "base_digest": "b" * 64,
        "since": NOW.isoformat(),
    }


def test_a_pointer_of_an_earlier_release_serves_its_version(tmp_path: Path) -> None:
    target, pointer = DirectoryTarget(tmp_path), tmp_path / "live.json"
    target.serve(a_version(3), tmp_path / "artifact", now=NOW)
    written = json.loads(pointer.read_text("utf-8"))
    pointer.write_text(json.dumps({name: written[name] for name in written if name != "base_digest"}))

    assert target.serves(a_version(3), tmp_path / "artifact")

    pointer.write_text(json.dumps({**written, "base_digest": "0" * 64}))
    assert not target.serves(a_version(3), tmp_path / "artifact")


def test_a_switch_leaves_nothing_but_the_pointer(tmp_path: Path) -> None:
    target = DirectoryTarget(tmp_path / "live")
    target.serve(a_version(1), None, now=NOW)
    target.serve(a_version(2), None, now=NOW)

    assert [path.name for path in (tmp_path / "live").iterdir()] == ["live.json"]


def test_any_server_may_read_the_pointer(tmp_path: Path) -> None:
    DirectoryTarget(tmp_path).serve(a_version(1), None, now=NOW)

    assert (tmp_path / "live.json").stat().st_mode & 0o777 == 0o644


def test_one_damaged_letter_of_what_a_server_reads_is_noticed(tmp_path: Path) -> None:
    target, pointer = DirectoryTarget(tmp_path), tmp_path / "live.json"
    target.serve(a_version(1), tmp_path / "artifact", now=NOW)
    written = pointer.read_bytes()
    read_by_servers = written.index(b'"since"')

    for place in range(0, read_by_servers, 7):
        pointer.write_bytes(written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
        meant = json.loads(written)
        try:
            same = json.loads(pointer.read_bytes()) == meant
        except ValueError:
            same = False
        assert target.serves(a_version(1), tmp_path / "artifact") is same


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"version": 7}', b'{"version": "no version"}', b"\xff"]
)
def test_a_damaged_pointer_is_named_and_can_be_written_anew(tmp_path: Path, content: bytes) -> None:
    target = DirectoryTarget(tmp_path)
    (tmp_path / "live.json").write_bytes(content)

    with pytest.raises(BadPointer, match=r"live\.json"):
        target.current()
    target.serve(a_version(1), None, now=NOW)
    assert target.current() == v(1)
