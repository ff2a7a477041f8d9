import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from training.bandit.slots import explore_slots


@given(
    seed=st.integers(0, 1_000),
    share=st.floats(0.01, 1.0),
    n_slots=st.integers(1, 12),
)
def test_explore_slots_keeps_a_known_least_probability(
    seed: int, share: float, n_slots: int
) -> None:
    rng = np.random.default_rng(seed)
    worth, allowed = rng.normal(size=(20, n_slots)), rng.random((20, n_slots)) < 0.6
    p = explore_slots(worth, allowed=allowed, share=share)
    n_allowed = allowed.sum(axis=1)
    np.testing.assert_allclose(p.sum(axis=1), n_allowed > 0)
    assert (p[~allowed] == 0).all()
    least = (share / np.maximum(n_allowed, 1))[:, None]
    assert (p >= np.where(allowed, least, 0.0) - 1e-12).all()
    some = n_allowed > 0
    best = np.where(allowed, worth, -np.inf).argmax(axis=1)
    assert (p.argmax(axis=1) == best)[some & (n_allowed > 1) & (share < 0.99)].all()


def test_explore_slots_of_everything_is_even() -> None:
    p = explore_slots(np.array([[5.0, 1.0]]), allowed=np.ones((1, 2), bool), share=1.0)
    assert p.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_explore_slots_wants_a_share(share: float) -> None:
    with pytest.raises(BadInputError, match="share of slots"):
        explore_slots(np.ones((1, 2)), allowed=np.ones((1, 2), bool), share=share)


def test_explore_slots_wants_a_verdict_for_each_slot() -> None:
    with pytest.raises(BadInputError, match=r"\(1, 2\).*\(1, 3\)"):
        explore_slots(np.ones((1, 2)), allowed=np.ones((1, 3), bool), share=0.1)
