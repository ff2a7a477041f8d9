"""What losses cost in the default economics: customers, channels, patience, problems of orders."""

from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.vocabulary import Trigger
from training.world.clock import Floats
from training.world.codes import CHANNELS, TRIGGERS
from training.world.life.market import Market
from training.world.life.rates import (
    CASES_PER_MONTH,
    COURSES,
    DELAY_P_CALL,
    DELAY_SHARE,
    EVENT_RATE,
    MAX_P_EVENT,
    P_BUY_AT_ONCE,
    P_CART,
    P_EVENT,
    P_SHIPPED,
    P_SHOP,
    p_call,
)
from training.world.mail.response import (
    FADE_HOURS,
    IS_SERVICE,
    POWER,
    SPEED,
    mean_seen,
    reads_in_time,
)
from training.world.people.places import PLAN_MRR_CENTS, REGIONS
from training.world.people.population import N_CHANNELS, N_SEASONS, Population
from training.world.scenario import Scenario

_TYPICAL_AGE_HOURS = 3.0
_MESSAGED_SHARE = 0.5


@dataclass(frozen=True)
class Worth:
    """Cents that hang on each customer.

    Attributes:
        lost: Loss of the customer: 12 months of margin on subscription and orders, (n,).
        channel: Loss of a channel: 12 months of its share of the margin expected of messages,
            (seasons, n, channels).
        patience: What one message that arrives takes from the margin of the messages after it,
            because it makes them less noticed until the load has decayed, (seasons, n).
        order_support: Support calls to be expected of one more order, (n,).
        margin_share: Share of an order's amount that is margin.
        support_call: One call.
    """

    lost: Floats
    channel: Floats
    patience: Floats
    order_support: Floats
    margin_share: float
    support_call: float


def weigh(people: Population, *, market: Market, scenario: Scenario, economics: Economics) -> Worth:
    """What losses cost for these customers."""
    price = market.mean_price_cents(people, customer=np.arange(people.n))
    monthly_margin = economics.margin_share * (
        np.array(PLAN_MRR_CENTS)[people.account.plan] + _orders_per_month(people, scenario) * price
    )
    order_support = economics.support_call_cents * _calls_per_order(people, scenario)
    channel, patience = [], []
    for season in range(N_SEASONS):
        margin = _message_margin(
            people, season=season, price=price, scenario=scenario, economics=economics
        )
        # A channel's share: the margin of cases by channel, each split like its channels' margins.
        total = np.maximum(margin.sum(axis=2, keepdims=True), 1e-12)
        by_channel = (margin * margin / total).sum(axis=1) * scenario.traffic
        channel.append(economics.channel_loss_months * by_channel)
        per_hour = by_channel.sum(axis=1) / (30.0 * 24.0)
        patience.append(people.temper.saturation * people.temper.recovery_hours * per_hour)
    return Worth(
        lost=economics.lost_customer_months * monthly_margin,
        channel=np.stack(channel),
        patience=np.stack(patience),
        order_support=order_support,
        margin_share=economics.margin_share,
        support_call=economics.support_call_cents,
    )


def _orders_per_month(people: Population, scenario: Scenario) -> Floats:
    shops = 30.0 * people.rhythm.visits_per_day * P_SHOP * scenario.traffic
    cart = P_BUY_AT_ONCE + (1.0 - P_BUY_AT_ONCE) * COURSES[Trigger.ABANDONED_CART].p_event
    browse = COURSES[Trigger.BROWSE_ABANDONMENT].p_event
    orders: Floats = shops * (P_CART * cart + (1.0 - P_CART) * browse)
    return orders


def _calls_per_order(people: Population, scenario: Scenario) -> Floats:
    """Calls about the parcel of one order: on its way, and late (no more than `rates` say)."""
    calls = people.temper.calls
    p_late = np.array([region.p_late for region in REGIONS])[people.identity.region]
    late = sum(
        share * np.minimum(p * calls, MAX_P_EVENT)
        for share, p in zip(DELAY_SHARE, DELAY_P_CALL, strict=True)
    )
    on_its_way = p_call(Trigger.ORDER_SHIPPED, calls=calls)
    expected: Floats = P_SHIPPED * (on_its_way + scenario.traffic * p_late * late)
    return expected


def _message_margin(
    people: Population, *, season: int, price: Floats, scenario: Scenario, economics: Economics
) -> Floats:
    """Margin per month expected of messages, (n, triggers, channels), were all on that channel."""
    service = economics.support_call_cents * P_EVENT * people.temper.calls[:, None]
    marketing = economics.margin_share * price[:, None] * (1.0 - P_EVENT)
    stake = np.where(IS_SERVICE, service, marketing) * POWER * scenario.effect
    fade = np.where(IS_SERVICE, EVENT_RATE, 1.0 / FADE_HOURS)
    n_triggers = len(TRIGGERS)
    in_time = reads_in_time(
        sooner=np.full(n_triggers * N_CHANNELS, -_TYPICAL_AGE_HOURS),
        rate=np.repeat(fade, N_CHANNELS),
        speed=np.tile(SPEED, n_triggers),
    ).reshape(n_triggers, len(CHANNELS))
    seen = mean_seen(people, season=season)
    cases = CASES_PER_MONTH * _MESSAGED_SHARE
    margin: Floats = (stake * cases)[:, :, None] * in_time * seen
    return margin
