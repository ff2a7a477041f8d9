import numpy as np
import pytest

from training.datasets.slices import SliceTable
from training.evaluation.clustered import Units, auc_of, mean_of
from training.evaluation.comparison import Window, evaluate
from training.evaluation.judged import Scored
from training.evaluation.slices import (
    compare_slices,
    correct_level,
    find_slices,
    measure_slices,
)
from training.measures import Floats, log_losses, make_auc

N = 6000


def draw_scored(seed: int, *, n: int = N) -> tuple[Scored, np.ndarray, SliceTable]:
    """True probabilities, two rows a customer, with a language and a segment of each."""
    rng = np.random.default_rng(seed)
    half = n // 2
    p = np.repeat(rng.beta(1.0, 4.0, half), 2)
    labels = np.repeat(rng.random(half), 2) < p
    language = np.repeat(rng.choice(["ru", "kk", "en"], half, p=[0.6, 0.3, 0.1]), 2)
    segment = np.repeat(rng.choice(["big", "small"], half), 2)
    table = SliceTable({"language": language.astype(object), "segment": segment.astype(object)})
    return Scored(p, labels), np.repeat(np.arange(half), 2).astype(str).astype(object), table


def spoil(scored: Scored, rows: np.ndarray) -> Scored:
    """In these rows every other one's probability, so that order is lost and the mean is kept."""
    p = scored.p.copy()
    p[rows] = np.random.default_rng(0).permutation(p[rows])
    return Scored(p, scored.labels)


def test_influence_gives_the_value_and_the_interval_of_the_bootstrap() -> None:
    scored, customers, _ = draw_scored(1, n=4000)
    everybody = np.ones(4000, dtype=bool)
    window = Window(scored.labels, customers)
    drawn = evaluate(scored.p, window=window, rng=np.random.default_rng(1), n_resamples=1000)
    units = Units.of(customers)
    losses = log_losses(scored.p, labels=scored.labels)
    for found, expected in (
        (auc_of(scored.p, labels=scored.labels, rows=everybody), drawn.auc),
        (mean_of(losses, rows=everybody), drawn.log_loss),
    ):
        estimate = units.estimate(found)
        assert estimate.value == pytest.approx(expected.value)
        width = expected.high - expected.low
        assert estimate.high - estimate.low == pytest.approx(width, rel=0.12)


def test_auc_of_tied_values_is_that_of_the_measure() -> None:
    rng = np.random.default_rng(2)
    p: Floats = rng.integers(0, 5, 300) / 5.0
    labels = rng.random(300) < p
    rows = rng.random(300) < 0.7
    expected = make_auc(p[rows], labels[rows])(np.ones(int(rows.sum())))
    found = auc_of(p, labels=labels, rows=rows)
    assert found.value == pytest.approx(expected)
    assert not found.influence[~rows].any()
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-12)


def test_slice_in_which_the_order_is_lost_stands_out_and_the_others_do_not() -> None:
    scored, customers, table = draw_scored(3)
    is_kk = table.values["language"] == "kk"
    report = measure_slices(spoil(scored, is_kk), drawn=customers, table=table)
    found = {(part.dimension, part.value): part for part in report.slices}
    kk = found["language", "kk"]
    assert kk.auc.stands_out
    assert kk.auc.here.low < 0.5 < kk.auc.here.high
    assert kk.auc.gap.high < -0.1
    assert not kk.calibration.stands_out
    assert kk.n_rows == is_kk.sum()
    assert not found["segment", "big"].auc.stands_out
    assert not found["segment", "small"].auc.stands_out


def test_slice_that_is_foretold_too_high_stands_out_in_calibration_alone() -> None:
    scored, customers, table = draw_scored(4)
    is_kk = table.values["language"] == "kk"
    p = np.where(is_kk, np.minimum(scored.p * 1.4, 0.99), scored.p)
    report = measure_slices(Scored(p, scored.labels), drawn=customers, table=table)
    kk = next(part for part in report.slices if part.value == "kk")
    assert kk.calibration.stands_out
    assert kk.calibration.here.low > 0
    assert not kk.auc.stands_out


def test_slices_of_a_true_model_stand_out_about_as_seldom_as_said() -> None:
    n_alarms = 0
    for seed in range(40):
        scored, customers, table = draw_scored(100 + seed, n=3000)
        report = measure_slices(scored, drawn=customers, table=table)
        n_alarms += any(part.calibration.stands_out for part in report.slices)
    assert n_alarms <= 6  # of 40; 5 % together are expected, 2 of 40


def test_small_slices_are_named_and_not_judged() -> None:
    scored, customers, table = draw_scored(5, n=1000)
    report = measure_slices(scored, drawn=customers, table=table)
    assert ("language", "en") in {(part.dimension, part.value) for part in report.too_small}
    assert ("language", "en") not in {(part.dimension, part.value) for part in report.slices}
    few_events = np.zeros(1000, dtype=bool)
    few_events[:15] = True
    large, small = find_slices(table, drawn=customers, labels=few_events)
    assert not large
    assert len(small) == 5


def test_paired_losses_find_the_slice_that_a_mean_hides() -> None:
    scored, customers, table = draw_scored(6)
    is_en = table.values["language"] == "en"
    spoiled = spoil(scored, is_en)
    ours, other = (log_losses(one.p, labels=one.labels) for one in (spoiled, scored))
    by_language = SliceTable({"language": table.values["language"]})
    found, _ = compare_slices(
        ours, other=other, drawn=customers, table=by_language, labels=scored.labels
    )
    worse = [part.name for part in found if part.difference.low > 0]
    assert worse == ["language en"]
    same = next(part for part in found if part.name == "language ru")
    assert (same.difference.value, same.difference.low, same.difference.high) == (0.0, 0.0, 0.0)


def test_many_slices_ask_for_wider_intervals() -> None:
    scored, customers, table = draw_scored(7)
    one = SliceTable({"segment": table.values["segment"]})
    losses = log_losses(scored.p, labels=scored.labels)
    other = np.random.default_rng(1).permutation(losses)
    wide, _ = compare_slices(losses, other=other, drawn=customers, table=table)
    narrow, _ = compare_slices(losses, other=other, drawn=customers, table=one)
    widths = [
        next(p.difference.high - p.difference.low for p in parts if p.name == "segment big")
        for parts in (wide, narrow)
    ]
    assert widths[0] > widths[1]
    assert correct_level(1) == 0.95
