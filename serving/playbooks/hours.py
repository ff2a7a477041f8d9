"""Working hours: what is due falls into those of whoever does it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from features.errors import BadInputError
from serving.playbooks.settings import WEEKDAYS, Team

_MOST_DAYS = 8  # a team works on one day of the week at least


def find_due(made_at: datetime, *, within_hours: float, team: Team) -> datetime:
    """When a task is due: so many hours later, where people work then.

    A moment outside of working hours moves back to when people left last, where that leaves an
    hour for the task; else on to the end of the first whole hour in which they work. Days on which
    clocks are put forward or back count as the zone has them.

    >>> from datetime import UTC
    >>> from serving.playbooks.settings import default_playbooks
    >>> csm = default_playbooks().teams["csm"]
    >>> friday = datetime(2026, 6, 12, 13, tzinfo=UTC)  # 18:00 in Almaty
    >>> find_due(friday, within_hours=8, team=csm).isoformat()  # Monday, an hour into the day
    '2026-06-15T05:00:00+00:00'
    """
    wanted = made_at + timedelta(hours=within_hours)
    if is_working(wanted, team=team):
        return wanted
    before = _last_end(wanted, team=team)
    if before is not None and before - made_at >= timedelta(hours=1):
        return before
    start = next_start(made_at, team=team)
    left = _end_of(start, team=team)
    if start + timedelta(hours=1) > left:
        start = next_start(left, team=team)
    return start + timedelta(hours=1)


def is_working(moment: datetime, *, team: Team) -> bool:
    """Whether people of the team work then."""
    local = moment.astimezone(ZoneInfo(team.zone))
    return WEEKDAYS[local.weekday()] in team.days and team.from_hour <= local.hour < team.to_hour


def next_start(moment: datetime, *, team: Team) -> datetime:
    """The moment itself where people work then, else when they next begin."""
    if is_working(moment, team=team):
        return moment
    local = moment.astimezone(ZoneInfo(team.zone))
    for days in range(_MOST_DAYS):
        start = _at_hour(local + timedelta(days=days), team.from_hour)
        if start >= local and WEEKDAYS[start.weekday()] in team.days:
            return start.astimezone(moment.tzinfo)
    raise BadInputError(f"team in {team.zone}: works on no day")


def _last_end(moment: datetime, *, team: Team) -> datetime | None:
    """When people of the team left last before a moment, in the week before it."""
    local = moment.astimezone(ZoneInfo(team.zone))
    for days in range(_MOST_DAYS):
        day = local - timedelta(days=days)
        end = _end_of(day, team=team)
        if end <= local and WEEKDAYS[day.weekday()] in team.days:
            return end.astimezone(moment.tzinfo)
    return None


def _end_of(day: datetime, *, team: Team) -> datetime:
    """When people of the team leave on the day of a moment."""
    local = day.astimezone(ZoneInfo(team.zone))
    return _at_hour(local, 0) + timedelta(hours=team.to_hour)


def _at_hour(local: datetime, hour: int) -> datetime:
    return local.replace(hour=hour, minute=0, second=0, microsecond=0)
