"""States of releases up to 0.3 go on in the bandit of today."""

import json

import numpy as np
import pytest

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import contexts_of, make_trials
from training.bandit.contextual import ContextualBandit
from training.bandit.files import read_bandit
from training.bandit.rewards import Cell

CELL = Cell(Trigger.PRICE_DROP, Channel.EMAIL)


def write_state(*counts: tuple[str, int, int]) -> dict[str, object]:
    """A state as release 0.3.0 wrote it."""
    tallies = [
        {
            "trigger": "price_drop",
            "channel": "email",
            "variant": variant,
            "n_successes": n_successes,
            "n_failures": n_failures,
        }
        for variant, n_successes, n_failures in counts
    ]
    version = sum(n_successes + n_failures for _, n_successes, n_failures in counts)
    return {
        "format": "opportune.bandit/1",
        "version": version,
        "prior": {"alpha": 1.0, "beta": 19.0},
        "tallies": tallies,
    }


def test_counts_of_an_old_state_go_on_in_a_new_one() -> None:
    old = write_state(("a", 80, 920), ("b", 40, 960), ("c", 1, 19))
    bandit = read_bandit(json.dumps(old))
    assert isinstance(bandit, ContextualBandit)
    assert bandit.version == 2_020
    p = bandit.probabilities(contexts_of(CELL), arms=["a", "b", "c"])[0]
    assert p[0] > 0.6
    assert p[2] > 2 * p[1]  # tried twenty times, it may still be the best
    assert read_bandit(bandit.to_json()) == bandit
    more = make_trials(["b"] * 400, [True] * 200 + [False] * 200, cell=CELL)
    learned = bandit.update(more)
    assert learned.version == 2_420
    assert learned.probabilities(contexts_of(CELL), arms=["a", "b"])[0, 1] > 0.9


def test_counts_teach_what_the_trials_themselves_would_have_taught() -> None:
    counts = {"a": (30, 270), "b": (10, 90)}
    read = read_bandit(json.dumps(write_state(*((name, *each) for name, each in counts.items()))))
    names = [name for name, (won, lost) in counts.items() for _ in range(won + lost)]
    outcomes = [at < won for won, lost in counts.values() for at in range(won + lost)]
    told = ContextualBandit.start().update(make_trials(names, outcomes, cell=CELL))
    assert isinstance(read, ContextualBandit)
    x = np.eye(1, read.learner.designs.arms.shape[1])
    np.testing.assert_allclose(read.learner.score(x), told.learner.score(x), atol=1e-6)


def test_old_state_without_a_message_is_a_new_bandit() -> None:
    assert read_bandit(json.dumps(write_state())) == ContextualBandit.start()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"prior": None}, "prior"),
        ({"tallies": [{"variant": "a"}]}, r"tallies\.0"),
        ({"more": 1}, "more"),
        (write_state(("a", -1, 2)), "n_successes"),
        (write_state(("a", 1, 2), ("a", 1, 2)), "counted twice"),
    ],
)
def test_old_state_refuses_what_no_release_wrote(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadInputError, match=complaint):
        read_bandit(json.dumps({**write_state(), **change}))
