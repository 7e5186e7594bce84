"""One trial: a stream, and every detector on it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitors.bench.contenders import Contender, Maker, Setting
from monitors.bench.streams import Kind, Length, Stream, make
from monitors.bench.vectors import Vectors
from monitors.bench.worlds import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Which stream."""

    world: World
    kind: Kind
    share: float  # of new traffic; 0 where nothing changes
    number: int
    seed: int
    length: Length
    conversations_between_false_alarms: int

    @property
    def key(self) -> str:
        """What makes the stream this one."""
        return f"{self.seed}/{self.world.family}/{self.world.name}/{self.kind}/{self.share}/{self.number}"

    @property
    def weight(self) -> int:
        """How long it takes, about, compared with others."""
        return self.length.of(self.kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one detector did on one stream."""

    detector: str
    family: str
    world: str
    kind: Kind
    share: float
    trial: int
    conversations: int  # that it saw
    false_alarms: int  # on null streams, and before the change
    #: Conversations from the first that may be new to the alarm, both counted; None where none came.
    delay: int | None
    cpu_s: float

    @property
    def under_null(self) -> int:
        """Conversations of a null stream."""
        return self.conversations if self.kind.null else 0


def run(trial: Trial, makers: Mapping[str, Maker], vectors: Vectors) -> Iterator[Outcome]:
    """Let each detector see the stream: to its end where nothing changes, else to its first alarm after the change."""
    stream = make(trial.world, trial.kind, share=trial.share, length=trial.length, seed=trial.key)
    setting = Setting(
        reference=stream.reference,
        counting=stream.counting,
        block=stream.block,
        vectors=vectors,
        conversations_between_false_alarms=trial.conversations_between_false_alarms,
        seed=trial.number,
    )
    for name, maker in makers.items():
        contender = maker(setting)
        started = time.process_time()
        alarms, seen = alarms_of(contender, stream)
        spent = time.process_time() - started
        after = [at for at in alarms if stream.change_at is not None and at >= stream.change_at]
        yield Outcome(
            detector=name,
            family=trial.world.family,
            world=trial.world.name,
            kind=trial.kind,
            share=trial.share,
            trial=trial.number,
            conversations=seen,
            false_alarms=len(alarms) - len(after),
            delay=after[0] - (stream.change_at or 0) + 1 if after else None,
            cpu_s=spent,
        )


def alarms_of(contender: Contender, stream: Stream) -> tuple[Sequence[int], int]:
    """Return the numbers of the conversations that raised alarms, and how many were seen."""
    alarms = []
    for number, sample in enumerate(stream.samples):
        if contender.see(sample):
            alarms.append(number)
            if stream.change_at is not None and number >= stream.change_at:
                return alarms, number + 1
    return alarms, len(stream.samples)
