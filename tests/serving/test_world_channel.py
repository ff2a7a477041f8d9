"""The choice of channels against the world's truth, where naive choices fail."""

import numpy as np
import pytest

from serving.benchmarks.channel_occasions import Occasions, collect_occasions
from serving.benchmarks.world_channel import (
    BEST,
    EVEN,
    FULL,
    OURS,
    RAW,
    RAW_RULES,
    RULES,
    ChosenChannels,
    choose_channels,
)
from serving.policy.settings import CHANNELS
from training.world.simulated import SimulatedWorld


@pytest.fixture(scope="module")
def chosen() -> ChosenChannels:
    return choose_channels(SimulatedWorld(seed=3, n_customers=3_000, days=120), seed=3)


def test_channels_are_chosen_nearly_as_well_as_by_who_knows_what_stays(
    chosen: ChosenChannels,
) -> None:
    """A small world: the figure of a large one is in docs/channels.md."""
    assert chosen.share_of_value(OURS) > 0.85
    assert chosen.share_of_gain(OURS) > 0.6
    assert chosen.share_of_value(FULL) > 1.0
    assert chosen.share_of_gain(BEST) == 1.0
    assert chosen.share_of_gain(EVEN) == 0.0


@pytest.mark.parametrize("naive", [RULES, RAW, RAW_RULES])
def test_naive_choices_of_channels_get_little_of_the_gain(
    chosen: ChosenChannels, naive: str
) -> None:
    """Opens are reported less often than read on some channels; rates hide who likes what."""
    assert chosen.share_of_gain(naive) < 0.5
    assert chosen.share_of_gain(naive) < chosen.share_of_gain(OURS) - 0.2


def test_what_stays_foretells_the_value_of_the_moment() -> None:
    world = SimulatedWorld(seed=4, n_customers=1_000, days=40)
    tables = world.tables(world.start)
    everybody = frozenset(tables["customers"]["customer_id"])
    occasions: Occasions = collect_occasions(world, tables, customer_ids=everybody, n_rounds=4)
    assert occasions.allowed.any(axis=1).all()
    hours = occasions.reasons["send_at"].dt.tz_convert("UTC")
    assert (hours >= occasions.reasons["as_of"]).all()
    for at, channel in enumerate(CHANNELS):
        rows = occasions.allowed[:, at]
        pair = occasions.constant_cents[rows, at], occasions.true_cents[rows, at]
        assert np.corrcoef(*pair)[0, 1] > 0.6, channel
        assert pair[0].mean() == pytest.approx(pair[1].mean(), rel=0.5), channel
    best = occasions.constant_cents.argmax(axis=1)
    rows = np.arange(len(best))
    assert occasions.true_cents[rows, best].mean() > 1.3 * occasions.true_cents.mean()
