from pathlib import Path

from learners.children.child_log import open_child_log


def test_a_new_child_keeps_what_the_one_before_wrote(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "scorer.log"
    for words in (b"first", b"second", b"third"):
        with open_child_log(file) as log:
            log.write(words)

    assert (file.read_bytes(), file.with_name("scorer.log.1").read_bytes()) == (b"third", b"second")


def test_without_a_name_nothing_stays() -> None:
    with open_child_log(None) as log:
        log.write(b"words")
        log.seek(0)
        assert log.read() == b"words"
