"""Runs one trial: every detector on one stream."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitors.bench.contenders import Contender, Maker, Setting
from monitors.bench.populations import Population
from monitors.bench.streams import Kind, Length, Stream, make
from monitors.bench.vectors import Vectors


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Defines the stream of a trial."""

    population: Population
    kind: Kind
    share: float  # of new traffic; 0 where nothing changes
    number: int
    seed: int
    length: Length
    conversations_between_false_alarms: int

    @property
    def key(self) -> str:
        """The seed of the stream."""
        return f"{self.seed}/{self.population.family}/{self.population.name}/{self.kind}/{self.share}/{self.number}"

    @property
    def weight(self) -> int:
        """The approximate length of the stream, to which the time of the trial is proportional."""
        return self.length.of(self.kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The alarms of one detector on one stream."""

    detector: str
    family: str
    world: str  # name of the population; field names are columns of trials.csv
    kind: Kind
    share: float
    trial: int
    conversations: int  # observed
    false_alarms: int  # on null streams, and before the change
    #: Conversations from the first that may be new to the alarm, both counted; None without an alarm.
    delay: int | None
    cpu_s: float

    @property
    def under_null(self) -> int:
        """Conversations of a null stream."""
        return self.conversations if self.kind.null else 0


def run(trial: Trial, makers: Mapping[str, Maker], vectors: Vectors) -> Iterator[Outcome]:
    """Run each detector on the stream: to the end of a null stream, else to the first alarm after the change."""
    stream = make(trial.population, trial.kind, share=trial.share, length=trial.length, seed=trial.key)
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
        alarms, observed = alarms_of(contender, stream)
        spent = time.process_time() - started
        after = [at for at in alarms if stream.change_at is not None and at >= stream.change_at]
        yield Outcome(
            detector=name,
            family=trial.population.family,
            world=trial.population.name,
            kind=trial.kind,
            share=trial.share,
            trial=trial.number,
            conversations=observed,
            false_alarms=len(alarms) - len(after),
            delay=after[0] - (stream.change_at or 0) + 1 if after else None,
            cpu_s=spent,
        )


def alarms_of(contender: Contender, stream: Stream) -> tuple[Sequence[int], int]:
    """Return the numbers of the conversations that raised alarms, and how many were observed."""
    alarms = []
    for number, sample in enumerate(stream.samples):
        if contender.observe(sample):
            alarms.append(number)
            if stream.change_at is not None and number >= stream.change_at:
                return alarms, number + 1
    return alarms, len(stream.samples)
