"""The JSON of planned runs is in ledgers that were written before: its keys, their order and its values stay."""

import json
from pathlib import Path

from daemon.domain.records import Coordinates
from daemon.domain.runs import TrainingRecord
from daemon.domain.windows import SeqRange
from daemon.training.built_dataset import Dataset
from daemon.training.planned_run import PlannedRun, from_json, to_json
from learners.types import LoraSettings, TrainRequest
from registry.types import OffsetRange

RECORD = TrainingRecord(
    at=Coordinates(topic="conversations", partition=0, offset=10), sha256="5" * 64, origin="new", group="u1",
    conversation_hash="c1",
)  # fmt: skip
PLANNED = PlannedRun(
    request=TrainRequest(
        run="r3", base=Path("/models/base"), base_digest="b" * 64, parent=Path("/cache/chat-v1"),
        data=Path("/state/runs/r3/data.jsonl"), data_digest="d" * 64, output=Path("/state/runs/r3/artifact"),
        settings=LoraSettings(target_modules=("q_proj", "v_proj"), epochs=1.0), seed=7, device="cpu", threads=2,
    ),
    dataset=Dataset(
        path=Path("/state/runs/r3/data.jsonl"), digest="d" * 64, new=1, replay=0, span=SeqRange(first=11, last=20),
        sources=(OffsetRange(topic="conversations", partition=0, first=10, last=19),),
        left_out={"one user's share": 2}, records=(RECORD,),
    ),
    parent="chat-v1",
    until_seq=21,
)  # fmt: skip
WRITTEN = (
    '{"request": {"base": "/models/base", "base_digest": "' + "b" * 64 + '", "data": "/state/runs/r3/data.jsonl", '
    '"data_digest": "' + "d" * 64 + '", "device": "cpu", "method": "lora", "output": "/state/runs/r3/artifact", '
    '"parent": "/cache/chat-v1", "run": "r3", "seed": 7, "settings": {"alpha": 32.0, "checkpoint_every_s": 120.0, '
    '"dropout": 0.0, "dtype": "auto", "epochs": 1.0, "learning_rate": 0.0002, "max_grad_norm": 1.0, "max_tokens": 1024, '
    '"rank": 16, "target_modules": ["q_proj", "v_proj"], "tokens_per_step": 1024, "warmup_share": 0.1, '
    '"weight_decay": 0.0}, "threads": 2}, "dataset": {"path": "/state/runs/r3/data.jsonl", "digest": "' + "d" * 64 + '", '
    '"new": 1, "replay": 0, "span": {"first": 11, "last": 20}, "sources": [{"topic": "conversations", "partition": 0, '
    '"first": 10, "last": 19}], "left_out": {"one user\'s share": 2}}, "parent": "chat-v1", "until_seq": 21}'
)  # fmt: skip


def test_a_planned_run_is_written_as_it_always_was() -> None:
    assert json.dumps(to_json(PLANNED)) == WRITTEN


def test_a_planned_run_reads_back_equal_with_the_records_that_the_ledger_keeps() -> None:
    assert from_json(json.loads(WRITTEN), records=[RECORD]) == PLANNED


def test_a_run_from_before_curation_left_nothing_out() -> None:
    document = json.loads(WRITTEN)
    del document["dataset"]["left_out"]

    assert from_json(document).dataset.left_out == {}


def test_a_run_on_the_bare_base_has_no_parent() -> None:
    document = json.loads(WRITTEN)
    document["parent"] = document["request"]["parent"] = None

    read = from_json(document)

    assert (read.parent, read.request.parent) == (None, None)
    assert to_json(read)["request"] == document["request"]
