import numpy as np
import pytest
from scipy import stats

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.policy import VariantPolicy
from training.bandit.rewards import Cell, Reward
from training.bandit.state import BanditState, Tally
from training.bandit.thompson import ThompsonSampling

CELL = Cell(Trigger.INACTIVITY, Channel.PUSH)
STATE = BanditState(
    tallies={(CELL, "a"): Tally(30, 270), (CELL, "b"): Tally(60, 340), (CELL, "c"): Tally(2, 200)}
)


def make_policy() -> VariantPolicy:
    return ThompsonSampling(STATE, floor=0.03)


def test_probabilities_keep_the_floor_and_prefer_the_better_variant() -> None:
    p = make_policy().probabilities(CELL, allowed=["a", "b", "c"])
    assert p.sum() == pytest.approx(1.0)
    assert p.min() == pytest.approx(0.01, abs=1e-6)
    assert p.argmax() == 1


def test_probabilities_come_in_the_order_of_what_is_allowed() -> None:
    policy = make_policy()
    ab = policy.probabilities(CELL, allowed=["a", "b"])
    ba = policy.probabilities(CELL, allowed=["b", "a"])
    np.testing.assert_allclose(ab, ba[::-1], atol=1e-9)


def test_forbidden_variant_gets_nothing_and_the_rest_share_it() -> None:
    assert make_policy().probabilities(CELL, allowed=["c"]).tolist() == [1.0]


def test_new_variant_starts_from_the_prior_and_is_tried() -> None:
    p = make_policy().probabilities(CELL, allowed=["a", "c", "new"])
    assert p[2] > p[1]
    assert p[2] > 0.05


def test_another_cell_has_learned_nothing() -> None:
    p = make_policy().probabilities(Cell(Trigger.INACTIVITY, Channel.EMAIL), allowed=["a", "b"])
    np.testing.assert_allclose(p, 0.5)


@pytest.mark.parametrize("allowed", [[], ["a", "a"]])
def test_probabilities_refuse_no_choice_and_a_repeated_one(allowed: list[str]) -> None:
    with pytest.raises(BadInputError, match="at least one and distinct"):
        make_policy().probabilities(CELL, allowed=allowed)


def test_policy_refuses_a_floor_that_leaves_nothing_to_learn() -> None:
    with pytest.raises(BadInputError, match="floor"):
        ThompsonSampling(STATE, floor=1.0)


def test_update_learns_and_leaves_the_old_policy_as_it_was() -> None:
    old = make_policy()
    before = old.probabilities(CELL, allowed=["a", "b"])
    rewards = [Reward(f"m{i}", CELL.trigger, CELL.channel, "a", True) for i in range(50)]
    new = old.update(rewards)
    assert new.version == old.version + 50
    assert new.probabilities(CELL, allowed=["a", "b"])[0] > before[0]
    np.testing.assert_array_equal(old.probabilities(CELL, allowed=["a", "b"]), before)


def test_probabilities_are_the_frequencies_of_thompson_sampling_itself() -> None:
    """Draw a rate per variant and take the best, but now and then any: as often as it says."""
    allowed, n = ["a", "b", "c", "new"], 200_000
    rng = np.random.default_rng(11)
    posteriors = np.array([STATE.posterior(CELL, name) for name in allowed])
    best = rng.beta(posteriors[:, 0], posteriors[:, 1], size=(n, len(allowed))).argmax(axis=1)
    chosen = np.where(rng.random(n) < 0.03, rng.integers(len(allowed), size=n), best)

    p = make_policy().probabilities(CELL, allowed=allowed)

    observed = np.bincount(chosen, minlength=len(allowed))
    assert stats.chisquare(observed, p * n).pvalue > 0.001
