"""Probes, metric and status tell of the same problems."""

import pytest

from daemon.cli.render.status_summary import needs_of
from daemon.config.settings import HttpSection
from daemon.domain.problems import ProblemKind
from daemon.http.health import Health
from daemon.http.probe import probe
from daemon.http.server import HttpServer
from daemon.runtime.build import _OF_LEADER
from daemon.runtime.problems import Problems
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics
from tests.factories.daemon import a_line


class Bench:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.health = Health(clock=lambda: 0.0, components=())
        self.problems = Problems(self.health, self.metrics)

    def kinds(self) -> set[str]:
        """The kinds that the metric shows."""
        text = self.metrics.exposition("")[1].decode()
        return {sample.labels["kind"] for sample in read_samples(text, "retuned_problem") if sample.value}


@pytest.mark.parametrize("kind", ProblemKind)
def test_a_problem_is_seen_in_readiness_and_metric_until_it_is_gone(kind: ProblemKind) -> None:
    bench = Bench()
    assert bench.health.ready().ok
    assert bench.kinds() == set()

    bench.problems.report(kind, "it broke")
    body = bench.health.ready().body
    assert list(body["problems"].values()) == ["it broke"]  # type: ignore[attr-defined]
    assert bench.kinds() == {kind.value}

    bench.problems.report(kind, None)
    assert bench.health.ready().ok
    assert bench.kinds() == set()


def test_of_two_problems_of_a_component_the_other_stays() -> None:
    bench = Bench()
    bench.problems.report(ProblemKind.LEDGER_UNREACHABLE, "restarting")
    bench.problems.report(ProblemKind.LEDGER_LOST, "gone")

    bench.problems.report(ProblemKind.LEDGER_UNREACHABLE, None)

    assert bench.health.ready().body["problems"] == {"ledger": "gone"}


def test_every_kind_has_a_series_from_the_start() -> None:
    text = Bench().metrics.exposition("")[1].decode()

    assert {s.labels["kind"] for s in read_samples(text, "retuned_problem")} == set(ProblemKind)


@pytest.mark.parametrize("kind", ProblemKind)
def test_status_names_the_problem(kind: ProblemKind, tmp_path_factory: pytest.TempPathFactory) -> None:
    from daemon.views.status import status_view

    line = a_line(tmp_path_factory.mktemp("line"))
    bench = Bench()
    bench.problems.report(kind, "the ledger's disk is full")
    with HttpServer(HttpSection(port=0), bench.metrics, bench.health) as server:
        found = probe(HttpSection(port=server.port), timeout_s=10)

    seen = status_view(line.stores, line.settings, line.now)
    needs = needs_of(seen, found, None, automatic=True)

    assert any("the ledger's disk is full" in need.sentence for need in needs)
    line.stores.engine.dispose()


def test_the_leaders_kinds_are_reported_by_every_replica() -> None:
    """Else a replica that was the leader would go on showing them."""
    others = {
        ProblemKind.BOUND, ProblemKind.BROKER, ProblemKind.INTAKE_HALTED, ProblemKind.LEDGER_LOST, ProblemKind.LEDGER_UNREACHABLE,
    }  # fmt: skip
    assert set(_OF_LEADER) | others == set(ProblemKind)
