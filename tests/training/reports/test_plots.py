import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.reports.plots import (
    draw_calibration,
    draw_importance,
    draw_precision_recall,
    draw_strengths,
    draw_week,
)

RNG = np.random.default_rng(1)
P = RNG.random(200)
LABELS = RNG.random(200) < P


@pytest.mark.parametrize(
    "figure",
    [
        draw_calibration({"model": P, "baseline": np.full(200, 0.5)}, labels=LABELS),
        draw_precision_recall({"model": P}, labels=LABELS),
        draw_importance(np.array([0.7, 0.3, 0.0]), names=["a", "b", "c"]),
        draw_strengths([1.0, 10.0], [-5.0, -4.9]),
        draw_week([1 / 168] * 168),
    ],
    ids=["calibration", "precision and recall", "importance", "strengths", "week"],
)
def test_plot_is_a_picture_with_a_title_and_named_axes(figure: Figure) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")
    axes = figure.axes[0]
    assert axes.get_title()
    assert axes.get_xlabel()


def test_precision_recall_ends_at_the_base_rate() -> None:
    line = draw_precision_recall({"model": P}, labels=LABELS).axes[0].lines[0]
    recall, precision = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert recall[-1] == 1.0
    assert precision[-1] == pytest.approx(LABELS.mean())


def test_importance_shows_the_most_important_features_only() -> None:
    figure = draw_importance(np.arange(30) / 435, names=[f"f{i}" for i in range(30)], n_most=5)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["f25", "f26", "f27", "f28", "f29"]
