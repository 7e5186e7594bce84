"""Adapters that commit 4a31a09 trained score as they did, and come of their requests again. Loads torch."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from learners.codec import conversation_from_line, request_from_json
from learners.models.base import base_digest
from learners.scoring.process import Scorer, scorer_process
from learners.training.methods import METHODS
from tests.support.tiny_model import make_tiny_model

WRITTEN = Path(__file__).parents[1] / "fixtures" / "written_by_4a31a09"
VALUES: Mapping[str, Any] = json.loads((WRITTEN / "golden" / "values.json").read_text("utf-8"))
SECONDS = 60
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that the adapters belong to."""
    made = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    if base_digest(made) != VALUES["base_digest"]:
        pytest.skip("this torch makes another tiny model than the adapters were trained on")
    return made


@pytest.fixture(scope="module")
def scorer(base: Path) -> Iterator[Scorer]:
    process = scorer_process(base, device="cpu", threads=1, dtype="float32", max_tokens=256)
    process.start()
    yield process.calls
    process.stop(5)


def artifact(version: str) -> Path:
    """Where a version's artifact is, among the files."""
    return WRITTEN / "state" / "artifacts" / version / str(VALUES["artifact_digests"][version])


def loss(scorer: Scorer, adapter: str | None) -> Mapping[str, float]:
    conversation = conversation_from_line(VALUES["conversation"])
    [score] = scorer.score(adapter, [conversation]).result(SECONDS)
    return {"nll": score.nll, "tokens": score.tokens}


def test_the_base_scores_as_it_did(scorer: Scorer) -> None:
    assert loss(scorer, None) == pytest.approx(VALUES["scores"]["support-bot-v0"], rel=1e-4)


@pytest.mark.parametrize("version", VALUES["artifact_digests"])
def test_an_adapter_scores_as_it_did(scorer: Scorer, version: str) -> None:
    scorer.load(version, artifact(version)).result(SECONDS)

    assert loss(scorer, version) == pytest.approx(VALUES["scores"][version], rel=1e-4)


def test_a_request_gives_the_adapter_that_it_gave(base: Path, tmp_path: Path) -> None:
    run = WRITTEN / "state" / "runs" / "r1"
    request = request_from_json((run / "request.json").read_text("utf-8"))
    request = replace(request, base=base, data=run / "data.jsonl", output=tmp_path / "artifact")

    result = METHODS["lora"](request, lambda _: None, lambda: False)

    again, then = load_file(result.artifact / WEIGHTS), load_file(artifact("support-bot-v1") / WEIGHTS)
    # Processors round differently: some weights, of about 0.1, differ by 1e-5.
    assert all(np.allclose(again[name], then[name], atol=1e-4) for name in then)
