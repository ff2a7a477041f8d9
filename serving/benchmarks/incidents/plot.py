"""Delay against false alarms, one panel for each chain."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from serving.benchmarks.incidents.bench import OURS
from serving.benchmarks.incidents.chains import REFERENCE
from training.benchmarks.rows import BenchRow

_DELAY: Final = "/median_delay"
_ALARMS: Final = "/false_alarms_per_week"
_MARKS: Final = "*osD^vP<"  # of ours and its peers, in order


def plot_incidents(rows: Sequence[BenchRow], path: Path) -> None:
    """Write a picture of the reference incident: median delay over held-out false alarms.

    Args:
        rows: From `bench_incidents`.
        path: PNG, SVG or PDF; its folder is made where it is missing.
    """
    cases = list(dict.fromkeys(row.case for row in rows if row.metric.endswith(_ALARMS)))
    n_columns = min(2, len(cases))
    n_rows = -(-len(cases) // n_columns)
    figure = Figure(figsize=(1.6 + 4.2 * n_columns, 3.4 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    for number, case in enumerate(cases):
        axes = figure.add_subplot(n_rows, n_columns, number + 1)
        _draw(axes, case, rows)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _draw(axes: Axes, case: str, rows: Sequence[BenchRow]) -> None:
    """One chain: a mark for each method, and a line at the promise."""
    alarms = _by_method(rows, case, _ALARMS)
    delays = _by_method(rows, f"{case}: {REFERENCE.name}", _DELAY)
    for (method, delay), mark in zip(delays.items(), _MARKS, strict=False):
        size = 110 if method == OURS else 45
        axes.scatter(alarms[method], delay, s=size, marker=mark, label=method, zorder=3)
    axes.axvline(1.0, linewidth=0.8, linestyle="--", color="grey")
    axes.set_title(case)
    axes.set_xlabel("false alarms a week (promised: 1)")
    axes.set_ylabel(f"minutes to see {REFERENCE.name}")
    finite = [delay for delay in delays.values() if isfinite(delay)]
    axes.set_xlim(0, 1.15 * max(1.0, *alarms.values()))
    axes.set_ylim(0, 1.15 * max(finite, default=1.0))


def _by_method(rows: Sequence[BenchRow], case: str, ending: str) -> dict[str, float]:
    return {
        row.metric.removesuffix(ending): row.ours
        for row in rows
        if row.case == case and row.metric.endswith(ending)
    }
