"""The training loop: forward, backward, clip, step, and checkpoints in between."""

import math
from collections.abc import Callable

import torch
from peft import PeftModel

from learners.errors import Cancelled, Diverged
from learners.training.checkpoint import Position, discard_checkpoint, load_checkpoint, save_checkpoint
from learners.training.objectives.objective import Objective
from learners.training.peers import current_peers
from learners.training.progress_meter import ProgressMeter
from learners.training.schedule import Step, learning_rate, plan_steps
from learners.types import TrainRequest

ShouldStop = Callable[[], bool]


def stop_if(should_stop: ShouldStop) -> None:
    """Raise Cancelled if the training was asked to stop."""
    if should_stop():
        raise Cancelled("the training was asked to stop; the same request goes on from its checkpoint")


class TrainingLoop:
    """The steps of one run, from the first or from a checkpoint, alone or together with other processes.

    Each step seeds the generator with its own number, so that a resumed run draws the same dropout as an
    unbroken one.
    """

    def __init__(
        self,
        request: TrainRequest,
        model: PeftModel,
        objective: Objective,
        *,
        fingerprint: str,
        meter: ProgressMeter,
        should_stop: ShouldStop,
    ) -> None:
        self._request = request
        self._model = model
        self._objective = objective
        self._fingerprint = fingerprint
        self._meter = meter
        self._should_stop = should_stop
        self._peers = current_peers()
        settings = request.settings
        self._steps = plan_steps(
            objective.lengths,
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
        peers = self._peers
        torch.manual_seed(((self._request.seed * peers.size + peers.rank) << 32) + position.step)
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
        """Compute the gradients of the step's loss; return the loss, tokens and target tokens."""
        peers = self._peers
        if not peers.alone:  # they stop together, between steps: each waits for the gradients of all
            stop_if(lambda: peers.any(self._should_stop()))
        loss, tokens, targets = 0.0, 0, 0
        for part in self._objective.parts(self._model, step, peers):
            if peers.alone:
                self._stop_in_step()
            part.loss.backward()  # type: ignore[no-untyped-call]
            loss += part.loss.item()
            tokens += part.tokens
            targets += part.target_tokens
        peers.add_up_gradients(self._trained.values())
        (loss,) = peers.total(loss)
        tokens, targets = map(int, peers.total(tokens, targets))
        return loss, tokens, targets

    def _stop_in_step(self) -> None:
        try:
            stop_if(self._should_stop)
        except Cancelled:
            self._optimizer.zero_grad()
            raise

    def _start(self) -> Position:
        """Begin at the first step. What takes a pass over the data is saved at once."""
        self._objective.start(self._model, lambda: stop_if(self._should_stop), self._peers)
        position = Position(fingerprint=self._fingerprint)
        if self._objective.state:
            self._save(position)
        return position

    def _save(self, position: Position) -> None:
        if not self._peers.first:
            return
        tensors = {f"objective/{name}": tensor for name, tensor in self._objective.state.items()}
        for name, parameter in self._trained.items():
            tensors[f"weight/{name}"] = parameter.detach()
            for key, value in self._optimizer.state[parameter].items():
                tensors[f"{key}/{name}"] = value
        save_checkpoint(self._request.output, position, tensors)

    def _resume(self) -> Position:
        found = self._peers.from_first(lambda: load_checkpoint(self._request.output, self._fingerprint))
        if found is None:
            return self._start()
        position, tensors = found
        self._objective.restore({name: tensors[f"objective/{name}"] for name in self._objective.state})
        with torch.no_grad():
            for name, parameter in self._trained.items():
                parameter.copy_(tensors[f"weight/{name}"])
                if position.step:
                    self._optimizer.state[parameter] = {
                        key: tensors[f"{key}/{name}"].to(parameter.device if key != "step" else "cpu")
                        for key in ("step", "exp_avg", "exp_avg_sq")
                    }
        return position
