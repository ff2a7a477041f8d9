"""The terms of a value, computed by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features.channel_priors import default_channel_priors
from features.economics import default_economics
from features.vocabulary import Channel, Outcome, Trigger
from serving.policy.actions import propose_actions
from serving.policy.cases import HOUR_US, Cases
from serving.policy.settings import CHANNELS, PolicySettings
from serving.policy.value import value_actions, value_channels
from training.registry.servable import (
    ORDERS,
    Calibration,
    ChannelModel,
    FeatureSignature,
    OrderHabits,
    SendTimeModel,
)

P = {Outcome.OPENED: 0.4, Outcome.CONVERTED: 0.02, Outcome.UNSUBSCRIBED: 0.003}
AMOUNT_CENTS = 5000.0


@pytest.fixture(scope="module")
def channel_model() -> ChannelModel:
    """A model that says the same of everybody, whatever the channel."""
    model = ChannelModel.from_priors(default_channel_priors(), signature=FeatureSignature((), "x"))
    outcomes = {**model.outcomes}
    for outcome, p in P.items():
        calibration = (Calibration(0.0, float(np.log(p / (1 - p)))),) * len(CHANNELS)
        outcomes[outcome] = replace(outcomes[outcome], calibration=calibration)
    return replace(
        model, outcomes=outcomes, mean_value_cents={Trigger.ABANDONED_CART: AMOUNT_CENTS}
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


def test_value_actions_counts_who_is_kept_and_who_is_annoyed(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.CHURN_RISK)
    rule = settings.triggers[Trigger.CHURN_RISK]
    acted = dict.fromkeys(Channel, 1.0) | {Channel.PUSH: 2.0, Channel.SMS: 9.0}
    net = value_channels(
        cases,
        channel_model=replace(channel_model, monthly_cents=1000.0, acted_per_open=acted),
        rule=rule,
        learned=settings.learned,
        economics=default_economics(),
    )
    customer = 1000.0 * 0.30 * 12
    annoyed = P[Outcome.UNSUBSCRIBED] * settings.learned.lost_per_unsubscribe * customer
    p_seen = {Channel.EMAIL: 0.4, Channel.PUSH: 0.8, Channel.SMS: 1.0}
    for channel, seen in p_seen.items():
        kept = seen * rule.kept_share * customer
        cost = default_economics().send_cost_cents(channel)
        assert net[0, CHANNELS.index(channel)] == pytest.approx(kept - cost - annoyed)


def test_value_channels_weighs_a_customer_by_own_orders(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    """Who orders twice as often is worth twice as much to keep; who is unknown, the mean."""
    cases = one_case(Trigger.CHURN_RISK)
    model = replace(
        channel_model,
        signature=FeatureSignature((ORDERS,), "x"),
        monthly_cents=1000.0,
        acted_per_open=dict.fromkeys(Channel, 1.0),
        orders=OrderHabits(mean=2.0, shape=1.0),
    )

    def value(orders: float) -> float:
        net = value_channels(
            replace(cases, engagement=np.array([[orders]])),
            channel_model=model,
            rule=settings.triggers[Trigger.CHURN_RISK],
            learned=settings.learned,
            economics=default_economics(),
        )
        cost = default_economics().send_cost_cents(Channel.EMAIL)
        return float(net[0, CHANNELS.index(Channel.EMAIL)]) + cost

    assert value(2.0) > 0.0
    assert value(5.0) == pytest.approx(2.0 * value(2.0))
    assert value(np.nan) == pytest.approx(value(2.0))
    assert value(0.0) == pytest.approx(value(2.0) / 3.0)
