import numpy as np
import pytest

from training.benchmarks.models.judging import (
    Part,
    Reference,
    estimate_error_of_truth,
    judge_parts,
    make_figure,
    make_row,
    pool_parts,
    take_median,
)
from training.measures import make_auc, make_calibration_error


def draw_part(seed: int, *, n: int = 400) -> Part:
    rng = np.random.default_rng(seed)
    ours = rng.random(n)
    return Part(np.arange(n), rng.random(n) < ours, ours, rng.random(n))


def test_parts_are_judged_by_the_mean_and_on_the_same_draws() -> None:
    parts = [draw_part(1), draw_part(2)]
    figures = judge_parts(parts, make=make_auc, rng=np.random.default_rng(0))
    full = np.ones(400)
    aucs = [make_auc(part.ours, part.labels)(full) for part in parts]
    assert figures.ours.value == pytest.approx(np.mean(aucs))
    assert figures.difference.value == pytest.approx(figures.ours.value - figures.other.value)
    for estimate in (figures.ours, figures.other, figures.difference):
        assert estimate.low < estimate.value < estimate.high
    assert figures.difference.low > 0.2


def test_a_model_beside_itself_differs_by_nothing_in_every_draw() -> None:
    part = draw_part(1)
    same = Part(part.rows, part.labels, part.ours, part.ours)
    figures = judge_parts([same], make=make_auc, rng=np.random.default_rng(0))
    assert (figures.difference.low, figures.difference.high) == (0.0, 0.0)


def test_pooled_parts_keep_every_row() -> None:
    pooled = pool_parts([draw_part(1), draw_part(2, n=100)])
    assert len(pooled.labels) == len(pooled.ours) == len(pooled.rows) == 500


def test_median_is_of_values_and_ends_by_themselves() -> None:
    by_seed = [
        judge_parts([draw_part(seed)], make=make_auc, rng=np.random.default_rng(0))
        for seed in (1, 2, 3)
    ]
    median = take_median(by_seed)
    assert median.ours.value == sorted(f.ours.value for f in by_seed)[1]
    assert median.ours.low == sorted(f.ours.low for f in by_seed)[1]


def test_even_true_probabilities_show_some_error_and_more_on_fewer_rows() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(4_000)
    many, few = (estimate_error_of_truth(p[:n], rng=rng) for n in (4_000, 400))
    assert 0 < many < few
    wrong = make_calibration_error(p**2, rng.random(4_000) < p)(np.ones(4_000))
    assert wrong > 3 * many


def test_rows_say_what_stands_beside_them() -> None:
    estimate = judge_parts([draw_part(1)], make=make_auc, rng=np.random.default_rng(0)).ours
    row = make_row("case", "auc", estimate, beside=Reference(0.5, "chance"), n=3)
    assert row.ratio == pytest.approx(estimate.value / 0.5)
    alone = make_figure("case", "seconds", 2.0, beside=None, n=1, unit="s")
    assert (alone.reference, alone.ratio, alone.low) == (None, None, None)
