"""Whether data comes at all: the last row of any table beside the clock.

`check_tables` compares tables with the moment of the question. Where that moment is the last row
that there is, a feed that died as a whole looks well; only the clock can tell.
"""

from datetime import datetime, timedelta

from training.monitoring.status import Check, Finding, conclude, grade

WATCH_DAYS = 2.0
_FRESH = "the last day of the tables is recent"
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
    age = max(0.0, (now - last_known) / timedelta(days=1))
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
