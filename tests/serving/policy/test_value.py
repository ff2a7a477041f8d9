"""The terms of a value, computed by hand."""

from collections.abc import Callable
from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from features.economics import default_economics
from features.vocabulary import Channel, Outcome, Trigger
from serving.policy.actions import propose_actions
from serving.policy.cases import HOUR_US, Cases
from serving.policy.settings import CHANNELS, PolicySettings
from serving.policy.value import value_actions
from training.registry.servable import (
    BoosterModel,
    Calibration,
    ChannelModel,
    FeatureSignature,
    SendTimeModel,
)

P = {Outcome.OPENED: 0.4, Outcome.CONVERTED: 0.02, Outcome.UNSUBSCRIBED: 0.003}
AMOUNT_CENTS = 5000.0


def constant(outcome: Outcome, p: float) -> BoosterModel:
    """A model that says the same of everybody."""
    rng = np.random.default_rng(1)
    data = lightgbm.Dataset(rng.normal(size=(50, 2)), rng.integers(0, 2, 50))
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, data, num_boost_round=1)
    signature = FeatureSignature(("channel", "trigger"), "x")
    calibration = Calibration(0.0, float(np.log(p / (1 - p))))
    return BoosterModel(outcome.value, "1", signature, booster.model_to_string(), calibration)


@pytest.fixture(scope="module")
def channel_model() -> ChannelModel:
    return ChannelModel(
        version="1",
        signature=FeatureSignature((), "x"),
        boosters={outcome: constant(outcome, p) for outcome, p in P.items()},
        mean_value_cents={Trigger.ABANDONED_CART: AMOUNT_CENTS},
    )


def everyone_at(hour: int) -> SendTimeModel:
    """Nine parts in ten of all activity in that hour of the day."""
    week = np.full(168, 0.1 / (168 - 7))
    week[hour::24] = 0.9 / 7
    return SendTimeModel("1", tuple(week), 1.0)


def test_value_actions_adds_up_marketing_by_hand(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.ABANDONED_CART)
    rule = settings.triggers[Trigger.ABANDONED_CART]
    grid = propose_actions(cases, settings=settings)
    values = value_actions(
        cases,
        grid,
        channel_model=channel_model,
        send_time_model=everyone_at(14),
        rule=rule,
        learned=settings.learned,
        economics=default_economics(),
    )
    sms = CHANNELS.index(Channel.SMS)
    slot = int(np.flatnonzero((grid.slots_us - cases.decided_at_us)[0] == 2 * HOUR_US)[0])  # 14:00

    terms = values.terms(0, sms, slot)

    openness = 0.9 / 7 * 168
    freshness = 2 ** (-2 / rule.half_life_hours)
    margin = AMOUNT_CENTS * 0.30 * settings.learned.incremental_share
    worth = P[Outcome.CONVERTED] * margin
    assert terms.outcome_cents == pytest.approx(worth * openness * freshness)
    assert terms.support_cents == 0.0
    assert terms.send_cents == 4.0
    months = 12 * settings.learned.messages_per_month
    assert terms.wearing_out_cents == pytest.approx(P[Outcome.UNSUBSCRIBED] * worth * months)
    assert values.net()[0, sms, slot] == pytest.approx(terms.net_cents)


def test_value_actions_counts_a_notice_on_two_channels_as_seen_on_either(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.DELIVERY_DELAY)
    rule = settings.triggers[Trigger.DELIVERY_DELAY]
    grid = propose_actions(cases, settings=settings)
    values = value_actions(
        cases,
        grid,
        channel_model=replace(channel_model, mean_value_cents={}),
        send_time_model=SendTimeModel("1", tuple(np.full(168, 1 / 168)), 1.0),
        rule=rule,
        learned=settings.learned,
        economics=default_economics(),
    )
    both = grid.sets.index((Channel.SMS, Channel.PUSH))

    terms = values.terms(0, both, 0)

    calls = rule.p_call * rule.prevented_share * 800
    assert terms.support_cents == pytest.approx((1 - 0.6 * 0.6) * calls)
    assert terms.outcome_cents == 0.0
    assert terms.send_cents == pytest.approx(4.02)
