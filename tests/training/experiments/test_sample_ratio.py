import numpy as np
import pytest
from scipy import stats

from features.errors import BadInputError
from features.vocabulary import Arm, Priority
from serving.policy.arms import assign_arm
from training.experiments.sample_ratio import check_sample_ratio, log_bayes_factor

SHARES = {Arm.LEARNED: 0.8, Arm.RANDOM: 0.05, Arm.RULES: 0.1, Arm.HOLDOUT: 0.05}
P = np.array(list(SHARES.values()))


def days(counts: np.ndarray) -> list[dict[Arm, int]]:
    return [dict(zip(SHARES, row.tolist(), strict=True)) for row in counts]


def test_check_sample_ratio_finds_a_planted_skew_and_says_which_arm() -> None:
    """A bug loses every fourth customer of the holdout: 5 % become 3.8 %."""
    rng = np.random.default_rng(1)
    counts = rng.multinomial(500, P, size=40)
    counts[:, 3] = rng.binomial(counts[:, 3], 0.75)

    found = check_sample_ratio(days(counts), shares=SHARES)

    assert found.is_alarm
    assert found.p_value < 0.001
    assert found.worst is Arm.HOLDOUT
    assert found.alarmed_at is not None
    before = check_sample_ratio(days(counts[: found.alarmed_at]), shares=SHARES)
    assert not before.is_alarm


def test_check_sample_ratio_rarely_alarms_however_often_one_looks_and_a_daily_test_does() -> None:
    alpha, n_runs = 0.05, 400
    rng = np.random.default_rng(2)
    ours = naive = 0
    for _ in range(n_runs):
        counts = rng.multinomial(200, P, size=60)
        ours += check_sample_ratio(days(counts), shares=SHARES, alpha=alpha).is_alarm
        totals = counts.cumsum(axis=0)
        expected = totals.sum(axis=1, keepdims=True) * P
        statistic = ((totals - expected) ** 2 / expected).sum(axis=1)
        naive += bool((stats.chi2.sf(statistic, len(P) - 1) < alpha).any())

    # At most alpha, with room for the luck of 400 runs; the naive way alarms far more often.
    assert ours / n_runs <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / n_runs)
    assert naive / n_runs > 3 * alpha


def test_log_bayes_factor_is_a_martingale_under_the_plan() -> None:
    """Its mean over one more customer, by the planned shares, is what it was."""
    totals = np.array([[70, 6, 13, 4]])
    now = float(np.exp(log_bayes_factor(totals, P))[0])
    then = np.exp(log_bayes_factor(totals + np.eye(4, dtype=np.int64), P))

    assert float(then @ P) == pytest.approx(now, rel=1e-9)


def test_arms_as_assigned_raise_no_alarm_under_any_salt() -> None:
    for salt in ("always-on", "spring", "2027"):
        looks = []
        for day in range(20):
            ids = [f"c{day}-{n}" for n in range(200)]
            arms = [
                assign_arm(i, experiment=salt, shares=SHARES, priority=Priority.LOW) for i in ids
            ]
            looks.append({arm: arms.count(arm) for arm in Arm})
        found = check_sample_ratio(looks, shares=SHARES)
        assert not found.is_alarm
        assert found.n == 4000


def test_arms_of_two_salts_are_independent() -> None:
    even = dict.fromkeys(Arm, 0.25)
    table = np.zeros((4, 4))
    for n in range(4000):
        pair = [
            list(Arm).index(
                assign_arm(f"c{n}", experiment=salt, shares=even, priority=Priority.LOW)
            )
            for salt in ("spring", "summer")
        ]
        table[pair[0], pair[1]] += 1

    assert stats.chi2_contingency(table).pvalue > 0.001


def test_check_sample_ratio_of_an_arm_without_a_share_is_an_alarm() -> None:
    shares = {Arm.LEARNED: 1.0, Arm.RANDOM: 0.0, Arm.RULES: 0.0, Arm.HOLDOUT: 0.0}

    assert not check_sample_ratio([{Arm.LEARNED: 10}], shares=shares).is_alarm
    assert check_sample_ratio([{Arm.LEARNED: 10, Arm.RULES: 1}], shares=shares).is_alarm


def test_check_sample_ratio_of_nobody_says_nothing() -> None:
    found = check_sample_ratio([], shares=SHARES)

    assert (found.n, found.p_value, found.is_alarm) == (0, 1.0, False)


def test_check_sample_ratio_names_every_fault() -> None:
    with pytest.raises(BadInputError, match=r"add up to 1.*alpha 2.*none below 0"):
        check_sample_ratio([{Arm.RULES: -1}], shares={Arm.RULES: 0.5}, alpha=2)
