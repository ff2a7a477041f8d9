"""Plots of uplift models. Figures only: nothing is shown or written here."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from training.uplift.measures import QiniCurve

_SIZE = (6.0, 4.5)


def draw_qini(curves: Mapping[str, QiniCurve]) -> Figure:
    """Outcomes gained by treating the best share first, beside a random order."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title("Qini curve on later decisions")
    for name, curve in curves.items():
        axes.plot(100 * curve.share, 100 * curve.gain, label=name)
    last = next(iter(curves.values()))
    axes.plot(
        [0, 100], [0, 100 * float(last.gain[-1])], color="0.6", linestyle="--", label="by chance"
    )
    axes.set(
        xlabel="percent of customers written to, the best first",
        ylabel="outcomes gained per 100 customers",
    )
    axes.legend()
    return figure
