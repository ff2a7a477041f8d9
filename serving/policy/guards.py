"""Hard rules outside any learner. Each guard is a small pure function; together they fail closed.

A guard speaks about whole cases (consent, suppression) or about moments of sending (fatigue,
cool-down), since a message that is too much today may be welcome tomorrow.
"""

from dataclasses import dataclass

import numpy as np

from features.vocabulary import Priority
from serving.policy.cases import DAY_US, HOUR_US, Cases, Flags, Ints
from serving.policy.settings import Fatigue, TriggerRule
from serving.records import Reason

_WEEK_US = 7 * DAY_US


@dataclass(frozen=True)
class SlotVerdicts:
    """Which moments of sending each guard forbids, (n, S) each, in the order they are named."""

    forbidden: dict[Reason, Flags]

    @property
    def allowed(self) -> Flags:
        """Moments that no guard forbids, (n, S)."""
        allowed: Flags = np.stack(list(self.forbidden.values())).sum(axis=0) == 0
        return allowed

    def first_reason(self, row: int, slot: int) -> Reason | None:
        """The first guard that forbids this moment; None when none does."""
        return next((reason for reason, no in self.forbidden.items() if no[row, slot]), None)


def refuse_cases(cases: Cases) -> list[Reason | None]:
    """The first guard that refuses the whole case; None where none does."""
    verdicts: dict[Reason, Flags] = {
        Reason.UNKNOWN_CUSTOMER: ~cases.known,
        Reason.SUPPRESSED: cases.suppressed,
        Reason.NO_CONSENT: np.asarray(~cases.consent.any(axis=1)),
    }
    return [next((r for r, no in verdicts.items() if no[row]), None) for row in range(cases.n)]


def judge_slots(
    cases: Cases, *, slots_us: Ints, rule: TriggerRule, fatigue: Fatigue
) -> SlotVerdicts:
    """Fatigue and cool-down at each moment of sending (n, S).

    A contact counts when it lies within the period on either side of the moment, so that adding
    a message before one that is planned already cannot break a limit either. Critical messages
    pass the fatigue limits, which are marketing's, but not the cool-down.
    """
    within_day, within_week, opened, cooling = _count_contacts(cases, slots_us, rule)
    if rule.priority is Priority.CRITICAL:
        return SlotVerdicts({Reason.COOL_DOWN: cooling > 0})
    return SlotVerdicts(
        {
            Reason.COOL_DOWN: cooling > 0,
            Reason.FATIGUE_DAY: within_day >= fatigue.max_per_day,
            Reason.FATIGUE_WEEK: within_week >= fatigue.max_per_week,
            Reason.FATIGUE_UNOPENED: (within_week >= fatigue.unopened_per_week) & (opened == 0),
        }
    )


def _count_contacts(
    cases: Cases, slots_us: Ints, rule: TriggerRule
) -> tuple[Ints, Ints, Ints, Ints]:
    """Contacts within a day, a week, opened within a week, and cooling: (n, S) each."""
    contacts = cases.contacts
    counts = [np.zeros(slots_us.shape, dtype=np.int64) for _ in range(4)]
    if len(contacts.row) == 0:
        return counts[0], counts[1], counts[2], counts[3]
    distance = np.abs(slots_us[contacts.row] - contacts.at_us[:, None])
    week = distance < _WEEK_US
    cool_down = distance < rule.cool_down_hours * HOUR_US
    for count, marks in zip(
        counts,
        (
            distance < DAY_US,
            week,
            week & contacts.opened[:, None],
            cool_down & contacts.same_trigger[:, None],
        ),
        strict=True,
    ):
        np.add.at(count, contacts.row, marks)
    return counts[0], counts[1], counts[2], counts[3]
