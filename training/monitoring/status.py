"""What a check found: a status, the number behind it, the limit, and what it means."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How worried to be, the least first but for `unknown`, which is no answer yet."""

    UNKNOWN = "unknown"
    OK = "ok"
    WATCH = "watch"
    ALARM = "alarm"


_ORDER = (Status.UNKNOWN, Status.OK, Status.WATCH, Status.ALARM)


@dataclass(frozen=True)
class Finding:
    """One thing that a check looked at, e.g. one feature.

    Attributes:
        subject: What was looked at.
        status: How worried to be.
        value: What was measured.
        watch_from: From here on one should watch.
        alarm_from: From here on something must be done.
        words: What was seen.
        unit: Of the three numbers; empty where they have none.
    """

    subject: str
    status: Status
    value: float
    watch_from: float
    alarm_from: float
    words: str
    unit: str = ""

    @property
    def excess(self) -> float:
        """The measured value as a multiple of what is still usual."""
        return self.value / self.watch_from if self.watch_from > 0 else self.value


@dataclass(frozen=True)
class Check:
    """A question about a model and its answer.

    Attributes:
        name: What was asked, e.g. `inputs`.
        status: The worst of its findings.
        measure: What its numbers are.
        findings: Those above `ok`, the worst first; the nearest to its limit where all are.
        n_looked_at: How many things were looked at.
        meaning: What the answer means, in words.
    """

    name: str
    status: Status
    measure: str
    findings: tuple[Finding, ...]
    n_looked_at: int
    meaning: str


def grade(value: float, *, watch_from: float, alarm_from: float) -> Status:
    """The status of a number of which more is worse.

    >>> str(grade(0.2, watch_from=0.1, alarm_from=0.25))
    'watch'
    """
    if value >= alarm_from:
        return Status.ALARM
    return Status.WATCH if value >= watch_from else Status.OK


def worst(statuses: Iterable[Status]) -> Status:
    """The most worrying of them; `unknown` of none.

    >>> str(worst([Status.OK, Status.UNKNOWN])), str(worst([]))
    ('ok', 'unknown')
    """
    return max(statuses, key=_ORDER.index, default=Status.UNKNOWN)


def conclude(
    name: str, findings: Iterable[Finding], *, measure: str, fine: str, not_fine: str
) -> Check:
    """A check of many findings: those that worry, or else the one nearest to its limit.

    Args:
        name: Of the check.
        findings: Everything that was looked at, at least one.
        measure: What the numbers are.
        fine: Its meaning when nothing worries.
        not_fine: Its meaning otherwise.
    """
    everything = sorted(findings, key=lambda one: one.excess, reverse=True)
    everything.sort(key=lambda one: _ORDER.index(one.status), reverse=True)
    status = worst(one.status for one in everything)
    worrying = tuple(one for one in everything if one.status in {Status.WATCH, Status.ALARM})
    return Check(
        name=name,
        status=status,
        measure=measure,
        findings=worrying or tuple(everything[:1]),
        n_looked_at=len(everything),
        meaning=not_fine if worrying else fine,
    )


def cannot_tell(name: str, reason: str) -> Check:
    """A check that has no answer yet."""
    return Check(name, Status.UNKNOWN, "", (), 0, reason)
