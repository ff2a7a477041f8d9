from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from features.tables import Tables
from features.vocabulary import Channel, Outcome, Trigger
from training.channel import (
    TrainedChannel,
    count_rates,
    estimate_values,
    judge_channel,
    judge_rates,
    score_channels,
    train_channel,
)
from training.datasets.channel import TARGETS, ChannelDataset, build_channel_dataset
from training.datasets.provenance import NotEnoughData
from training.registry.servable import CHANNELS, TRIGGERS


@pytest.fixture(scope="module")
def dataset(shop_tables: Tables, shop_end: datetime) -> ChannelDataset:
    built = build_channel_dataset(shop_tables, known_until=shop_end)
    assert isinstance(built, ChannelDataset)
    return built


@pytest.fixture(scope="module")
def trained(dataset: ChannelDataset) -> TrainedChannel:
    result = train_channel(dataset, seed=1)
    assert isinstance(result, TrainedChannel)
    return result


def predict(trained: TrainedChannel, outcome: Outcome, channel: Channel) -> float:
    X = trained.test.X
    sendings = trained.model.describe(
        X, channel=np.full(len(X), CHANNELS.index(channel)), trigger=Trigger.INACTIVITY
    )
    return float(trained.model.predict(outcome, sendings).mean())


def test_channel_model_finds_the_rate_of_every_channel(trained: TrainedChannel) -> None:
    truth = {Channel.EMAIL: 0.2, Channel.SMS: 0.4, Channel.PUSH: 0.1}
    for channel, rate in truth.items():
        assert predict(trained, Outcome.OPENED, channel) == pytest.approx(rate, rel=0.2)
    converted = [predict(trained, Outcome.CONVERTED, channel) for channel in truth]
    assert converted[0] > 1.5 * max(converted[1:])


def test_channel_model_learns_who_opens_where_constant_rates_cannot(
    trained: TrainedChannel,
) -> None:
    comparison = trained.by_outcome[Outcome.OPENED].comparison
    assert not isinstance(comparison, NotEnoughData)
    assert comparison.difference.log_loss.high < 0
    sms = next(
        score
        for score in score_channels(trained)
        if (score.outcome, score.channel) == (Outcome.OPENED, Channel.SMS)
    )
    assert sms.log_loss < sms.log_loss_baseline


def test_channel_model_of_an_outcome_that_never_happened_is_a_small_constant(
    trained: TrainedChannel,
) -> None:
    p = trained.by_outcome[Outcome.UNSUBSCRIBED].p_test
    assert 0 < p.max() < 0.001
    assert isinstance(trained.by_outcome[Outcome.UNSUBSCRIBED].comparison, NotEnoughData)
    assert set(trained.model.outcomes) == set(TARGETS)


def test_messages_that_nobody_told_of_are_not_messages_that_nobody_read(
    dataset: ChannelDataset,
) -> None:
    """Nor do deliveries, or what machines did, say that anybody would not read them."""
    never = np.zeros(len(dataset.channel), dtype=bool)
    silent = dict.fromkeys((Outcome.OPENED, Outcome.CLICKED, Outcome.CONVERTED), never)
    answer = train_channel(replace(dataset, targets={**dataset.targets, **silent}), seed=1)
    assert isinstance(answer, NotEnoughData)
    assert "unknown, not zero" in answer.reason


def test_channel_scores_cover_every_test_message_once_per_outcome(trained: TrainedChannel) -> None:
    for outcome in TARGETS:
        scores = [score for score in score_channels(trained) if score.outcome == outcome]
        assert sum(score.n_messages for score in scores) == len(trained.test.customers)
        assert sum(s.n_positives for s in scores) == trained.test.targets[outcome].sum()


def test_rates_are_counted_and_unseen_channels_get_the_rate_of_all(dataset: ChannelDataset) -> None:
    rates = count_rates(dataset).by_outcome[Outcome.OPENED]
    is_email = dataset.channel == CHANNELS.index(Channel.EMAIL)
    opened = dataset.targets[Outcome.OPENED]
    assert rates[CHANNELS.index(Channel.EMAIL)] == pytest.approx(opened[is_email].mean(), abs=1e-3)
    assert rates[CHANNELS.index(Channel.WHATSAPP)] == pytest.approx(opened.mean(), abs=1e-3)


def test_values_are_means_shrunk_to_the_mean_of_all(dataset: ChannelDataset) -> None:
    rows = np.arange(30)
    few = replace(
        dataset.take(np.arange(len(dataset.customers)) < 30),
        value_cents=np.where(rows < 20, 1000.0, 4000.0),
        trigger=np.where(
            rows < 20, TRIGGERS.index(Trigger.PRICE_DROP), TRIGGERS.index(Trigger.INACTIVITY)
        ),
    )
    values = estimate_values(few)
    assert values[Trigger.PRICE_DROP] == pytest.approx((20 * 1000 + 10 * 2000) / 30)
    assert values[Trigger.INACTIVITY] == pytest.approx((10 * 4000 + 10 * 2000) / 20)
    assert values[Trigger.ORDER_SHIPPED] == pytest.approx(2000)


def test_values_of_conversions_without_any_are_unknown_not_zero(dataset: ChannelDataset) -> None:
    unknown = replace(dataset, value_cents=np.full(len(dataset.customers), np.nan))
    assert estimate_values(unknown) == {}


def test_judged_losses_sum_over_outcomes(trained: TrainedChannel, dataset: ChannelDataset) -> None:
    judged = judge_channel(trained.model, trained.test)
    rated = judge_rates(trained.rates, trained.test)
    scores = score_channels(trained)
    n = len(trained.test.customers)
    assert judged.losses.mean() == pytest.approx(sum(s.log_loss * s.n_messages for s in scores) / n)
    assert rated.losses.mean() == pytest.approx(
        sum(s.log_loss_baseline * s.n_messages for s in scores) / n
    )
    assert judged.losses.mean() < rated.losses.mean()
