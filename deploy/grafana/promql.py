"""PromQL as the dashboards write it: for the chosen model lines and replicas, and for any number of both.

Matchers are PromQL, such as ``kind!="unjudged"``.
"""

#: The range of things that happen a few times a day: shown as how many there were in the last hour.
RARE = "1h"
RATE = "$__rate_interval"
_LINE = 'model_line=~"$model_line"'
_INSTANCE = 'instance=~"$instance"'


def of(metric: str, *matchers: str) -> str:
    """Return the selector of a metric's series of the chosen lines and replicas."""
    return _selector(metric, *matchers, _LINE, _INSTANCE)


def of_all(metric: str, *matchers: str) -> str:
    """Return the selector of a metric's series of the chosen lines on all of their replicas."""
    return _selector(metric, *matchers, _LINE)


def leading(metric: str, *matchers: str) -> str:
    """Return what the leader says: a replica that led before goes on showing what it saw last."""
    return f"({of(metric, *matchers)} and on (instance, model_line) {of('retuned_leader')} == 1)"


def total(series: str, *by: str) -> str:
    """Return the sum over the replicas, by model line and labels."""
    return f"sum by ({_by(by)}) ({series})"


def most(series: str, *by: str) -> str:
    """Return the largest over the replicas, by model line and labels."""
    return f"max by ({_by(by)}) ({series})"


def per_minute(counter: str, *by: str) -> str:
    """Return how often a minute something happens."""
    return f"{total(f'rate({of(counter)}[{RATE}])', *by)} * 60"


def recently(counter: str, *by: str, within: str = RARE, where: str = "") -> str:
    """Return how often something rare happened in the time before, as a whole number; ``where`` is a matcher."""
    return f"round({total(f'increase({of(counter, where)}[{within}])', *by)})"


def quantile(histogram: str, share: float, *, within: str = RATE) -> str:
    """Return a quantile of durations, by model line."""
    buckets = total(f"rate({of(f'{histogram}_bucket')}[{within}])", "le")
    return f"histogram_quantile({share}, {buckets})"


def mean(histogram: str, *, within: str) -> str:
    """Return the mean duration of what ended in the time before; nothing where nothing ended."""
    spent, ended = (total(f"increase({of(histogram + part)}[{within}])") for part in ("_sum", "_count"))
    return f"{spent} / ({ended} > 0)"


def _by(labels: tuple[str, ...]) -> str:
    return ", ".join(("model_line", *labels))


def _selector(metric: str, *matchers: str) -> str:
    return f"{metric}{{{','.join(filter(None, matchers))}}}"
