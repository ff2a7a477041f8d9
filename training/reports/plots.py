"""Plots that are logged with a training. Figures only: nothing is shown or written here."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation import calibration_curve
from training.measures import Bools, Floats
from training.registry.servable import N_WEEK_HOURS

_SIZE = (6.0, 4.5)
_GREY = "0.6"
_INK = "#1c2430"
_SMALLEST_SHARE = 0.01
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def draw_calibration(p_by_model: Mapping[str, Floats], *, labels: Bools) -> Figure:
    """Observed rate against foretold probability, in bins of equal mass."""
    figure, axes = _start("Calibration on later rows")
    highest = 0.0
    for name, p in p_by_model.items():
        curve = calibration_curve(p, labels=labels)
        axes.plot(curve.p_mean, curve.rate, marker="o", label=name)
        highest = max(highest, float(curve.p_mean.max()), float(curve.rate.max()))
    axes.plot([0, highest], [0, highest], color=_GREY, linestyle="--", label="perfect")
    axes.set(xlabel="foretold probability", ylabel="observed rate")
    axes.legend()
    return figure


def draw_precision_recall(p_by_model: Mapping[str, Floats], *, labels: Bools) -> Figure:
    """Precision against recall, from the most certain rows on."""
    figure, axes = _start("Precision and recall on later rows")
    for name, p in p_by_model.items():
        found = np.cumsum(labels[np.argsort(-p, kind="stable")])
        n_taken = np.arange(1, len(p) + 1)
        axes.plot(found / labels.sum(), found / n_taken, label=name)
    axes.axhline(float(labels.mean()), color=_GREY, linestyle="--", label="chance")
    axes.set(xlabel="share of positives found (recall)", ylabel="share of hits (precision)")
    axes.set_ylim(0, 1)
    axes.legend()
    return figure


def draw_lift(p_by_model: Mapping[str, Floats], *, labels: Bools) -> Figure:
    """How many times more positives than by chance are found among the first rows taken."""
    figure, axes = _start("Lift on later rows")
    first = max(1, round(_SMALLEST_SHARE * len(labels)))
    for name, p in p_by_model.items():
        found = np.cumsum(labels[np.argsort(-p, kind="stable")])
        n_taken = np.arange(1, len(p) + 1)
        lift = found / n_taken / labels.mean()
        axes.plot(100 * n_taken[first - 1 :] / len(p), lift[first - 1 :], label=name)
    axes.axhline(1.0, color=_GREY, linestyle="--", label="chance")
    axes.set(xlabel="percent of rows taken, the most likely first", ylabel="times chance")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def draw_use(shares_by_feature: Mapping[str, Sequence[float]]) -> Figure:
    """How much a model leans on features: the mean over blocks of time, and their range."""
    figure, axes = _start("What the model leans on, and how steadily", left_margin=0.36)
    names = list(shares_by_feature)[::-1]
    shares = [np.asarray(shares_by_feature[name]) * 100 for name in names]
    means = np.array([one.mean() for one in shares])
    spread = np.array([[one.mean() - one.min(), one.max() - one.mean()] for one in shares]).T
    axes.barh(names, means, xerr=spread, color="#7fb3b3", ecolor=_INK, capsize=2)
    axes.set(xlabel="percent of all contributions; lines: least and most in two weeks")
    return figure


def draw_importance(importance: Floats, *, names: Sequence[str], n_most: int = 20) -> Figure:
    """Share of the total gain by feature, the largest on top."""
    figure, axes = _start("What the trees look at", left_margin=0.36)
    order = np.argsort(importance)[-n_most:]
    axes.barh([names[i] for i in order], importance[order])
    axes.set(xlabel="share of the total gain")
    return figure


def draw_strengths(strengths: Sequence[float], log_likelihoods: Sequence[float]) -> Figure:
    """How well later activity is foretold by strength of shrinkage."""
    figure, axes = _start("Shrinkage to everybody's week")
    axes.plot(strengths, log_likelihoods, marker="o")
    axes.set(
        xscale="log",
        xlabel="pseudo-events of the population",
        ylabel="log-likelihood of a later event",
    )
    return figure


def draw_week(population: Sequence[float]) -> Figure:
    """Everybody's week: openness of each hour against the mean hour."""
    figure, axes = _start("Everybody's week, local time")
    week = np.asarray(population).reshape(len(_DAYS), 24) * N_WEEK_HOURS
    image = axes.imshow(week, aspect="auto", cmap="viridis")
    axes.set_yticks(range(len(_DAYS)), _DAYS)
    axes.set(xlabel="hour")
    figure.colorbar(image, label="times the mean hour")
    return figure


def _start(title: str, *, left_margin: float = 0.13) -> tuple[Figure, Axes]:
    # Margins are set by hand: a layout engine would draw every plot twice.
    figure = Figure(figsize=_SIZE)
    figure.subplots_adjust(left=left_margin, right=0.97, top=0.92, bottom=0.12)
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes
