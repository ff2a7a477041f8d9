import numpy as np
import pytest

from features.errors import ConfigurationError
from training.evaluation import HeldOut, judge
from training.evaluation.capacity import Capacity, CapacityReport, measure_capacity
from training.measures import Bools, Floats


def hold_out(p: Floats, *, baseline: Floats, labels: Bools, n_lists: int = 1) -> HeldOut:
    n = len(p)
    days = np.datetime64("2026-01-01", "us") + np.arange(n_lists) * np.timedelta64(1, "D")
    return HeldOut(
        customers=np.array([f"c{i % (n // n_lists)}" for i in range(n)], dtype=object),
        moments=np.repeat(days, n // n_lists),
        ours=judge(p, labels=labels),
        baseline=judge(baseline, labels=labels),
        is_list=True,
    )


def measure(held_out: HeldOut, capacity: Capacity, *, seed: int = 1) -> CapacityReport:
    rng = np.random.default_rng(seed)
    return measure_capacity(held_out, outcome="", capacity=capacity, rng=rng, n_resamples=200)


def test_calls_are_the_most_likely_of_every_list() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(600)
    labels = rng.random(600) < p
    held_out = hold_out(p, baseline=rng.random(600), labels=labels, n_lists=3)
    report = measure(held_out, Capacity(n_customers=20))
    called = np.zeros(600, dtype=bool)
    for start in (0, 200, 400):
        called[start + np.argsort(-p[start : start + 200])[:20]] = True
    assert (report.n_lists, report.n_called) == (3, 60)
    assert report.ours.precision.value == pytest.approx(labels[called].mean())
    assert report.ours.recall.value == pytest.approx(labels[called].sum() / labels.sum())
    assert report.ours.lift.value == pytest.approx(labels[called].mean() / labels.mean())
    assert report.ours.precision.low < report.ours.precision.value < report.ours.precision.high
    assert report.gain.precision.low > 0
    assert report.baseline.lift.low < 1 < report.baseline.lift.high


def test_rows_tied_at_the_border_count_in_part() -> None:
    labels = np.array([True, False, False, False, True, False])
    held_out = hold_out(np.full(6, 0.5), baseline=np.full(6, 0.5), labels=labels)
    report = measure(held_out, Capacity(n_customers=3))
    assert report.ours.precision.value == pytest.approx(1 / 3)
    assert report.ours.recall.value == pytest.approx(1 / 2)
    assert report.ours.lift.value == pytest.approx(1.0)


def test_everybody_is_called_where_the_list_is_short() -> None:
    labels = np.array([True, False, False, False])
    report = measure(
        hold_out(np.linspace(0.1, 0.9, 4), baseline=np.full(4, 0.5), labels=labels),
        Capacity(n_customers=50),
    )
    assert report.n_called == 4
    assert report.ours.recall.value == 1.0


def test_interval_of_precision_covers_the_truth_about_as_often_as_it_says() -> None:
    n_covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.beta(1.0, 3.0, 1000)
        report = measure(hold_out(p, baseline=p, labels=rng.random(1000) < p), Capacity(share=0.1))
        truth = np.sort(p)[-100:].mean()
        n_covered += report.ours.precision.low <= truth <= report.ours.precision.high
    assert n_covered >= 34


@pytest.mark.parametrize(("text", "expected"), [("50", (50, None)), (" 10 % ", (None, 0.1))])
def test_capacity_is_a_number_or_a_share(text: str, expected: tuple[object, object]) -> None:
    capacity = Capacity.parse(text)
    assert (capacity.n_customers, capacity.share) == expected
    assert Capacity.parse(str(capacity)) == capacity


@pytest.mark.parametrize("text", ["0", "0%", "101%", "1.5", "-3", "many", ""])
def test_capacity_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="capacity"):
        Capacity.parse(text)
