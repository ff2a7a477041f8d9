"""Models find what the simulated world hides, where the naive ways fail in the known direction."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables
from features.vocabulary import Channel, Outcome
from training.benchmarks.models.world_send_time import (
    EVERYBODY,
    OURS,
    RAW,
    choose_hours,
    train_in,
)
from training.benchmarks.models.world_slots import (
    AT_ONCE,
    BEST,
    BY_DAY,
    PRESENCE_ALONE,
    choose_slots,
)
from training.channel import TrainedChannel, train_channel
from training.datasets.channel import ChannelDataset, build_channel_dataset
from training.registry.servable import CHANNELS
from training.send_time import TrainedSendTime
from training.world.mail.response import CHANNEL_TRAITS
from training.world.simulated import SimulatedWorld


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=1, n_customers=4_000, days=180)


@pytest.fixture(scope="module")
def tables(world: SimulatedWorld) -> Tables:
    return world.tables(world.start)


@pytest.fixture(scope="module")
def until(world: SimulatedWorld) -> datetime:
    return world.start


@pytest.fixture(scope="module")
def send_time(tables: Tables, until: datetime) -> TrainedSendTime:
    return train_in(tables, known_until=until, seed=1)


def test_channel_model_finds_the_rates_that_the_rules_hide(tables: Tables, until: datetime) -> None:
    """The rules send what is opened anyway (a parcel is on its way) by SMS: its raw rate shines."""
    dataset = build_channel_dataset(tables, known_until=until)
    assert isinstance(dataset, ChannelDataset)
    assert dataset.randomised
    trained = train_channel(dataset, seed=1)
    assert isinstance(trained, TrainedChannel)
    fit, test = trained.by_outcome[Outcome.OPENED], trained.test
    channels = (Channel.EMAIL, Channel.SMS, Channel.PUSH)
    rows = [test.channel == CHANNELS.index(channel) for channel in channels]
    truth = np.array([test.targets[Outcome.OPENED][mine].mean() for mine in rows])
    foretold = np.array([fit.p_test[mine].mean() for mine in rows])
    naive = np.array([_open_rate(tables, arm="rules", channel=channel) for channel in channels])
    np.testing.assert_array_equal(np.argsort(foretold), np.argsort(truth))
    assert np.abs(foretold - truth).max() < np.abs(naive - truth).max() / 2
    assert naive[1] > truth[1] + 0.04
    assert naive[0] - naive[1] < (truth[0] - truth[1]) / 2


def test_send_time_model_finds_that_customers_differ(send_time: TrainedSendTime) -> None:
    trained = send_time
    assert trained.over_population.high < 0
    assert trained.over_customer.high < 0
    # One strength for all misses that weeks differ in a few ways: it can hardly help.
    assert trained.over_pooled.high < -0.1


def test_send_time_model_chooses_hours_nearly_as_well_as_who_knows_them(
    world: SimulatedWorld, tables: Tables, send_time: TrainedSendTime
) -> None:
    chosen = choose_hours(world, tables, model=send_time.model, allowed=BY_DAY)
    everybody = chosen.by_choice[EVERYBODY]
    assert chosen.share_of_value(OURS) > 0.93
    assert chosen.share_of_gain(OURS, over=chosen.even) > 0.8
    assert chosen.share_of_gain(OURS, over=everybody) > 0.7
    # The customer's own counts are too few to choose by.
    assert chosen.share_of_gain(RAW, over=everybody) < 0.5
    assert chosen.share_of_value(RAW) < 0.88


def test_send_time_model_knows_when_waiting_pays(
    world: SimulatedWorld, tables: Tables, send_time: TrainedSendTime
) -> None:
    cents = choose_slots(world, tables, model=send_time.model)
    assert cents[OURS] > cents[AT_ONCE] + 0.5 * (cents[BEST] - cents[AT_ONCE])
    # Who takes presence for the effect of the hour waits too long.
    assert cents[OURS] > cents[PRESENCE_ALONE]


def test_send_time_model_finds_what_the_hour_does_to_a_message(send_time: TrainedSendTime) -> None:
    response = send_time.response
    assert response.is_causal
    truth = {channel: traits.hour_gain for channel, traits in CHANNEL_TRAITS.items()}
    pooled = np.mean(list(truth.values()))
    assert abs(response.pooled.value - pooled) < 3 * response.pooled.error
    # "Who is there reads" would be 1, and would send everything in the best hour.
    assert response.pooled.value + 3 * response.pooled.error < 1.0
    for channel, learned in response.responses.items():
        assert abs(learned.slope - truth[channel]) < 0.25
        assert learned.attention < 0.2  # opens of the world ignore the hour
        ages = np.array([1.0, 24.0])
        np.testing.assert_allclose(learned.p_read_within(ages), [0.26, 0.71], atol=0.06)


def _open_rate(tables: Tables, *, arm: str, channel: Channel) -> float:
    messages, outcomes = tables["messages"], tables["outcomes"]
    sent = messages[(messages["arm"] == arm) & (messages["channel"] == channel)]
    opened = outcomes[(outcomes["outcome"] == Outcome.OPENED) & ~outcomes["machine"]]
    shares: pd.Series[bool] = sent["message_id"].isin(opened["message_id"])
    return float(shares.mean())
