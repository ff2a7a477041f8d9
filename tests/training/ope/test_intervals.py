import dataclasses

import numpy as np
import pytest

from features.errors import BadInputError
from training.measures import Floats
from training.ope.direct import (
    SameActions,
    assign_blocks,
    assign_folds,
    expect_across,
    expect_ahead,
    expect_squares,
)
from training.ope.estimators import Estimator, estimate_parts
from training.ope.intervals import (
    Range,
    bernstein_interval,
    bootstrap_interval,
    clopper_pearson_interval,
    martingale_interval,
    normal_interval,
    sequence_interval,
)
from training.ope.overlap import Overlap, OverlapBounds, ThinOverlap, require_overlap
from training.ope.tuning import TuningRule, estimate_tuned
from training.ope.weighted import ExpectedWeights, WeightedLog, weigh

UNIT = Range(0.0, 1.0)


def make_plain(
    rewards: Floats, *, weights: Floats | None = None, per_customer: int = 1
) -> WeightedLog:
    n = len(rewards)
    return WeightedLog(
        rewards,
        np.ones(n) if weights is None else weights,
        None,
        (np.arange(n) // per_customer).astype(object),
        np.ones(n, dtype=bool),
    )


def test_clopper_pearson_is_exact_for_equal_weights() -> None:
    rewards = np.zeros(20)
    rewards[:3] = 1
    found = clopper_pearson_interval(make_plain(rewards), rewards=UNIT)
    assert (found.low, found.high) == pytest.approx((0.03207, 0.37893), abs=1e-5)


def test_bernstein_holds_with_few_rows_where_the_normal_interval_does_not() -> None:
    rng = np.random.default_rng(0)
    held = {"normal": 0, "bernstein": 0, "clopper": 0}
    for _ in range(400):
        log = make_plain((rng.random(30) < 0.03).astype(float))
        normal = normal_interval(estimate_parts(log, by=Estimator.IPS), customers=log.customers)
        held["normal"] += normal.low <= 0.03 <= normal.high
        for name, interval in (
            ("bernstein", bernstein_interval(log, rewards=UNIT)),
            ("clopper", clopper_pearson_interval(log, rewards=UNIT)),
        ):
            held[name] += interval.low <= 0.03 <= interval.high
    assert held["bernstein"] >= 380
    assert held["clopper"] >= 380
    assert held["normal"] < 300


def test_rewards_of_any_range_are_scaled_back() -> None:
    rng = np.random.default_rng(1)
    rewards = rng.uniform(-5, 15, 500)
    log, wide = make_plain(rewards), Range(-5.0, 15.0)
    for found in (
        bernstein_interval(log, rewards=wide),
        clopper_pearson_interval(log, rewards=wide),
    ):
        assert found.value == pytest.approx(rewards.mean())
        assert -5 <= found.low < found.value < found.high <= 15


def test_rows_of_one_customer_widen_every_interval() -> None:
    rng = np.random.default_rng(2)
    rewards = np.repeat(rng.normal(size=200), 5)
    alone, together = make_plain(rewards), make_plain(rewards, per_customer=5)
    noise = np.full(1_000, 1.0)
    for ratio in (
        _width(alone, together, noise, "normal"),
        _width(alone, together, noise, "martingale"),
        _width(alone, together, noise, "anytime"),
        _width(alone, together, noise, "bootstrap"),
    ):
        assert ratio == pytest.approx(np.sqrt(5), rel=0.15)


def _width(alone: WeightedLog, together: WeightedLog, noise: Floats, kind: str) -> float:
    widths = []
    for log in (alone, together):
        parts = estimate_parts(log, by=Estimator.IPS)
        found = {
            "normal": lambda p=parts, o=log: normal_interval(p, customers=o.customers),
            "martingale": lambda p=parts, o=log: martingale_interval(
                p, noise=noise, customers=o.customers
            ),
            "anytime": lambda p=parts, o=log: sequence_interval(p, customers=o.customers),
            "bootstrap": lambda p=parts, o=log: bootstrap_interval(
                p, customers=o.customers, rng=np.random.default_rng(0)
            ),
        }[kind]()
        widths.append(found.high - found.low)
    return widths[1] / widths[0]


def test_sequence_may_be_watched_where_the_normal_interval_may_not() -> None:
    rng = np.random.default_rng(3)
    missed = {"normal": 0, "anytime": 0}
    for _ in range(150):
        rows = rng.normal(size=2_000)
        looks = range(100, 2_001, 50)
        log = make_plain(rows)
        parts = [estimate_parts(log.take(np.arange(n)), by=Estimator.IPS) for n in looks]
        sequences = [
            sequence_interval(one, customers=log.customers[:n], tuned_to=500)
            for one, n in zip(parts, looks, strict=True)
        ]
        missed["anytime"] += any(not one.low <= 0 <= one.high for one in sequences)
        halves = [1.96 * rows[:n].std() / np.sqrt(n) for n in looks]
        missed["normal"] += any(
            abs(rows[:n].mean()) > half for n, half in zip(looks, halves, strict=True)
        )
    assert missed["anytime"] <= 150 * 0.05 + 5
    assert missed["normal"] > 30


def test_thin_overlap_is_refused_with_every_reason() -> None:
    thin = WeightedLog(
        np.zeros(100),
        np.where(np.arange(100) == 0, 50.0, 0.0),
        None,
        np.arange(100).astype(object),
        np.arange(100) < 80,
    )
    found = require_overlap(thin)
    assert isinstance(found, ThinOverlap)
    assert found.overlap.n_effective == pytest.approx(1.0)
    assert "in 20.0% of the 100 decisions" in found.reasons[0]
    assert "as much about it as 1 customers" in found.reasons[1]
    assert "one customer has 100% of all weight" in found.reasons[2]
    assert isinstance(require_overlap(thin.take(np.arange(0))), ThinOverlap)


def test_wrong_logged_probabilities_show_in_the_mean_weight() -> None:
    rng = np.random.default_rng(4)
    weights = rng.choice([0.5, 1.5], 5_000)
    right = require_overlap(make_plain(np.zeros(5_000), weights=weights))
    wrong = require_overlap(make_plain(np.zeros(5_000), weights=weights * 1.5))
    assert isinstance(right, Overlap)
    assert isinstance(wrong, ThinOverlap)
    assert "the logged probabilities are wrong" in wrong.reasons[0]
    loose = OverlapBounds(max_errors=1_000.0)
    assert isinstance(
        require_overlap(make_plain(np.zeros(5_000), weights=weights * 1.5), bounds=loose), Overlap
    )


def test_what_could_not_be_logged_does_not_make_the_probabilities_wrong() -> None:
    """Of a target half of which has no support, half of the weight is missing at most."""
    rng = np.random.default_rng(4)
    half = make_plain(np.zeros(5_000), weights=rng.choice([0.0, 1.0], 5_000))
    thin = WeightedLog(
        half.rewards, half.weights, None, half.customers, np.zeros(5_000, dtype=bool)
    )
    found = require_overlap(thin)
    assert isinstance(found, ThinOverlap)
    assert [("could not have been logged" in why) for why in found.reasons] == [True]


def test_tuned_clipping_leaves_the_logging_policy_as_it_is() -> None:
    rng = np.random.default_rng(8)
    log = make_plain(rng.normal(1.0, 3.0, 500))
    whole = normal_interval(estimate_parts(log, by=Estimator.IPS), customers=log.customers)
    for rule in TuningRule:
        tuned = estimate_tuned(log, by=Estimator.CLIPPED, rule=rule, rng=rng, whole=whole)
        assert tuned.estimate.value == pytest.approx(whole.value)


def test_model_of_the_rows_before_knows_nothing_of_the_rows_after() -> None:
    rng = np.random.default_rng(5)
    contexts = np.column_stack([np.ones(400), rng.normal(size=400)])
    actions, rewards = rng.integers(3, size=400), rng.normal(size=400)
    model, blocks = SameActions(contexts, actions, 3), assign_blocks(400)
    ahead = expect_ahead(model, rewards, blocks=blocks)
    later = rewards.copy()
    later[200:] += 10
    changed = expect_ahead(model, later, blocks=blocks)
    assert np.array_equal(ahead[:220], changed[:220])
    assert not np.allclose(ahead[220:], changed[220:])
    assert (ahead[blocks == 0] == 0).all()


def test_folds_keep_customers_together_and_leave_out_the_row() -> None:
    rng = np.random.default_rng(6)
    customers = rng.integers(50, size=400).astype(object)
    folds = assign_folds(customers, n_folds=3, rng=rng)
    assert all(len(set(folds[customers == one])) == 1 for one in set(customers))
    contexts = np.ones((400, 1))
    rewards = np.where(folds == 0, 1.0, 0.0)
    model = SameActions(contexts, np.zeros(400, dtype=int), 1)
    expected = expect_across(model, rewards, folds=folds)
    assert (expected[folds == 0] == 0).all()
    assert (expect_squares(model, rewards, expected=expected) > 0).all()


def test_tuned_interval_is_never_narrower_than_the_untuned_one() -> None:
    rng = np.random.default_rng(7)
    weights = rng.lognormal(-0.5, 1.0, 2_000)
    log = make_plain((rng.random(2_000) < 0.2).astype(float), weights=weights)
    whole = normal_interval(estimate_parts(log, by=Estimator.IPS), customers=log.customers)
    for rule in TuningRule:
        tuned = estimate_tuned(log, by=Estimator.CLIPPED, rule=rule, rng=rng, whole=whole)
        assert tuned.estimate.low <= min(whole.low, tuned.estimate.value)
        assert tuned.estimate.high >= max(whole.high, tuned.estimate.value)
    with pytest.raises(BadInputError, match="ips has no strength"):
        estimate_tuned(log, by=Estimator.IPS, rule=TuningRule.SLOPE, rng=rng, whole=whole)


def make_unlucky(*, wrong_by: float = 1.0) -> WeightedLog:
    """Half of the rows might have had a weight of 1,000, and none of them did."""
    is_even = np.arange(4_000) % 2 == 0
    p_logged = np.where(is_even[:, None], [0.5, 0.5], [0.001, 0.999])
    actions = np.where(is_even, np.arange(4_000) // 2 % 2, 1)
    rewards = np.where(is_even, 1.0 + 0.1 * np.sin(np.arange(4_000)), 0.0)
    log = weigh(
        actions,
        rewards,
        p_logged=p_logged,
        p_target=np.tile([1.0, 0.0], (4_000, 1)),
        expected=np.zeros((4_000, 2)),
        squares=np.ones((4_000, 2)),
    )
    return dataclasses.replace(log, weights=wrong_by * log.weights)


def test_true_probabilities_are_not_called_wrong_where_large_weights_were_not_drawn() -> None:
    """What was drawn strays by .016 and is off by half; .35 was to be expected."""
    log = make_unlucky()
    drawn = log.weights.std() / np.sqrt(log.n)
    assert 1.0 - log.weights.mean() > 5.0 * drawn
    found = require_overlap(log)
    assert isinstance(found, Overlap)
    assert found.mean_weight == pytest.approx(0.5)
    assert found.mean_weight_error == pytest.approx(np.sqrt(2_000 * (1.0 + 999.0)) / 4_000)
    wrong = require_overlap(make_unlucky(wrong_by=7.0))
    assert isinstance(wrong, ThinOverlap)
    (reason,) = wrong.reasons
    assert reason == (
        "the mean weight is 3.500 (standard error 0.354) where true probabilities give 1.000: "
        "the logged probabilities are wrong"
    )


def test_expected_weights_allow_for_what_could_not_be_logged() -> None:
    p_logged = np.tile([0.5, 0.5, 0.0], (10, 1))
    p_target = np.tile([0.6, 0.2, 0.2], (10, 1))
    log = weigh(np.zeros(10, dtype=int), np.zeros(10), p_logged=p_logged, p_target=p_target)
    expected = log.take(np.arange(4)).expected_weights
    assert isinstance(expected, ExpectedWeights)
    assert expected.mean == pytest.approx(np.full(4, 0.8))
    assert expected.variance == pytest.approx(np.full(4, 0.72 + 0.08 - 0.64))


def test_anytime_interval_is_wider_than_the_one_for_one_look_where_no_large_weight_came() -> None:
    log = make_unlucky()
    assert log.expected is not None
    assert log.expected.noise is not None
    parts = estimate_parts(log, by=Estimator.DR)
    once = martingale_interval(parts, noise=log.expected.noise, customers=log.customers)
    anytime = sequence_interval(parts, noise=log.expected.noise, customers=log.customers)
    of_what_came = sequence_interval(parts, customers=log.customers)
    assert anytime.high - anytime.low > once.high - once.low
    assert of_what_came.high - of_what_came.low < (once.high - once.low) / 3
    calm = sequence_interval(parts, noise=np.zeros(log.n), customers=log.customers)
    assert calm == of_what_came


def test_one_customer_says_nothing_of_others() -> None:
    log = make_plain(np.array([1.0, 0.0, 1.0]), per_customer=3)
    parts = estimate_parts(log, by=Estimator.IPS)
    for interval in (normal_interval, sequence_interval):
        found = interval(parts, customers=log.customers)
        assert (found.value, found.low, found.high) == (pytest.approx(2 / 3), -np.inf, np.inf)
