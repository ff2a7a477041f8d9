"""What an action is expected to be worth, in cents, against no message.

    outcome   = P(convert | channel) x mean amount x margin x incremental share x timing
                + share kept x P(seen | channel) x margin of the customer x timing
    support   = P(call) x share prevented x P(seen | channel) x call's cost x timing
    send      = price of the channel
    wearing   = P(unsubscribe | channel) x (margin that the channel would still bring
                + customers lost for one who unsubscribes x margin of the customer)
    seen      = P(open | channel) x what a reported open stands for there
    timing    = what the hour does to a message on the channel x freshness of the occasion

The margin of the customer is that of the mean customer, times the own orders over the mean's.

Terms stay separate so that a record can show them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.economics import Economics
from features.vocabulary import Channel, Outcome
from serving.policy.actions import ActionGrid
from serving.policy.cases import HOUR_US, Cases, Floats
from serving.policy.hours import hour_of_week, local_us
from serving.policy.settings import CHANNELS, LearnedSettings, TriggerRule
from serving.records import ValueTerms
from training.registry.servable import ChannelModel, SendTimeModel

_VALUED = (Outcome.OPENED, Outcome.CONVERTED, Outcome.UNSUBSCRIBED)


@dataclass(frozen=True)
class ValueGrid:
    """Terms of every action of n cases, cents, broadcastable to (n, K, S).

    Attributes:
        outcome: Margin of the conversions it causes and of the customers it keeps.
        support: Cost of the calls it prevents.
        send: What sending costs.
        wearing: What the risk of an unsubscribe costs.
    """

    outcome: Floats
    support: Floats
    send: Floats
    wearing: Floats

    def net(self) -> Floats:
        """Net value, (n, K, S)."""
        net: Floats = self.outcome + self.support - self.send - self.wearing
        return net

    def terms(self, row: int, set_index: int, slot: int) -> ValueTerms:
        """The terms of one action of one case."""
        return ValueTerms(
            outcome_cents=float(self.outcome[row, set_index, slot]),
            support_cents=float(self.support[row, set_index, slot]),
            send_cents=float(self.send[row, set_index, 0]),
            wearing_out_cents=float(self.wearing[row, set_index, 0]),
        )


@dataclass(frozen=True)
class _Stakes:
    """Cents that hang on what comes of a message about one trigger, n cases or all alike.

    Attributes:
        margin_cents: Margin that a conversion after the message was caused to bring.
        kept_cents: Margin of the customer kept, by message seen, (n, 1).
        calls_cents: Cost of calls prevented, by message seen.
        annoyed_cents: Margin of the customer lost by annoyance, by unsubscribe, (n, 1).
        n_messages_lost: Messages that an unsubscribe ends.
    """

    margin_cents: float
    kept_cents: Floats
    calls_cents: float
    annoyed_cents: Floats
    n_messages_lost: float

    @classmethod
    def of(
        cls,
        cases: Cases,
        *,
        channel_model: ChannelModel,
        rule: TriggerRule,
        learned: LearnedSettings,
        economics: Economics,
    ) -> Self:
        """The stakes of the cases, from what was learned, the rule and the prices."""
        amount = channel_model.mean_value_cents.get(cases.trigger, 0.0)
        customer_cents = (
            channel_model.relate_margins(cases.engagement)[:, None]
            * channel_model.monthly_cents
            * economics.margin_share
            * economics.lost_customer_months
        )
        return cls(
            margin_cents=amount * economics.margin_share * learned.incremental_share,
            kept_cents=rule.kept_share * customer_cents,
            calls_cents=rule.p_call * rule.prevented_share * economics.support_call_cents,
            annoyed_cents=learned.lost_per_unsubscribe * customer_cents,
            n_messages_lost=economics.channel_loss_months * learned.messages_per_month,
        )


@dataclass(frozen=True)
class _ChannelOdds:
    """Per case and channel, (n, 5); seen is opened, or read without an open being reported."""

    p_seen: Floats
    p_convert: Floats
    p_unsubscribe: Floats

    def wear_out(self, stakes: _Stakes) -> Floats:
        """Cents that the risk of an unsubscribe costs, (n, 5)."""
        channel_cents = self.p_convert * stakes.margin_cents * stakes.n_messages_lost
        return self.p_unsubscribe * (channel_cents + stakes.annoyed_cents)


def value_actions(
    cases: Cases,
    grid: ActionGrid,
    *,
    channel_model: ChannelModel,
    send_time_model: SendTimeModel,
    rule: TriggerRule,
    learned: LearnedSettings,
    economics: Economics,
) -> ValueGrid:
    """Expected terms of every action, from the models and the economics."""
    odds = _predict_odds(cases, channel_model)
    stakes = _Stakes.of(
        cases,
        channel_model=channel_model,
        rule=rule,
        learned=learned,
        economics=economics,
    )
    timing = time_slots(cases, grid, model=send_time_model, rule=rule)
    seen = _over_sets_at(grid, odds.p_seen, timing=timing)
    converted = _over_sets_at(grid, odds.p_convert, timing=timing)
    return ValueGrid(
        outcome=converted * stakes.margin_cents + seen * stakes.kept_cents[:, :, None],
        support=seen * stakes.calls_cents,
        send=np.broadcast_to(
            _send_cents(grid, economics)[None, :, None], (cases.n, len(grid.sets), 1)
        ),
        wearing=_sum_over_sets(grid, odds.wear_out(stakes))[:, :, None],
    )


def value_channels(
    cases: Cases,
    *,
    channel_model: ChannelModel,
    rule: TriggerRule,
    learned: LearnedSettings,
    economics: Economics,
) -> Floats:
    """Net cents of one message on each channel, (n, 5), at a mean hour and at once.

    What a choice of channels goes by where the moment is given.
    """
    odds = _predict_odds(cases, channel_model)
    stakes = _Stakes.of(
        cases,
        channel_model=channel_model,
        rule=rule,
        learned=learned,
        economics=economics,
    )
    send_cents = np.array([economics.send_cost_cents(channel) for channel in CHANNELS])
    net: Floats = (
        odds.p_convert * stakes.margin_cents
        + odds.p_seen * (stakes.kept_cents + stakes.calls_cents)
        - send_cents
        - odds.wear_out(stakes)
    )
    return net


def _predict_odds(cases: Cases, model: ChannelModel) -> _ChannelOdds:
    """P(seen), P(converted), P(unsubscribed) of every case on every channel."""
    n_channels = len(CHANNELS)
    sendings = model.describe_channels(
        cases.engagement,
        trigger=cases.trigger,
        segments=cases.segments,
        languages=cases.languages,
    )
    # Of the mean hour: what the hour of a slot is worth comes in by the timing.
    found = model.predict_all(_VALUED, sendings)
    p_open, p_convert, p_unsubscribe = (
        found[outcome].reshape(cases.n, n_channels) for outcome in _VALUED
    )
    acted = np.array([model.acted_per_open[channel] for channel in CHANNELS])
    return _ChannelOdds(np.minimum(p_open * acted, 1.0), p_convert, p_unsubscribe)


def time_slots(
    cases: Cases, grid: ActionGrid, *, model: SendTimeModel, rule: TriggerRule
) -> Floats:
    """Worth of each slot on each channel over a message sent at once in a mean hour, (n, 5, S)."""
    return model.timing(
        cases.week_counts,
        week_hours=hour_of_week(local_us(cases.timezones, grid.slots_us)),
        waited_hours=(grid.slots_us - cases.decided_at_us[:, None]) / HOUR_US,
        half_life_hours=rule.half_life_hours,
        segments=cases.segments,
    )


def _over_sets_at(grid: ActionGrid, p: Floats, *, timing: Floats) -> Floats:
    """P(at least one channel of the set) in each slot, (n, K, S), from P by channel (n, 5)."""
    missed = 1.0 - np.minimum(p[:, :, None] * timing, 1.0)
    return np.stack(
        [1.0 - np.prod(missed[:, _positions(channels)], axis=1) for channels in grid.sets], axis=1
    )


def _sum_over_sets(grid: ActionGrid, cents: Floats) -> Floats:
    return np.stack([cents[:, _positions(channels)].sum(axis=1) for channels in grid.sets], axis=1)


def _send_cents(grid: ActionGrid, economics: Economics) -> Floats:
    return np.array(
        [sum(economics.send_cost_cents(channel) for channel in channels) for channels in grid.sets]
    )


def _positions(channels: tuple[Channel, ...]) -> list[int]:
    return [CHANNELS.index(channel) for channel in channels]
