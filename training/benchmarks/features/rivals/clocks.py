"""Hours ahead of UTC by zone, as one writes them down by hand for half a year of data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_FROM: Final = datetime(2025, 12, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2026, 8, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


def list_offsets(zones: tuple[str, ...]) -> dict[str, list[tuple[int, int]]]:
    """By zone, from which UTC microsecond its clocks were how many microseconds ahead."""
    return {zone: list(_find_changes(ZoneInfo(zone))) for zone in zones}


def _find_changes(zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Changes fall on whole hours, so that it is enough to look at those."""
    last = None
    for n in range((_UNTIL - _FROM) // timedelta(hours=1)):
        hour = _FROM + timedelta(hours=n)
        ahead = hour.astimezone(zone).utcoffset()
        if ahead != last and ahead is not None:
            yield (hour - _EPOCH) // _TICK, ahead // _TICK
        last = ahead


def write_offset(zones: tuple[str, ...], *, zone: str, t: str) -> str:
    """The same as one SQL expression of a zone and a moment."""
    cases = []
    for name, changes in list_offsets(zones).items():
        ahead = str(changes[0][1])
        for begins, offset in changes[1:]:
            ahead = f"CASE WHEN {t} >= {begins} THEN {offset} ELSE {ahead} END"
        cases.append(f"WHEN '{name}' THEN {ahead}")
    return f"CASE {zone} {' '.join(cases)} END"
