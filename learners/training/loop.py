"""The training loop: forward, backward, clip, step, and checkpoints in between."""

import math
from collections.abc import Callable, Sequence

import torch
from peft import PeftModel

from learners.encoding.packing import packed_row
from learners.encoding.rows import Encoded
from learners.errors import Cancelled, Diverged
from learners.training.checkpoint import Position, discard_checkpoint, load_checkpoint, save_checkpoint
from learners.training.loss import token_losses
from learners.training.progress_meter import ProgressMeter
from learners.training.schedule import Step, learning_rate, plan_steps
from learners.types import TrainRequest

ShouldStop = Callable[[], bool]


def stop_if(should_stop: ShouldStop) -> None:
    """Raise Cancelled if the training was asked to stop."""
    if should_stop():
        raise Cancelled("the training was asked to stop; the same request goes on from its checkpoint")


class TrainingLoop:
    """The steps of one run, from the first or from a checkpoint.

    Each step seeds the generator with its own number, so that a resumed run draws the same dropout as an
    unbroken one.
    """

    def __init__(
        self,
        request: TrainRequest,
        model: PeftModel,
        encoded: Sequence[Encoded],
        *,
        fingerprint: str,
        meter: ProgressMeter,
        should_stop: ShouldStop,
    ) -> None:
        self._request = request
        self._model = model
        self._encoded = encoded
        self._fingerprint = fingerprint
        self._meter = meter
        self._should_stop = should_stop
        settings = request.settings
        self._steps = plan_steps(
            [len(conversation.ids) for conversation in encoded],
            epochs=settings.epochs,
            tokens_per_step=settings.tokens_per_step,
            seed=request.seed,
        )
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._optimizer = torch.optim.AdamW(self._trained.values(), weight_decay=settings.weight_decay)

    def run(self) -> Position:
        """Take all steps. Raises Diverged, or Cancelled after the checkpoint is saved."""
        position = self._resume()
        self._meter.begin(step=position.step, steps=len(self._steps), tokens=position.tokens)
        saved_at = self._meter.seconds
        while position.step < len(self._steps):
            try:
                position = self._step(position)
            except Cancelled:
                self._save(position)
                raise
            if self._meter.seconds - saved_at >= self._request.settings.checkpoint_every_s:
                self._save(position)
                saved_at = self._meter.seconds
        return position

    def _step(self, position: Position) -> Position:
        settings, step = self._request.settings, self._steps[position.step]
        rate = learning_rate(
            position.step, len(self._steps), peak=settings.learning_rate, warmup_share=settings.warmup_share
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed((self._request.seed << 32) + position.step)
        loss, tokens, targets = self._backward(step)
        norm = torch.nn.utils.clip_grad_norm_(self._trained.values(), settings.max_grad_norm)
        if not (math.isfinite(loss) and torch.isfinite(norm)):
            discard_checkpoint(self._request.output)
            raise Diverged(
                f"loss {loss}, gradient norm {float(norm)} in step {position.step + 1} of {len(self._steps)}; "
                "lower learning_rate, or look for broken conversations"
            )
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._meter.advance(loss=loss, tokens=tokens, learning_rate=rate)
        return position.after(loss=loss, tokens=tokens, target_tokens=targets)

    def _backward(self, step: Step) -> tuple[float, int, int]:
        """Compute the gradients of the loss per target token; return the loss, tokens and target tokens."""
        rows = [packed_row([self._encoded[index] for index in row]) for row in step]
        targets = sum(row.target_tokens for row in rows)
        total = 0.0
        for row in rows:
            if self._should_stop():
                self._optimizer.zero_grad()
                raise Cancelled(
                    "the training was asked to stop; the same request goes on from its checkpoint"
                )
            loss = token_losses(self._model, row).sum() / targets
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total, sum(row.tokens for row in rows), targets

    def _save(self, position: Position) -> None:
        tensors = {}
        for name, parameter in self._trained.items():
            tensors[f"weight/{name}"] = parameter.detach()
            for key, value in self._optimizer.state[parameter].items():
                tensors[f"{key}/{name}"] = value
        save_checkpoint(self._request.output, position, tensors)

    def _resume(self) -> Position:
        found = load_checkpoint(self._request.output, self._fingerprint)
        if found is None:
            return Position(fingerprint=self._fingerprint)
        position, tensors = found
        with torch.no_grad():
            for name, parameter in self._trained.items():
                parameter.copy_(tensors[f"weight/{name}"])
                if position.step:
                    self._optimizer.state[parameter] = {
                        key: tensors[f"{key}/{name}"].to(parameter.device if key != "step" else "cpu")
                        for key in ("step", "exp_avg", "exp_avg_sq")
                    }
        return position
