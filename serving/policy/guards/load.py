"""How much a customer bears: messages a day and a week, messages unopened, rest per trigger."""

from dataclasses import dataclass

import numpy as np

from features.vocabulary import Priority
from serving.policy.cases import DAY_US, HOUR_US, Cases, Flags, Ints
from serving.policy.settings import Fatigue, TriggerRule

_WEEK_US = 7 * DAY_US


@dataclass(frozen=True)
class Load:
    """Contacts around each moment of sending, (n, S) each.

    A contact counts when it lies within the period on either side of the moment, so that adding
    a message before one that is planned already cannot break a limit either.

    Attributes:
        day: Within 24 hours.
        week: Within 7 days.
        opened: Of the week's, opened by a human.
        cooling: About the same trigger, within its cool-down.
    """

    day: Ints
    week: Ints
    opened: Ints
    cooling: Ints

    @classmethod
    def count(cls, cases: Cases, *, slots_us: Ints, rule: TriggerRule) -> "Load":
        """Count the contacts of the cases' customers."""
        contacts = cases.contacts
        counts = [np.zeros(slots_us.shape, dtype=np.int64) for _ in range(4)]
        if len(contacts.row):
            distance = np.abs(slots_us[contacts.row] - contacts.at_us[:, None])
            week = distance < _WEEK_US
            cool_down = distance < rule.cool_down_hours * HOUR_US
            marks = (
                distance < DAY_US,
                week,
                week & contacts.opened[:, None],
                cool_down & contacts.same_trigger[:, None],
            )
            order = np.argsort(contacts.row, kind="stable")
            rows, starts = np.unique(contacts.row[order], return_index=True)
            for count, mark in zip(counts, marks, strict=True):
                count[rows] = np.add.reduceat(mark[order], starts, axis=0, dtype=np.int64)
        return cls(*counts)


def is_cooling_down(load: Load) -> Flags:
    """Moments too near to another message about the same trigger, (n, S); holds for all."""
    return np.asarray(load.cooling > 0)


def is_too_much_today(load: Load, *, rule: TriggerRule, fatigue: Fatigue) -> Flags:
    """Moments with as many messages around them as a day bears, (n, S)."""
    return np.asarray(load.day >= fatigue.max_per_day) & _counts(rule)


def is_too_much_this_week(load: Load, *, rule: TriggerRule, fatigue: Fatigue) -> Flags:
    """Moments with as many messages around them as a week bears, (n, S)."""
    return np.asarray(load.week >= fatigue.max_per_week) & _counts(rule)


def is_unread(load: Load, *, rule: TriggerRule, fatigue: Fatigue) -> Flags:
    """Moments with several messages around them, none of which a human opened, (n, S)."""
    unread = (load.week >= fatigue.unopened_per_week) & (load.opened == 0)
    return np.asarray(unread) & _counts(rule)


def _counts(rule: TriggerRule) -> bool:
    """Whether marketing's limits hold: critical messages pass them."""
    return rule.priority is not Priority.CRITICAL
