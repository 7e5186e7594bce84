"""Trains a LoRA adapter from a request, towards the objective of a method."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import cast

import torch
from peft import PeftModel
from pydantic import TypeAdapter
from safetensors.torch import save
from transformers import PreTrainedModel

from learners.encoding.chat import ChatEncoder
from learners.encoding.dataset import read_conversations
from learners.encoding.lessons import EncodedLesson, encode_lesson
from learners.errors import BadAdapter, BadRequest, NothingChanged, OtherBase
from learners.method_names import MethodName, compares, learns_from
from learners.models.adapter_files import CONFIG, WEIGHTS, AdapterConfig, Linears
from learners.models.artifact import write_artifact
from learners.models.base import base_digest, sha256_of
from learners.models.loading import choose_device, choose_dtype, load_base, prepare_torch
from learners.models.lora import (
    adapter_config,
    attach,
    linears_of,
    norms_of,
    read_adapter,
    same_shape,
    set_weights,
    weights_of,
)
from learners.models.room import most_tokens
from learners.models.tokenizer import load_tokenizer
from learners.training.checkpoint import Position, discard_checkpoint
from learners.training.difference import check_changed
from learners.training.learnable import check_learnable, left_out_answers, skipped_lines
from learners.training.loop import ShouldStop, TrainingLoop, stop_if
from learners.training.objectives.objective import MakeObjective
from learners.training.peers import Peers, current_peers
from learners.training.progress_meter import ProgressMeter, Report
from learners.types import LoraSettings, RunResult, TrainRequest

_SETTINGS = TypeAdapter(LoraSettings)
_PACKAGES = ("peft", "retuned", "safetensors", "tokenizers", "torch", "transformers")


def train(
    request: TrainRequest,
    report: Report,
    should_stop: ShouldStop,
    *,
    method: MethodName,
    make_objective: MakeObjective,
) -> RunResult:
    """See learners.training.methods.Learner. Starts from the weights of ``request.parent``, if there is one."""
    meter, peers = ProgressMeter(report), current_peers()
    _check(request)
    meter.phase("loading")
    prepare_torch(request.threads)
    device = choose_device(request.device)
    tokenizer = load_tokenizer(request.base)
    base = load_base(request.base, choose_dtype(request.settings.dtype, device), device)
    request = _sized(request, base)
    stop_if(should_stop)
    meter.phase("encoding")
    encoder = ChatEncoder(tokenizer, request.settings.rendering)
    lines, skipped = _encode(request, encoder, method)
    objective = make_objective(lines, request.settings)
    stop_if(should_stop)
    norms = norms_of(base)
    model, config = _start(request, base)
    before = {name: tensor.clone() for name, tensor in weights_of(model).items()}
    position = TrainingLoop(
        request,
        model,
        objective,
        fingerprint=_fingerprint(request, peers),
        meter=meter,
        should_stop=should_stop,
    ).run()
    meter.phase("writing")
    _refuse_unchanged(request, model, before, norms, config)
    counts = {reason: len(numbers) for reason, numbers in skipped.items()}
    facts = {**_facts(request, peers), "skipped": counts, **_stated(objective.facts)}
    digest = peers.from_first(lambda: _write(request, model, config, position, facts))
    discard_checkpoint(request.output)
    first, last = _ends(position.losses)
    return RunResult(
        run=request.run,
        artifact=request.output,
        digest=digest,
        steps=position.step,
        tokens=position.tokens,
        target_tokens=position.target_tokens,
        conversations=len(lines) - sum(counts.values()),
        first_loss=first,
        last_loss=last,
        seconds=meter.seconds,
        packages=_packages(),
        skipped=counts,
        skipped_lines=skipped,
        left_out_answers=left_out_answers(lines),
        method=method,
        objective=objective.facts,
    )


def _check(request: TrainRequest) -> None:
    if request.output.exists():
        raise BadRequest(f"{request.output} exists; an artifact is never overwritten")
    if not request.base.is_dir():
        raise BadRequest(f"the base model {request.base} is no folder")
    if (found := base_digest(request.base)) != request.base_digest:
        raise OtherBase(
            f"{request.base} has digest {found}, the request says {request.base_digest}: another model"
        )
    settings = request.settings
    for name in ("epochs", "learning_rate", "tokens_per_step", "max_tokens", "max_grad_norm", "alpha"):
        value = getattr(settings, name)
        if value != "auto" and not 0 < value < math.inf:
            raise BadRequest(f"{name} must be above 0, not {value}")


def _sized(request: TrainRequest, base: PreTrainedModel) -> TrainRequest:
    """Return the request with the number of tokens that "auto" means here."""
    if request.settings.max_tokens != "auto":
        return request
    return replace(request, settings=replace(request.settings, max_tokens=most_tokens(base)))


def _encode(
    request: TrainRequest, encoder: ChatEncoder, method: MethodName
) -> tuple[list[EncodedLesson], dict[str, tuple[int, ...]]]:
    """Return the lines as the method learns them, and the numbers of those that it skips, by reason."""
    max_tokens = cast(int, request.settings.max_tokens)
    lines = [
        encode_lesson(
            encoder,
            conversation,
            learns=learns_from(method),
            compares=compares(method),
            max_tokens=max_tokens,
        )
        for conversation in read_conversations(request.data, request.data_digest)
    ]
    check_learnable(lines, ends=encoder.ends, max_skipped=request.max_skipped)
    return lines, skipped_lines(lines)


def _start(request: TrainRequest, base: PreTrainedModel) -> tuple[PeftModel, AdapterConfig]:
    linears: Linears = linears_of(base)
    config = adapter_config(request.settings, linears)
    torch.manual_seed(request.seed)
    model = attach(base, config, linears)
    if request.parent is not None:
        parent, weights = read_adapter(request.parent, linears)
        if not same_shape(parent, config, linears):
            raise BadAdapter(
                f"{request.parent} has rank {parent.rank}, alpha {parent.alpha} and modules {parent.target_modules};"
                " to go on from it the settings must have the same"
            )
        set_weights(model, weights)
    return model.train(), config


def _refuse_unchanged(
    request: TrainRequest,
    model: PeftModel,
    before: Mapping[str, torch.Tensor],
    norms: Mapping[str, float],
    config: AdapterConfig,
) -> None:
    try:
        check_changed(before, weights_of(model), norms, scale=config.alpha / config.rank)
    except NothingChanged:
        discard_checkpoint(request.output)
        raise


def _fingerprint(request: TrainRequest, peers: Peers) -> str:
    return hashlib.sha256(json.dumps(_facts(request, peers), sort_keys=True).encode()).hexdigest()


def _facts(request: TrainRequest, peers: Peers) -> dict[str, object]:
    """Return what the artifact depends on: no names and no paths."""
    parent = request.parent
    return {
        "method": request.method,
        "base_digest": request.base_digest,
        "parent_digest": None if parent is None else sha256_of(parent / "manifest.json"),
        "data_digest": request.data_digest,
        "settings": {
            k: v for k, v in _SETTINGS.dump_python(request.settings).items() if k != "checkpoint_every_s"
        },
        "seed": request.seed,
        "device": request.device,
        "threads": request.threads,
        "packages": _packages(),
        **({} if peers.alone else {"processes": peers.size}),
    }


def _packages() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


def _ends(losses: Sequence[float]) -> tuple[float, float]:
    """Return the mean loss of the first and of the last tenth of the steps."""
    tenth = math.ceil(len(losses) / 10)
    return sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth


def _write(
    request: TrainRequest,
    model: PeftModel,
    config: AdapterConfig,
    position: Position,
    facts: dict[str, object],
) -> str:
    first, last = _ends(position.losses)
    run = {
        "steps": position.step,
        "tokens": position.tokens,
        "target_tokens": position.target_tokens,
        "first_loss": first,
        "last_loss": last,
        **facts,
    }
    files = {
        WEIGHTS: save(weights_of(model), metadata={"format": "pt"}),
        CONFIG: _json(config.to_json()),
        "run.json": _json(run),
    }
    return write_artifact(request.output, files)


def _stated(facts: Mapping[str, float]) -> dict[str, object]:
    """Return what the record says of the objective; nothing where the settings say all."""
    return {"objective": dict(facts)} if facts else {}


def _json(values: dict[str, object]) -> bytes:
    return json.dumps(values, sort_keys=True, indent=1).encode() + b"\n"
