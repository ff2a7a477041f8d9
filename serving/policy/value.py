"""What an action is expected to be worth, in cents, against no message.

    outcome    = P(a purchase that else would not come | channel) x margin of the purchase x timing
    support    = P(a call that else would come | channel) x cost of a call x timing
    kept       = P(seen | channel) x leavers kept x P(churn) x margin of the customer x timing
    send       = price of the channel (SMS by segment)
    wearing    = P(unsubscribe | channel, load) x margin that the channel would still bring
    annoyed    = P(unsubscribe | channel, load) x customers lost for each x margin of the customer
    saturation = notice that the messages after it lose x margin that they would bring

Timing is what the hour does to a message on the channel x what is left of the occasion. Terms stay
separate so that a record can show them. What a message changes comes from the uplift model; where
there is none, from response rates and the shares that the settings believe in.
"""

from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.vocabulary import Channel, Outcome
from serving.policy.actions import ActionGrid
from serving.policy.cases import HOUR_US, Cases, Floats
from serving.policy.effects import Effect, expect_calls, find_effect
from serving.policy.hours import hour_of_week, local_us
from serving.policy.settings import CHANNELS, LearnedSettings, TriggerRule
from serving.policy.stakes import Stakes
from training.registry.servable import ChannelModel, SendTimeModel, UpliftModel

_VALUED = (Outcome.OPENED, Outcome.CONVERTED, Outcome.UNSUBSCRIBED)


@dataclass(frozen=True)
class ValueModels:
    """What values are foretold with; without uplift shares of the settings stand in."""

    channel: ChannelModel
    send_time: SendTimeModel
    uplift: UpliftModel | None = None


@dataclass(frozen=True)
class ValueGrid:
    """Terms of every action of n cases, cents, broadcastable to (n, K, S).

    Attributes:
        outcome: Margin of the conversions it causes.
        support: Cost of the calls it prevents.
        kept: Margin of the customers it keeps.
        send: What sending costs.
        wearing: What the risk of losing the channel costs.
        annoyed: What the risk of losing the customer by annoyance costs.
        saturation: What the messages after it lose.
        relative_error: Error of what a message changes over the mean of it, (n,).
    """

    outcome: Floats
    support: Floats
    kept: Floats
    send: Floats
    wearing: Floats
    annoyed: Floats
    saturation: Floats
    relative_error: Floats

    def gross(self) -> Floats:
        """What the message brings, (n, K, S)."""
        gross: Floats = self.outcome + self.support + self.kept
        return gross

    def net(self) -> Floats:
        """Net value, (n, K, S)."""
        net: Floats = self.gross() - self.send - self.wearing - self.annoyed - self.saturation
        return net

    def unsure(self, grid: ActionGrid) -> Floats:
        """Cents by which the values of a case are unsure, (n,): of its best allowed action."""
        gross = np.where(grid.allowed, self.gross(), 0.0).reshape(len(grid.allowed), -1)
        unsure: Floats = gross.max(axis=1) * self.relative_error
        return unsure


@dataclass(frozen=True)
class _ChannelOdds:
    """Per case and channel, (n, 5), of the log's mean message.

    Attributes:
        p_seen: It is opened, or read without an open being reported.
        effect: What it changes.
        p_unsubscribe: Its reader leaves the channel.
    """

    p_seen: Floats
    effect: Effect
    p_unsubscribe: Floats

    @property
    def p_keeps(self) -> Floats:
        """P(seen), as far as messages change what they are believed to change."""
        p: Floats = self.p_seen * self.effect.borne_out
        return p


def value_actions(
    cases: Cases,
    grid: ActionGrid,
    *,
    models: ValueModels,
    rule: TriggerRule,
    learned: LearnedSettings,
    economics: Economics,
) -> ValueGrid:
    """Expected terms of every action, from the models and the economics."""
    odds = _predict_odds(cases, models.channel, models.uplift, rule=rule, learned=learned)
    stakes = Stakes.of(
        cases, channel_model=models.channel, rule=rule, learned=learned, economics=economics
    )
    timing = time_slots(cases, grid, model=models.send_time, rule=rule)
    keeps, effect = (
        _over_sets_at(grid, p, p_seen=odds.p_seen, timing=timing)
        for p in (odds.p_keeps, odds.effect.p)
    )
    send = find_send_cents(cases, learned=learned, economics=economics)
    by_channel = (
        send,
        *_wear_out(odds, stakes, learned=learned, economics=economics),
        _saturate(odds, stakes, learned=learned),
    )
    sent, wearing, annoyed, saturation = (
        _sum_over_sets(grid, cents)[:, :, None] for cents in by_channel
    )
    return ValueGrid(
        outcome=effect * stakes.conversion[:, :, None],
        support=effect * stakes.call[:, :, None],
        kept=keeps * stakes.kept[:, :, None],
        send=sent,
        wearing=wearing,
        annoyed=annoyed,
        saturation=saturation,
        relative_error=odds.effect.error,
    )


