"""`retuned drift calibrate` where an embedding model is configured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.types import Aspect, Sample
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import a_batch, a_conversation
from tests.support.devices import DEVICE
from tests.support.tiny_encoder import make_tiny_encoder

TRIED = ("drift", "calibrate", "--conversations", "1000", "--within", "50", "--changes", "1", "--json")


class Watched(EDetector):
    """Remembers what it was made of."""

    made: list[tuple[Sequence[Sample], Sequence[Aspect]]] = []  # noqa: RUF012  the test empties it

    def __init__(self, reference: Sequence[Sample], settings: DetectorSettings, **options: Any) -> None:
        self.made.append((reference, settings.aspects))
        super().__init__(reference, settings, **options)


def a_line_with(folder: Path, model: Path) -> Line:
    line = a_line(folder, monitors={"embedding": {"model": str(model), "device": DEVICE, "max_tokens": 32}})
    texts = (f"{topic} number {n}" for n in range(100) for topic in ("my parcel", "a refund", "the weather"))
    new = [a_conversation(line.read + n, user=f"u{n}", text=text) for n, text in enumerate(texts)]
    line.stores.intake.record(a_batch(new))
    return line


def test_history_is_embedded_as_the_daemon_would_and_meaning_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = a_line_with(tmp_path, make_tiny_encoder(tmp_path / "encoder"))
    monkeypatch.setattr("monitors.sequential.edetector.EDetector", Watched)
    Watched.made.clear()

    answer = type_to(line, *TRIED)

    assert answer.exit_code == 0
    assert answer.document["replay"]["conversations"] == 1000
    for reference, aspects in Watched.made:
        assert Aspect.EMBEDDING in aspects
        assert {len(sample.embedding or b"") for sample in reference} == {4 * 32}


def test_a_model_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    line = a_line_with(tmp_path, tmp_path / "nowhere")

    refused = type_to(line, *TRIED)

    assert (refused.exit_code, refused.error["kind"]) == (1, "UnusableModel")
    assert "nowhere" in refused.error["message"]
