"""What an action is expected to be worth, in cents, against no message.

    outcome   = P(convert | channel) x mean amount x margin x incremental share x timing
    support   = P(call) x share prevented x P(seen | channel) x call's cost x timing
    send      = price of the channel
    wearing   = P(unsubscribe | channel) x margin that the channel would still bring
    timing    = openness of the hour x freshness of the occasion

Terms stay separate so that a record can show them.
"""

from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.vocabulary import Channel, Outcome
from serving.policy.actions import ActionGrid
from serving.policy.cases import HOUR_US, Cases, Floats
from serving.policy.hours import openness_at
from serving.policy.settings import CHANNELS, LearnedSettings, TriggerRule
from serving.records import ValueTerms
from training.registry.servable import ChannelModel, SendTimeModel


@dataclass(frozen=True)
class ValueGrid:
    """Terms of every action of n cases, cents, broadcastable to (n, K, S).

    Attributes:
        outcome: Margin of the conversions it causes.
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
class _ChannelOdds:
    """Per case and channel, (n, 5)."""

    p_open: Floats
    p_convert: Floats
    p_unsubscribe: Floats


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
    amount = channel_model.mean_value_cents.get(cases.trigger, 0.0)
    margin_cents = amount * economics.margin_share * learned.incremental_share
    months = economics.channel_loss_months * learned.messages_per_month
    channel_worth = odds.p_convert * margin_cents * months
    relative = send_time_model.relative_openness(cases.week_counts)
    timing = openness_at(relative, at_us=grid.slots_us, timezones=cases.timezones)
    timing = timing * _freshness(cases, grid, rule)

    seen = _over_sets(grid, odds.p_open)
    converted = _over_sets(grid, odds.p_convert)
    calls_cents = rule.p_call * rule.prevented_share * economics.support_call_cents
    return ValueGrid(
        outcome=(converted * margin_cents)[:, :, None] * timing[:, None, :],
        support=np.minimum(seen[:, :, None] * timing[:, None, :], 1.0) * calls_cents,
        send=np.broadcast_to(
            _send_cents(grid, economics)[None, :, None], (cases.n, len(grid.sets), 1)
        ),
        wearing=_sum_over_sets(grid, odds.p_unsubscribe * channel_worth)[:, :, None],
    )


def _predict_odds(cases: Cases, model: ChannelModel) -> _ChannelOdds:
    """P(opened), P(converted), P(unsubscribed) of every case on every channel."""
    n_channels = len(CHANNELS)
    matrix = np.repeat(cases.engagement, n_channels, axis=0)
    channel = np.tile(np.arange(n_channels), cases.n)

    def predict(outcome: Outcome) -> Floats:
        p = model.predict(outcome, matrix, channel=channel, trigger=cases.trigger)
        return p.reshape(cases.n, n_channels)

    return _ChannelOdds(
        predict(Outcome.OPENED), predict(Outcome.CONVERTED), predict(Outcome.UNSUBSCRIBED)
    )


def _freshness(cases: Cases, grid: ActionGrid, rule: TriggerRule) -> Floats:
    waited_hours = (grid.slots_us - cases.decided_at_us[:, None]) / HOUR_US
    freshness: Floats = np.exp2(-waited_hours / rule.half_life_hours)
    return freshness


def _over_sets(grid: ActionGrid, p: Floats) -> Floats:
    """P(at least one channel of the set), (n, K), from P by channel (n, 5)."""
    return np.stack(
        [1 - np.prod(1 - p[:, _positions(channels)], axis=1) for channels in grid.sets], axis=1
    )


def _sum_over_sets(grid: ActionGrid, cents: Floats) -> Floats:
    return np.stack([cents[:, _positions(channels)].sum(axis=1) for channels in grid.sets], axis=1)


def _send_cents(grid: ActionGrid, economics: Economics) -> Floats:
    return np.array(
        [sum(economics.send_cost_cents(channel) for channel in channels) for channels in grid.sets]
    )


def _positions(channels: tuple[Channel, ...]) -> list[int]:
    return [CHANNELS.index(channel) for channel in channels]
