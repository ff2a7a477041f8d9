"""Moments without a message: after the occasion, in the customer's night, during an incident."""

import numpy as np

from features.vocabulary import Priority
from serving.policy.cases import Cases, Flags, Ints
from serving.policy.hours import is_quiet, local_us
from serving.policy.settings import QuietHours, TriggerRule


def is_in_quiet_hours(
    cases: Cases, *, slots_us: Ints, rule: TriggerRule, quiet: QuietHours
) -> Flags:
    """Moments in the quiet hours of the customer's zone, (n, S); critical messages pass.

    Moments are put after the quiet hours when they are proposed; this is the lock behind it.
    """
    if rule.priority is Priority.CRITICAL:
        return np.zeros(slots_us.shape, dtype=bool)
    return is_quiet(local_us(cases.timezones, slots_us), quiet)


def is_over(cases: Cases, *, slots_us: Ints) -> Flags:
    """Moments at which the occasion has ended, (n, S)."""
    return np.asarray(slots_us > cases.occasions.expires_us[:, None])


def is_paused(cases: Cases, *, slots_us: Ints) -> Flags:
    """Moments of marketing within an incident that touches the customer, (n, S)."""
    paused = np.zeros(slots_us.shape, dtype=bool)
    pauses = cases.pauses
    if cases.trigger.is_service or not len(pauses.row):
        return paused
    moments = slots_us[pauses.row]
    within = (pauses.from_us[:, None] <= moments) & (moments < pauses.until_us[:, None])
    np.logical_or.at(paused, pauses.row, within)
    return paused
