from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import contexts_of, make_trials
from training.bandit.policy import Floats, VariantPolicy
from training.bandit.rewards import Cell
from training.bandit.state import BanditState, Tally
from training.bandit.thompson import ThompsonSampling

CELL = Cell(Trigger.INACTIVITY, Channel.PUSH)
STATE = BanditState(
    tallies={(CELL, "a"): Tally(30, 270), (CELL, "b"): Tally(60, 340), (CELL, "c"): Tally(2, 200)}
)


def make_policy() -> VariantPolicy:
    return ThompsonSampling(STATE, floor=0.03)


def ask(policy: VariantPolicy, arms: Sequence[str], *, cell: Cell = CELL) -> Floats:
    answer: Floats = policy.probabilities(contexts_of(cell), arms=arms)[0]
    return answer


def test_probabilities_keep_the_floor_and_prefer_the_better_variant() -> None:
    p = ask(make_policy(), ["a", "b", "c"])
    assert p.sum() == pytest.approx(1.0)
    assert p.min() == pytest.approx(0.01, abs=1e-6)
    assert p.argmax() == 1


def test_probabilities_come_in_the_order_of_what_is_allowed() -> None:
    policy = make_policy()
    ab = ask(policy, ["a", "b"])
    ba = ask(policy, ["b", "a"])
    np.testing.assert_allclose(ab, ba[::-1], atol=1e-9)


def test_forbidden_variant_gets_nothing_and_the_rest_share_it() -> None:
    assert ask(make_policy(), ["c"]).tolist() == [1.0]


def test_new_variant_starts_from_the_prior_and_is_tried() -> None:
    p = ask(make_policy(), ["a", "c", "new"])
    assert p[2] > p[1]
    assert p[2] > 0.05


def test_another_cell_has_learned_nothing() -> None:
    p = ask(make_policy(), ["a", "b"], cell=Cell(Trigger.INACTIVITY, Channel.EMAIL))
    np.testing.assert_allclose(p, 0.5)


@pytest.mark.parametrize("allowed", [[], ["a", "a"]])
def test_probabilities_refuse_no_choice_and_a_repeated_one(allowed: list[str]) -> None:
    with pytest.raises(BadInputError, match="at least one and distinct"):
        ask(make_policy(), allowed)


def test_policy_refuses_a_floor_that_leaves_nothing_to_learn() -> None:
    with pytest.raises(BadInputError, match="floor"):
        ThompsonSampling(STATE, floor=1.0)


def test_update_learns_from_closed_windows_and_leaves_the_old_policy_as_it_was() -> None:
    old = make_policy()
    before = ask(old, ["a", "b"])
    new = old.update(make_trials(["a"] * 50, [True] * 50, cell=CELL))
    assert new.version == old.version + 50
    assert ask(new, ["a", "b"])[0] > before[0]
    np.testing.assert_array_equal(ask(old, ["a", "b"]), before)
    young = make_trials(["a"] * 50, [True] * 50, cell=CELL, age=0.5)
    assert old.update(young).version == old.version


def test_forbidden_variant_of_a_row_gets_nothing() -> None:
    allowed = np.array([[True, False, True], [True, True, True]])
    p = make_policy().probabilities(contexts_of(CELL, 2), arms=["a", "b", "c"], allowed=allowed)
    assert p[0, 1] == 0.0
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_allclose(p[0, [0, 2]], ask(make_policy(), ["a", "c"]))
    np.testing.assert_allclose(p[1], ask(make_policy(), ["a", "b", "c"]))


def test_probabilities_are_the_frequencies_of_thompson_sampling_itself() -> None:
    """Draw a rate per variant and take the best, but now and then any: as often as it says."""
    allowed, n = ["a", "b", "c", "new"], 200_000
    rng = np.random.default_rng(11)
    posteriors = np.array([STATE.posterior(CELL, name) for name in allowed])
    best = rng.beta(posteriors[:, 0], posteriors[:, 1], size=(n, len(allowed))).argmax(axis=1)
    chosen = np.where(rng.random(n) < 0.03, rng.integers(len(allowed), size=n), best)

    p = ask(make_policy(), allowed)

    observed = np.bincount(chosen, minlength=len(allowed))
    assert stats.chisquare(observed, p * n).pvalue > 0.001
