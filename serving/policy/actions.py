"""The actions a case may come to: channel sets x moments of sending, and *no message*."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from features.vocabulary import Channel, Priority
from serving.policy.budgets import NO_BUDGETS, Headroom
from serving.policy.cases import HOUR_US, Cases, Flags, Ints
from serving.policy.guards import Verdicts, judge_actions, open_channels
from serving.policy.hours import after_quiet_hours
from serving.policy.settings import CHANNELS, PolicySettings, TriggerRule

NO_MESSAGE = -1


@dataclass(frozen=True)
class ActionGrid:
    """Actions of n cases: K channel sets x S moments, some of them allowed.

    The flat index of set k at moment s is `k * S + s`; *no message* comes after them all, and is
    always allowed.

    Attributes:
        sets: Channel sets in the order of their index; single channels come first.
        slots_us: Moments of sending, (n, S); the first is the rules policy's own.
        allowed: What the guards allow, (n, K, S).
        rule_set: Set that the rules policy would use, (n,); `NO_MESSAGE` where it has none.
        verdicts: What the guards said about each action.
    """

    sets: tuple[tuple[Channel, ...], ...]
    slots_us: Ints
    allowed: Flags
    rule_set: Ints
    verdicts: Verdicts

    @property
    def n_actions(self) -> int:
        """Number of actions, *no message* included."""
        _, n_sets, n_slots = self.allowed.shape
        return int(n_sets * n_slots + 1)

    @property
    def n_slots(self) -> int:
        """Number of moments."""
        return int(self.slots_us.shape[1])

    def flat_allowed(self) -> Flags:
        """What is allowed by flat index, *no message* included, (n, K * S + 1)."""
        n = len(self.allowed)
        return np.column_stack([self.allowed.reshape(n, -1), np.ones(n, dtype=bool)])

    def rule_action(self) -> Ints:
        """Flat index of what the rules policy does, (n,)."""
        n, _, n_slots = self.allowed.shape
        is_allowed = self.allowed[np.arange(n), np.maximum(self.rule_set, 0), 0]
        sends = (self.rule_set != NO_MESSAGE) & is_allowed
        return np.where(sends, self.rule_set * n_slots, self.n_actions - 1)


def propose_actions(
    cases: Cases, *, settings: PolicySettings, headroom: Headroom = NO_BUDGETS
) -> ActionGrid:
    """Every channel set at every candidate moment, with the guards' verdicts."""
    rule = settings.triggers[cases.trigger]
    most = settings.learned.most_channels if cases.trigger.is_service else 1
    sets = list_channel_sets(rule, most=most)
    slots_us = _propose_slots(cases, rule=rule, settings=settings)
    verdicts = judge_actions(
        cases, sets=sets, slots_us=slots_us, settings=settings, headroom=headroom
    )
    return ActionGrid(
        sets=sets,
        slots_us=slots_us,
        allowed=verdicts.allowed & _is_first_of_its_kind(slots_us)[:, None, :],
        rule_set=_rule_sets(cases, rule=rule, sets=sets),
        verdicts=verdicts,
    )


def list_channel_sets(rule: TriggerRule, *, most: int) -> tuple[tuple[Channel, ...], ...]:
    """Every channel alone, then up to so many together, and the set that the rules use last.

    Args:
        rule: Of the trigger.
        most: Channels at once, beside the rules' set.
    """
    together = {frozenset(rule.channels)} if rule.is_together else set()
    sets = [
        channels
        for size in range(1, most + 1)
        for channels in combinations(CHANNELS, size)
        if frozenset(channels) not in together
    ]
    return (*sets, rule.channels) if rule.is_together else tuple(sets)


def _rule_sets(cases: Cases, *, rule: TriggerRule, sets: tuple[tuple[Channel, ...], ...]) -> Ints:
    """The rules' set: all its channels together, or the best prior, of those that are open."""
    chosen = np.full(cases.n, NO_MESSAGE, dtype=np.int64)
    is_open = open_channels(cases)
    for channel in reversed(rule.ranked):  # the best comes last and overwrites
        chosen[is_open[:, CHANNELS.index(channel)]] = sets.index((channel,))
    if rule.is_together:
        together = [CHANNELS.index(channel) for channel in rule.channels]
        chosen[is_open[:, together].all(axis=1)] = sets.index(rule.channels)
    return chosen


def _propose_slots(cases: Cases, *, rule: TriggerRule, settings: PolicySettings) -> Ints:
    """The rules' moment first, then the learned policy's candidates, outside quiet hours."""
    slots = [cases.decided_at_us + _rule_delay_us(cases, rule)]
    if not rule.is_at_once:
        slots += [
            cases.decided_at_us + round(hours * HOUR_US)
            for hours in settings.learned.slot_offsets_hours
        ]
    slots_us = np.stack(slots, axis=1)
    if rule.priority is Priority.CRITICAL:
        return slots_us
    return after_quiet_hours(slots_us, cases.timezones, quiet=settings.quiet_hours)


def _rule_delay_us(cases: Cases, rule: TriggerRule) -> Ints:
    if rule.delay_hours == "next_active":
        return np.where(cases.nine_is_active, 24, 48) * HOUR_US
    return np.full(cases.n, round(rule.delay_hours * HOUR_US), dtype=np.int64)


def _is_first_of_its_kind(slots_us: Ints) -> Flags:
    """False where an earlier column of the same row holds the same moment."""
    first: Flags = np.ones(slots_us.shape, dtype=bool)
    for slot in range(1, slots_us.shape[1]):
        earlier = slots_us[:, :slot]
        first[:, slot] = (earlier == slots_us[:, slot : slot + 1]).sum(axis=1) == 0
    return first