def value_channels(
    cases: Cases,
    *,
    channel_model: ChannelModel,
    uplift: UpliftModel | None = None,
    rule: TriggerRule,
    learned: LearnedSettings,
    economics: Economics,
) -> Floats:
    """Net cents of one message on each channel, (n, 5), at a mean hour and the log's usual age.

    What a choice of channels goes by where the moment is given.
    """
    odds = _predict_odds(cases, channel_model, uplift, rule=rule, learned=learned)
    stakes = Stakes.of(
        cases, channel_model=channel_model, rule=rule, learned=learned, economics=economics
    )
    wearing, annoyed = _wear_out(odds, stakes, learned=learned, economics=economics)
    net: Floats = (
        odds.effect.p * (stakes.conversion + stakes.call)
        + odds.p_keeps * stakes.kept
        - find_send_cents(cases, learned=learned, economics=economics)
        - wearing
        - annoyed
        - _saturate(odds, stakes, learned=learned)
    )
    return net


def _predict_odds(
    cases: Cases,
    model: ChannelModel,
    uplift: UpliftModel | None,
    *,
    rule: TriggerRule,
    learned: LearnedSettings,
) -> _ChannelOdds:
    """P(seen), P(effect), P(unsubscribed) of every case on every channel."""
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
    p_seen = np.minimum(p_open * acted, 1.0)
    if cases.trigger.is_service:
        p_call = expect_calls(cases, uplift, believed=rule.p_call)
        most, share = p_seen * p_call[:, None], rule.prevented_share
    else:
        most, share = p_convert, learned.incremental_share
    effect = find_effect(cases, uplift, most=most, share=share, learned=learned)
    return _ChannelOdds(p_seen, effect, p_unsubscribe)


def _wear_out(
    odds: _ChannelOdds, stakes: Stakes, *, learned: LearnedSettings, economics: Economics
) -> tuple[Floats, Floats]:
    """Cents that the risk of losing the channel, and the customer, costs, (n, 5) each."""
    strained = odds.p_unsubscribe * (1.0 + stakes.load) / (1.0 + learned.log_load)
    channel_cents = stakes.messages * economics.channel_loss_months / len(CHANNELS)
    return strained * channel_cents, strained * stakes.annoyed


def _saturate(odds: _ChannelOdds, stakes: Stakes, *, learned: LearnedSettings) -> Floats:
    """Cents that the messages after this one lose, on each channel alike, (n, 5)."""
    months = learned.recovery_hours / (30.0 * 24.0)
    cents = learned.saturation_share * months * stakes.messages
    return np.broadcast_to(cents, odds.p_seen.shape)


@dataclass(frozen=True)
class Timing:
    """What the slots do to messages, over the log's mean message.

    Attributes:
        attention: How soon and how surely a message is read, (n, 5, S).
        freshness: What is left of the occasion, (n, 1, S); above 1 where it is fresher than usual.
    """

    attention: Floats
    freshness: Floats

    @property
    def worth(self) -> Floats:
        """Of each slot on each channel, (n, 5, S)."""
        worth: Floats = self.attention * self.freshness
        return worth


def time_slots(
    cases: Cases, grid: ActionGrid, *, model: SendTimeModel, rule: TriggerRule
) -> Timing:
    """What each slot does to messages.

    The occasion fades by half with every half-life. Where it is known when it began, it is as
    fresh as the log's messages when it is as old as theirs; where not, when it is decided.
    """
    known = cases.occasions.age_hours
    older = np.where(np.isnan(known), 0.0, known - rule.log_age_hours)
    waited = (grid.slots_us - cases.decided_at_us[:, None]) / HOUR_US
    attention = model.timing(
        cases.week_counts,
        week_hours=hour_of_week(local_us(cases.timezones, grid.slots_us)),
        waited_hours=np.zeros(waited.shape),
        half_life_hours=rule.half_life_hours,
        segments=cases.segments,
    )
    freshness = np.exp2(-(waited + older[:, None]) / rule.half_life_hours)
    return Timing(attention, freshness[:, None, :])


def _over_sets_at(grid: ActionGrid, p: Floats, *, p_seen: Floats, timing: Timing) -> Floats:
    """What a notice over each set changes in each slot, (n, K, S), from what channels do, (n, 5).

    Who sees it twice is moved once: a set changes what its channels change, times those who see it
    on any of them over those who see it on each. A fresh occasion makes messages change more, and
    lets nobody see them twice.
    """
    changed = np.minimum(p[:, :, None] * timing.worth, 1.0)
    by_set = []
    for channels in grid.sets:
        at = _positions(channels)
        together = changed[:, at].sum(axis=1)
        if len(at) > 1:
            seen = np.minimum(p_seen[:, at, None] * timing.attention[:, at], 1.0)
            on_any, on_each = 1.0 - np.prod(1.0 - seen, axis=1), seen.sum(axis=1)
            together *= np.divide(on_any, on_each, out=np.ones(on_any.shape), where=on_each > 0.0)
        by_set.append(together)
    return np.stack(by_set, axis=1)


def _sum_over_sets(grid: ActionGrid, cents: Floats) -> Floats:
    return np.stack([cents[:, _positions(channels)].sum(axis=1) for channels in grid.sets], axis=1)


def find_send_cents(cases: Cases, *, learned: LearnedSettings, economics: Economics) -> Floats:
    """What a message costs, (n, 5): an SMS by the segments that the language needs."""
    segments = {code: learned.count_sms_segments(code) for code in set(cases.languages)}
    by_number = {
        n: [economics.send_cost_cents(channel, n_segments=n) for channel in CHANNELS]
        for n in set(segments.values())
    }
    return np.array([by_number[segments[code]] for code in cases.languages])


def _positions(channels: tuple[Channel, ...]) -> list[int]:
    return [CHANNELS.index(channel) for channel in channels]
