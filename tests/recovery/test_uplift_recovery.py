"""Who is moved is found in a world whose truth is known, where a response model misses it."""

import pytest

from training.benchmarks.models.world_uplift import (
    MARKETING,
    Ranking,
    rank,
    score_pairs,
    train_in,
)
from training.world.simulated import SimulatedWorld
from training.world.truth_uplift import watch_effects


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    world = SimulatedWorld(seed=5, n_customers=3_000, days=150)
    trained = train_in(world, seed=5)
    effects = watch_effects(world, days=3, triggers=MARKETING)
    return rank(effects, score_pairs(world, trained, effects), triggers=MARKETING)


def test_uplift_model_ranks_who_is_moved_nearly_as_the_oracle_does(ranking: Ranking) -> None:
    assert ranking.n_pairs > 2_000
    assert ranking.model > 0.6


def test_response_model_ranks_who_acts_anyway(ranking: Ranking) -> None:
    assert ranking.response < 0.6
    assert ranking.response < ranking.model - 0.2
