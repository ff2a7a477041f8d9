"""Moments as people read them: on a clock that is named."""

from datetime import datetime
from zoneinfo import ZoneInfo


def show_moment(moment: datetime, *, zone: str, with_seconds: bool = False) -> str:
    """A moment on the clock of a zone, which is named: nobody has to guess whose it is.

    Args:
        moment: Aware.
        zone: IANA name.
        with_seconds: Where a minute is too coarse.

    >>> show_moment(datetime.fromisoformat("2026-07-14T07:20:05+00:00"), zone="Asia/Almaty")
    '2026-07-14 12:20 (Asia/Almaty)'
    """
    pattern = "%Y-%m-%d %H:%M:%S" if with_seconds else "%Y-%m-%d %H:%M"
    return f"{moment.astimezone(ZoneInfo(zone)):{pattern}} ({zone})"
