"""Models find what the simulated world hides, where the naive ways fail in the known direction."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables
from features.vocabulary import Channel, Outcome
from training.channel import TrainedChannel, train_channel
from training.churn import TrainedChurn, train_churn
from training.datasets.channel import ChannelDataset, build_channel_dataset
from training.datasets.churn import ChurnDataset, build_churn_dataset
from training.registry.servable import CHANNELS
from training.send_time import SendTimeDataset, build_send_time_dataset, train_send_time
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


def test_churn_model_finds_more_than_silence(tables: Tables, until: datetime) -> None:
    """Customers leave because of problems; silence is only a late sign of them."""
    dataset = build_churn_dataset(tables, known_until=until)
    assert isinstance(dataset, ChurnDataset)
    trained = train_churn(dataset, seed=1)
    assert isinstance(trained, TrainedChurn)
    assert trained.comparison.difference.auc.value > 0.02
    assert trained.comparison.difference.log_loss.value < 0
    assert trained.comparison.ours.calibration_error.value < 0.02


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


def test_send_time_model_finds_that_customers_differ(tables: Tables, until: datetime) -> None:
    dataset = build_send_time_dataset(tables, known_until=until)
    assert isinstance(dataset, SendTimeDataset)
    trained = train_send_time(dataset, seed=1)
    assert trained.over_population.high < 0
    assert trained.over_customer.high < 0


def _open_rate(tables: Tables, *, arm: str, channel: Channel) -> float:
    messages, outcomes = tables["messages"], tables["outcomes"]
    sent = messages[(messages["arm"] == arm) & (messages["channel"] == channel)]
    opened = outcomes[(outcomes["outcome"] == Outcome.OPENED) & ~outcomes["machine"]]
    shares: pd.Series[bool] = sent["message_id"].isin(opened["message_id"])
    return float(shares.mean())
