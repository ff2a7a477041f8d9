"""What a case does is found against its holdout; who was treated and stayed says something else."""

import numpy as np
from scipy.special import expit

from features.uplift_groups import default_borders
from features.vocabulary import Factor, UpliftGroup
from training.case_effect import CaseLog, learn_case_effect, split_log
from training.datasets.provenance import NotEnoughData
from training.registry.servable import AtOpening, CaseModel
from training.registry.tracking import TrainingRecord

N = 6_000
BEGAN = np.datetime64("2025-01-01", "us")
FACTORS = (Factor.LOW_USAGE, Factor.SUPPORT_ISSUES, None)


def draw_customers(rng: np.random.Generator, n: int = N) -> AtOpening:
    return AtOpening(
        p_churn=expit(rng.normal(-1.2, 1.0, n)),
        n_refused=rng.choice([0.0, 1.0, 4.0], n, p=[0.6, 0.25, 0.15]),
        segments=[("basic", "pro", None)[at] for at in rng.integers(0, 3, n)],
        factors=[FACTORS[at] for at in rng.integers(0, 3, n)],
    )


def true_effect(customers: AtOpening, *, kept: float, woken: float) -> np.ndarray:
    """Change of the chance to stay: some who would leave are kept, some who refuse are woken."""
    p0 = customers.p_churn
    driven = np.where(customers.n_refused >= 3, woken, 0.0)
    return kept * (1 - driven) * np.maximum(p0 - np.median(p0), 0) - (1 - p0) * driven


def draw_log(
    seed: int, *, kept: float, woken: float = 0.0, later_kept: float | None = None, n: int = N
) -> CaseLog:
    """A year of cases with a fifth held out; contact may come to do something else in the end."""
    rng = np.random.default_rng(seed)
    customers = draw_customers(rng, n)
    acted = rng.random(n) < 0.8
    effect = true_effect(customers, kept=kept, woken=woken)
    if later_kept is not None:
        late = np.arange(n) >= 0.7 * n
        effect = np.where(late, true_effect(customers, kept=later_kept, woken=woken), effect)
    return CaseLog(
        customers=customers,
        customer_id=np.array([f"c{row}" for row in range(n)], dtype=object),
        opened_at=BEGAN + (np.arange(n) * (365 * 86_400_000_000 // n)).astype("timedelta64[us]"),
        acted=acted,
        lost=rng.random(n) < customers.p_churn - np.where(acted, effect, 0.0),
        horizon_days=60,
    )


def learn(log: CaseLog) -> TrainingRecord:
    record = learn_case_effect(log)
    assert isinstance(record, TrainingRecord)
    return record


def test_what_a_case_does_is_found_and_its_save_rate_is_not_it() -> None:
    record = learn(draw_log(1, kept=0.5, woken=0.3))
    model = record.model
    assert isinstance(model, CaseModel)
    fresh = draw_customers(np.random.default_rng(2), 1_000)
    truth, told = true_effect(fresh, kept=0.5, woken=0.3), model.effects(fresh)
    assert np.corrcoef(told.value[:, 0], truth)[0, 1] > 0.9
    assert abs(told.value.mean() - truth.mean()) < 0.03
    assert record.metrics["saved_low"] < truth.mean() < record.metrics["saved_high"]
    assert record.metrics["save_rate"] > truth.mean() + 0.5  # treated and stayed: most would have
    groups = told.find_groups(default_borders())
    refuses = fresh.n_refused >= 3
    assert np.mean(groups[refuses] == UpliftGroup.DO_NOT_DISTURB) > 0.9
    assert np.mean(groups[~refuses] == UpliftGroup.DO_NOT_DISTURB) < 0.05


def test_cases_that_do_nothing_are_found_to_do_next_to_nothing() -> None:
    record = learn(draw_log(3, kept=0.0))
    assert record.metrics["save_rate"] > 0.6  # so it looks
    assert abs(record.metrics["effect"]) < 0.03  # so it is


def test_no_case_by_which_the_model_was_made_judges_it() -> None:
    log = draw_log(5, kept=0.4)
    split = split_log(log)
    assert not isinstance(split, NotEnoughData)
    early, later = split
    assert early.told_at.max() <= later.opened_at.min()
    assert len(early) > N // 3
    assert len(later) == N - int(N * 0.7)


def test_too_few_cases_are_refused_with_their_numbers() -> None:
    lack = learn_case_effect(draw_log(6, kept=0.4, n=400))
    assert isinstance(lack, NotEnoughData)
    assert "cases held out among the latest 120 of 400" in lack.reason
    early = learn_case_effect(draw_log(6, kept=0.4, n=700))
    assert isinstance(early, NotEnoughData)
    assert "cases left alone" in early.reason
    nobody = np.array([], dtype=np.int64)
    none = learn_case_effect(draw_log(6, kept=0.4, n=10).take(nobody))
    assert isinstance(none, NotEnoughData)
    assert "no case has been watched" in none.reason
