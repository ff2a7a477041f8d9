"""Whether data comes at all: the last row of any table beside the clock.

`check_tables` compares tables with the moment of the question. Where that moment is the last row
that there is, a feed that died as a whole looks well; only the clock can tell.
"""

from datetime import datetime, timedelta

from training.monitoring.status import Check, Finding, Status, conclude, grade

WATCH_DAYS = 2.0
_MOST_AHEAD_DAYS = 1.0  # clocks and zones differ
_FRESH = "the last day of the tables is recent"
_AHEAD = (
    "a row is dated after the clock: how fresh the others are cannot be told, and all that follows "
    "is as of that row; `opportune check` names it, --as-of leaves it out"
)
_STALE = (
    "nothing has come since: either the feed died as a whole, or this is the past; all that "
    "follows is about the tables' last day, not about today"
)


def check_freshness(
    last_known: datetime, *, now: datetime, alarm_days: float | None = None
) -> Check:
    """How old the last row of any table is.

    Args:
        last_known: Aware moment at which everything in the tables was known.
        now: Aware moment of the clock.
        alarm_days: Age from which it alarms; None where old tables are nothing wrong in
            themselves, as in a demonstration: then they are at most watched, from two days on.
    """
    age = (now - last_known) / timedelta(days=1)
    if age < -_MOST_AHEAD_DAYS:
        return _tell_ahead(last_known, days=-age, alarms=alarm_days is not None)
    age = max(0.0, age)
    alarm_from = float("inf") if alarm_days is None else alarm_days
    watch_from = min(WATCH_DAYS, alarm_from)
    found = Finding(
        subject="last row of any table",
        status=grade(age, watch_from=watch_from, alarm_from=alarm_from),
        value=age,
        watch_from=watch_from,
        alarm_from=alarm_from,
        words=f"the last row of any table became known at {last_known:%Y-%m-%d %H:%M} UTC, "
        f"{age:,.1f} days before the clock",
        unit="days",
    )
    return conclude(
        "data", [found], measure="days since the last row", fine=_FRESH, not_fine=_STALE
    )


def _tell_ahead(last_known: datetime, *, days: float, alarms: bool) -> Check:
    status = Status.ALARM if alarms else Status.WATCH
    found = Finding(
        subject="last row of any table",
        status=status,
        value=days,
        watch_from=_MOST_AHEAD_DAYS,
        alarm_from=_MOST_AHEAD_DAYS if alarms else float("inf"),
        words=f"the last row of any table is known from {last_known:%Y-%m-%d %H:%M} UTC on, "
        f"{days:,.1f} days after the clock",
        unit="days ahead",
    )
    measure = "days ahead of the clock"
    return conclude("data", [found], measure=measure, fine=_FRESH, not_fine=_AHEAD)
