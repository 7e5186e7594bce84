"""Draws the benchmark's figures as PNG files."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitors.bench.contenders import OURS
from monitors.bench.measures import ALL, Delay, FalseAlarms
from monitors.bench.streams import Kind

_INCHES = (9.0, 5.5)
_MARKERS = "osD^v<>Pp*hX"
#: Alarms at which a detector without false alarms is drawn on a log scale.
_NO_ALARM = 0.5


def draw(folder: Path, rates: Sequence[FalseAlarms], delays: Sequence[Delay], *, declared: int) -> list[Path]:
    """Write all plots to a folder, and return their paths."""
    together = {rate.detector: rate for rate in rates if rate.streams == ALL}
    styles = {name: _style(name, number) for number, name in enumerate(together)}
    figures = {
        "run-length.png": _run_lengths(list(together.values()), declared),
        **{
            f"delay-{kind}.png": _by_share([d for d in delays if d.kind is kind and d.family == ALL], styles)
            for kind in dict.fromkeys(d.kind for d in delays)
        },
        **{
            f"trade-off-{share:.0%}.png".replace("%", ""): _trade_off(together, delays, share, styles)
            for share in sorted({d.share for d in delays})
        },
    }
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=110)
    return [folder / name for name in figures]


def _style(name: str, number: int) -> dict[str, object]:
    if name == OURS:
        return {"color": "black", "marker": "o", "linewidth": 2.5, "markersize": 9}
    return {"color": f"C{number % 10}", "marker": _MARKERS[number % len(_MARKERS)], "alpha": 0.8}


def _run_lengths(rates: Sequence[FalseAlarms], declared: int) -> Figure:
    figure, axes = _axes("Average run length without a change, with 95% bounds on each side")
    shown = sorted(rates, key=lambda rate: rate.arl_lower)
    for row, rate in enumerate(shown):
        upper = rate.arl_upper if isfinite(rate.arl_upper) else 100 * declared
        colour = "black" if rate.detector == OURS else "C0"
        axes.plot([rate.arl_lower, upper], [row, row], color=colour, linewidth=3)
        if isfinite(rate.arl):
            axes.plot([rate.arl], [row], "o", color=colour)
        axes.annotate(f"{rate.alarms} in {rate.conversations:,}", (rate.arl_lower, row + 0.15), fontsize=7)
    axes.axvline(declared, color="C3", linestyle="--", label=f"declared: {declared:,}")
    axes.set_xscale("log")
    axes.set_xlim(right=20 * declared)
    axes.set_xlabel("conversations between false alarms")
    axes.set_yticks(range(len(shown)), [rate.detector for rate in shown])
    axes.legend()
    return figure


def _by_share(delays: Iterable[Delay], styles: Mapping[str, dict[str, object]]) -> Figure:
    found = list(delays)
    figure, axes = _axes(f"Median delay after a change ({found[0].kind})")
    for name, style in styles.items():
        mine = sorted((d for d in found if d.detector == name), key=lambda d: d.share)
        axes.plot([d.share for d in mine], [d.median for d in mine], label=name, **style)  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.set_yscale("log")
    shares = sorted({d.share for d in found})
    axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
    axes.minorticks_off()
    axes.set_xlabel("share of new traffic (what is not found in half of the trials is not drawn)")
    axes.set_ylabel("conversations")
    _legend(axes)
    return figure


def _trade_off(
    rates: Mapping[str, FalseAlarms],
    delays: Sequence[Delay],
    share: float,
    styles: Mapping[str, dict[str, object]],
) -> Figure:
    figure, axes = _axes(f"False alarms against delay, abrupt change to {share:.0%} new traffic")
    points = [d for d in delays if (d.family, d.kind, d.share) == (ALL, Kind.ABRUPT, share)]
    slowest = max([d.median for d in points if isfinite(d.median)], default=1.0)
    for d in points:
        rate = rates.get(d.detector)
        if rate:
            x = max(rate.alarms, _NO_ALARM) / rate.conversations * 1e4
            y = d.median if isfinite(d.median) else 2 * slowest
            axes.plot([x], [y], label=d.detector, linestyle="", **styles[d.detector])  # type: ignore[arg-type]
    axes.axhline(2 * slowest, color="grey", linestyle=":")
    axes.annotate(
        "not found in half of the trials", (0.01, 2.03 * slowest), xycoords=("axes fraction", "data")
    )
    axes.set_ylim(top=2.6 * slowest)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("false alarms in 10,000 conversations (none: drawn as half a one)")
    axes.set_ylabel("median delay in conversations")
    _legend(axes)
    return figure


def _axes(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
