"""The terms of a value, computed by hand."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.economics import default_economics
from features.vocabulary import Channel, Outcome, Trigger
from serving.policy.actions import ActionGrid, propose_actions
from serving.policy.cases import HOUR_US, Cases, Contacts, Occasions
from serving.policy.settings import CHANNELS, PolicySettings
from serving.policy.value import ValueGrid, ValueModels, value_actions, value_channels
from serving.records import ValueTerms
from tests.channel_beliefs import believe
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
EVEN = SendTimeModel("1", tuple(np.full(168, 1 / 168)), 1.0)
EMAIL, SMS = CHANNELS.index(Channel.EMAIL), CHANNELS.index(Channel.SMS)


@pytest.fixture(scope="module")
def channel_model() -> ChannelModel:
    """A model that says the same of everybody, whatever the channel."""
    model = believe(FeatureSignature((), "x"))
    outcomes = {**model.outcomes}
    for outcome, p in P.items():
        calibration = (Calibration(0.0, float(np.log(p / (1 - p)))),) * len(CHANNELS)
        outcomes[outcome] = replace(outcomes[outcome], calibration=calibration)
    return replace(
        model, outcomes=outcomes, mean_value_cents={Trigger.ABANDONED_CART: AMOUNT_CENTS}
    )


def knowing(cases: Cases, **known: Any) -> Cases:
    """The cases with something known of their occasions."""
    facts = {name: np.array([value]) for name, value in known.items()}
    return replace(cases, known_occasions=replace(Occasions.unknown(cases.n), **facts))


def value(
    cases: Cases,
    settings: PolicySettings,
    channel: ChannelModel,
    send_time: SendTimeModel = EVEN,
    learned: Mapping[str, float] | None = None,
) -> tuple[ActionGrid, ValueGrid]:
    grid = propose_actions(cases, settings=settings)
    values = value_actions(
        cases,
        grid,
        models=ValueModels(channel, send_time),
        rule=settings.triggers[cases.trigger],
        learned=settings.learned.model_copy(update=learned or {}),
        economics=default_economics(),
    )
    return grid, values


def everyone_at(hour: int) -> SendTimeModel:
    """Nine parts in ten of all activity in that hour of the day."""
    week = np.full(168, 0.1 / (168 - 7))
    week[hour::24] = 0.9 / 7
    return SendTimeModel("1", tuple(week), 1.0)


def terms_at(values: ValueGrid, row: int, set_index: int, slot: int) -> ValueTerms:
    """The terms of one action."""
    shape = values.outcome.shape
    parts = (
        values.outcome, values.support, values.send, values.wearing,
        values.kept, values.annoyed, values.saturation,
    )  # fmt: skip
    cents = (float(np.broadcast_to(part, shape)[row, set_index, slot]) for part in parts)
    return ValueTerms(**dict(zip(ValueTerms.model_fields, cents, strict=True)))


def test_value_actions_adds_up_marketing_by_hand(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.ABANDONED_CART)
    rule, learned = settings.triggers[Trigger.ABANDONED_CART], settings.learned
    grid, values = value(cases, settings, channel_model, everyone_at(14))
    slot = int(np.flatnonzero((grid.slots_us - cases.decided_at_us)[0] == 2 * HOUR_US)[0])  # 14:00

    terms = terms_at(values, 0, SMS, slot)

    openness = 0.9 / 7 * 168
    freshness = 2 ** (-2 / rule.half_life_hours)
    margin = AMOUNT_CENTS * 0.30 * learned.incremental_share
    worth = P[Outcome.CONVERTED] * margin
    assert terms.outcome_cents == pytest.approx(worth * openness * freshness)
    assert terms.support_cents == terms.kept_cents == terms.annoyed_cents == 0.0
    assert terms.send_cents == 4.0
    strain = P[Outcome.UNSUBSCRIBED] / (1 + learned.log_load)
    channel_cents = learned.message_month_cents * 12 / len(CHANNELS)
    assert terms.wearing_out_cents == pytest.approx(strain * channel_cents)
    taken = learned.saturation_share * learned.recovery_hours / 720
    assert terms.saturation_cents == pytest.approx(taken * learned.message_month_cents)
    assert values.net()[0, SMS, slot] == pytest.approx(terms.net_cents)


def test_value_actions_counts_a_notice_on_two_channels_as_seen_on_either(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.DELIVERY_DELAY)
    rule = settings.triggers[Trigger.DELIVERY_DELAY]
    grid, values = value(cases, settings, channel_model)
    both = grid.sets.index((Channel.SMS, Channel.PUSH))

    terms = terms_at(values, 0, both, 0)

    seen = 1 - (1 - P[Outcome.OPENED]) ** 2
    prevented = seen * rule.p_call * rule.prevented_share
    assert terms.support_cents == pytest.approx(prevented * 800)
    assert terms.outcome_cents == 0.0
    assert terms.send_cents == pytest.approx(4.02)
    alone = terms_at(values, 0, SMS, 0)
    assert terms.saturation_cents == pytest.approx(2 * alone.saturation_cents)


@pytest.mark.parametrize("older_hours", [-10.0, 0.0, 48.0])
def test_value_actions_lets_age_make_nobody_see_a_notice_twice(
    older_hours: float,
    one_case: Callable[..., Cases],
    settings: PolicySettings,
    channel_model: ChannelModel,
) -> None:
    """A message about something fresh changes more; who reads it is another matter."""
    rule = settings.triggers[Trigger.DELIVERY_DELAY]
    cases = knowing(one_case(Trigger.DELIVERY_DELAY), age_hours=rule.log_age_hours + older_hours)
    grid, values = value(cases, settings, channel_model)
    both = grid.sets.index((Channel.SMS, Channel.PUSH))
    seen = P[Outcome.OPENED]
    np.testing.assert_allclose(
        values.support[0, both], values.support[0, SMS] * (1 - (1 - seen) ** 2) / seen
    )


def test_value_actions_pays_an_sms_by_the_segments_of_its_language(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = replace(one_case(Trigger.ABANDONED_CART), languages=("kk",))
    _, values = value(cases, settings, channel_model)
    assert terms_at(values, 0, SMS, 0).send_cents == 8.0
    assert terms_at(values, 0, EMAIL, 0).send_cents == 0.1


def test_value_actions_takes_the_amount_in_question_over_the_usual_one(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.ABANDONED_CART)
    usual = value(cases, settings, channel_model)[1].outcome[0, EMAIL, 0]
    dear = knowing(cases, amount_cents=3 * AMOUNT_CENTS)
    own = knowing(cases, orders=7.0, order_cents=7 * 2 * AMOUNT_CENTS)
    assert value(dear, settings, channel_model)[1].outcome[0, EMAIL, 0] == pytest.approx(3 * usual)
    # Seven orders of twice the mean amount, beside three of the mean one.
    assert value(own, settings, channel_model)[1].outcome[0, EMAIL, 0] == pytest.approx(1.7 * usual)


def test_value_actions_fades_with_the_age_of_the_case(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = one_case(Trigger.ABANDONED_CART)
    rule = settings.triggers[Trigger.ABANDONED_CART]
    fresh = knowing(cases, age_hours=rule.log_age_hours)
    old = knowing(cases, age_hours=rule.log_age_hours + 2 * rule.half_life_hours)
    unknown = value(cases, settings, channel_model)[1].outcome
    np.testing.assert_allclose(value(fresh, settings, channel_model)[1].outcome, unknown)
    np.testing.assert_allclose(value(old, settings, channel_model)[1].outcome, unknown / 4)


def test_value_actions_finds_a_tired_customer_easier_to_lose(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    """A message of just now counts as one, and one on another customer's row does not."""
    cases = one_case(Trigger.ABANDONED_CART)
    now = Contacts(np.array([0]), cases.decided_at_us, np.array([True]), np.array([False]))
    model = replace(channel_model, monthly_cents=1000.0)
    rested = value(cases, settings, model)[1]
    tired = value(replace(cases, contacts=now), settings, model)[1]
    assert rested.annoyed[0, EMAIL, 0] > 0
    assert tired.annoyed[0, EMAIL, 0] == pytest.approx(2 * rested.annoyed[0, EMAIL, 0])
    assert tired.wearing[0, EMAIL, 0] == pytest.approx(2 * rested.wearing[0, EMAIL, 0])


