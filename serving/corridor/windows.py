"""When a veto window ends: owners sleep, and silence at night is no yes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from serving.corridor.settings import Corridor
from serving.policy.settings import QuietHours


def end_window(corridor: Corridor, *, minutes: int, now: datetime) -> datetime:
    """The end of a window that begins now, or in the morning where it would touch a night.

    Args:
        corridor: Zone and quiet hours.
        minutes: Length; 0 ends at once, at night too.
        now: Aware.
    """
    end = now + timedelta(minutes=minutes)
    quiet = corridor.quiet
    if minutes == 0 or quiet is None or quiet.from_hour == quiet.to_hour:
        return end
    morning = _find_morning(now, end, zone=ZoneInfo(corridor.zone), quiet=quiet)
    return end if morning is None else morning + timedelta(minutes=minutes)


def _find_morning(
    now: datetime, end: datetime, *, zone: ZoneInfo, quiet: QuietHours
) -> datetime | None:
    """The end of the first night that the window touches; None where it touches none."""
    today = now.astimezone(zone).date()
    for n_days in (-1, 0, 1):  # a window is shorter than a day
        day = today + timedelta(days=n_days)
        wakes = day if quiet.to_hour > quiet.from_hour else day + timedelta(days=1)
        night = datetime.combine(day, time(quiet.from_hour), zone).astimezone(UTC)
        morning = datetime.combine(wakes, time(quiet.to_hour), zone).astimezone(UTC)
        if night < end and now < morning:
            return morning
    return None
