"""All guards over the cases of one trigger."""

from collections.abc import Sequence

import numpy as np

from features.vocabulary import Channel
from serving.policy.budgets import NO_BUDGETS, Headroom
from serving.policy.cases import Cases, Flags, Ints
from serving.policy.guards.consent import (
    is_suppressed,
    is_unknown,
    is_unreachable,
    lacks_consent,
    lacks_marketing_consent,
)
from serving.policy.guards.load import (
    Load,
    is_cooling_down,
    is_too_much_this_week,
    is_too_much_today,
    is_unread,
)
from serving.policy.guards.moments import is_in_quiet_hours, is_over, is_paused
from serving.policy.guards.spending import exceeds_budget
from serving.policy.guards.verdicts import Verdicts
from serving.policy.settings import CHANNELS, PolicySettings
from serving.records import Reason


def refuse_cases(cases: Cases) -> list[Reason | None]:
    """The first guard that refuses the whole case; None where none does."""
    first: list[Reason | None] = [None] * cases.n
    for reason, no in reversed(_refusals(cases).items()):  # the first comes last and overwrites
        for row in np.flatnonzero(no).tolist():
            first[row] = reason
    return first


def judge_actions(
    cases: Cases,
    *,
    sets: Sequence[tuple[Channel, ...]],
    slots_us: Ints,
    settings: PolicySettings,
    headroom: Headroom = NO_BUDGETS,
) -> Verdicts:
    """What each guard says about each channel set at each moment of sending.

    Args:
        cases: Cases of one trigger.
        sets: K channel sets.
        slots_us: Moments of sending, (n, S).
        settings: The policy.
        headroom: What is left of its budgets.
    """
    rule = settings.triggers[cases.trigger]
    load = Load.count(cases, slots_us=slots_us, rule=rule)
    by_set = {reason: _any_of(no, sets) for reason, no in _closed_channels(cases).items()}
    by_slot = {
        Reason.EXPIRED: is_over(cases, slots_us=slots_us),
        Reason.COOL_DOWN: is_cooling_down(load),
        Reason.FATIGUE_DAY: is_too_much_today(load, rule=rule, fatigue=settings.fatigue),
        Reason.FATIGUE_WEEK: is_too_much_this_week(load, rule=rule, fatigue=settings.fatigue),
        Reason.FATIGUE_UNOPENED: is_unread(load, rule=rule, fatigue=settings.fatigue),
        Reason.INCIDENT: is_paused(cases, slots_us=slots_us),
        Reason.QUIET_HOURS: is_in_quiet_hours(
            cases, slots_us=slots_us, rule=rule, quiet=settings.quiet_hours
        ),
    }
    spent = exceeds_budget(
        cases.trigger, priority=rule.priority, sets=sets, slots_us=slots_us, headroom=headroom
    )
    forbidden: dict[Reason, Flags] = {
        Reason.UNKNOWN_CUSTOMER: is_unknown(cases)[:, None, None],
        Reason.SUPPRESSED: is_suppressed(cases)[:, None, None],
        **{reason: no[:, :, None] for reason, no in by_set.items()},
        **{reason: no[:, None, :] for reason, no in by_slot.items()},
        Reason.BUDGET: spent,
    }
    return Verdicts(forbidden, (cases.n, len(sets), slots_us.shape[1]))


def _refusals(cases: Cases) -> dict[Reason, Flags]:
    """Whole cases that each guard refuses, (n,): no channel is left by the guards so far."""
    verdicts = {
        Reason.UNKNOWN_CUSTOMER: is_unknown(cases),
        Reason.SUPPRESSED: is_suppressed(cases),
    }
    closed = np.zeros_like(cases.consent)
    for reason, no in _closed_channels(cases).items():
        closed = closed | no
        verdicts[reason] = np.asarray(closed.all(axis=1))
    return verdicts


def _closed_channels(cases: Cases) -> dict[Reason, Flags]:
    """Channels that each guard closes, (n, 5)."""
    return {
        Reason.NO_CONSENT: lacks_consent(cases),
        Reason.NO_MARKETING_CONSENT: lacks_marketing_consent(cases),
        Reason.UNREACHABLE: is_unreachable(cases),
    }


def _any_of(closed: Flags, sets: Sequence[tuple[Channel, ...]]) -> Flags:
    """Channel sets with a closed channel among them, (n, K)."""
    columns = [[CHANNELS.index(channel) for channel in channels] for channels in sets]
    return np.stack([closed[:, chosen].any(axis=1) for chosen in columns], axis=1)