def test_value_channels_counts_who_is_kept_and_who_is_annoyed(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    cases = knowing(one_case(Trigger.CHURN_RISK), p_churn=0.5)
    rule, learned = settings.triggers[Trigger.CHURN_RISK], settings.learned
    acted = dict.fromkeys(Channel, 1.0) | {Channel.PUSH: 2.0, Channel.SMS: 9.0}
    free = learned.model_copy(
        update={"message_month_cents": 0.0, "log_load": 0.0, "incremental_share": 0.0}
    )
    net = value_channels(
        cases,
        channel_model=replace(channel_model, monthly_cents=1000.0, acted_per_open=acted),
        rule=rule,
        learned=free,
        economics=default_economics(),
    )
    customer = 1000.0 * 0.30 * 12
    annoyed = P[Outcome.UNSUBSCRIBED] * learned.lost_per_unsubscribe * customer
    p_seen = {Channel.EMAIL: 0.4, Channel.PUSH: 0.8, Channel.SMS: 1.0}
    for channel, seen in p_seen.items():
        kept = seen * rule.saved_share * 0.5 * customer
        cost = default_economics().send_cost_cents(channel)
        assert net[0, CHANNELS.index(channel)] == pytest.approx(kept - cost - annoyed)


def test_value_actions_weighs_a_customer_by_own_orders_and_subscription(
    one_case: Callable[..., Cases], settings: PolicySettings, channel_model: ChannelModel
) -> None:
    """Who orders twice as often is worth twice as much to keep; who is unknown, the mean."""
    model = replace(
        channel_model,
        signature=FeatureSignature((ORDERS,), "x"),
        monthly_cents=1000.0,
        mean_value_cents={Trigger.ABANDONED_CART: 1500.0},
        orders=OrderHabits(mean=2.0, shape=1.0),
    )

    def keep(orders: float, **known: float) -> float:
        case = replace(one_case(Trigger.CHURN_RISK), engagement=np.array([[orders]]))
        values = value(knowing(case, **known), settings, model)[1]
        return float(values.kept[0, EMAIL, 0])

    assert keep(2.0) > 0.0
    assert keep(5.0) == pytest.approx(2.0 * keep(2.0))
    assert keep(np.nan) == pytest.approx(keep(2.0))
    assert keep(0.0) == pytest.approx(keep(2.0) / 3.0)
    # Two orders of 1,500 in three months are a thousand a month, and the subscription comes on top.
    assert keep(2.0, mrr_cents=3000.0) == pytest.approx(4.0 * keep(2.0))
