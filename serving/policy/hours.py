"""Local time in columns: offsets, quiet hours, hours of the week; daylight saving right."""

from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from serving.policy.cases import DAY_US, HOUR_US, QUARTER_US, Flags, Ints, from_us
from serving.policy.settings import QuietHours

_MANY_QUARTERS = 4_096  # six weeks
_MONDAY_OFFSET_HOURS = 3 * 24  # the epoch was a Thursday


@lru_cache(maxsize=500_000)
def _offset_us(timezone: str, quarter: int) -> int:
    offset = from_us(quarter * QUARTER_US).astimezone(ZoneInfo(timezone)).utcoffset()
    assert offset is not None  # noqa: S101  # an aware moment has an offset
    return round(offset.total_seconds()) * 1_000_000


def local_us(timezones: tuple[str, ...], at_us: Ints) -> Ints:
    """Local wall time, as microseconds since a local epoch, of UTC moments (n, ...)."""
    if not at_us.size:
        return at_us.copy()
    labels, place = _list_quarters(at_us // QUARTER_US)
    codes = {zone: code for code, zone in enumerate(dict.fromkeys(timezones))}
    of_row = np.array([codes[zone] for zone in timezones], dtype=np.int64)
    at = of_row.reshape(-1, *[1] * (at_us.ndim - 1)), place
    offsets = np.zeros((len(codes), len(labels)), dtype=np.int64)
    offsets[at] = 1  # marks those that are asked for
    for zone, code in codes.items():
        asked = np.flatnonzero(offsets[code])
        offsets[code, asked] = [_offset_us(zone, quarter) for quarter in labels[asked].tolist()]
    local: Ints = at_us + offsets[at]
    return local


def _list_quarters(quarters: Ints) -> tuple[Ints, Ints]:
    """Quarters of an hour in their order, all that there are among them, and the place of each.

    Every zone changes its offset on a quarter of an hour.
    """
    first, last = int(quarters.min()), int(quarters.max())
    if last - first >= _MANY_QUARTERS:  # moments that lie far apart
        labels, place = np.unique(quarters, return_inverse=True)
        return labels, place.reshape(quarters.shape)
    return np.arange(first, last + 1), quarters - first


def hour_of_week(local: Ints) -> Ints:
    """Hour of the week, Monday 0:00 is 0, of local microseconds."""
    return (local // HOUR_US + _MONDAY_OFFSET_HOURS) % 168


def is_quiet(local: Ints, quiet: QuietHours) -> Flags:
    """Whether these local moments lie in quiet hours."""
    hour = local // HOUR_US % 24
    if quiet.from_hour <= quiet.to_hour:
        return (hour >= quiet.from_hour) & (hour < quiet.to_hour)
    return (hour >= quiet.from_hour) | (hour < quiet.to_hour)


def after_quiet_hours(at_us: Ints, timezones: tuple[str, ...], *, quiet: QuietHours) -> Ints:
    """The moments themselves, or the end of the quiet hours they lie in; UTC in and out, (n, S)."""
    local = local_us(timezones, at_us)
    midnight = local // DAY_US * DAY_US
    end = midnight + quiet.to_hour * HOUR_US
    end = np.where(end <= local, end + DAY_US, end)
    # The offset may differ at the end of the night, so it is looked up there once more. Where
    # clocks skip that very hour, this leads back into the night: the skip itself is its end.
    skip = at_us + (end - local)
    there = skip + (end - local_us(timezones, skip))
    there = np.where(is_quiet(local_us(timezones, there), quiet), skip, there)
    return np.where(is_quiet(local, quiet), there, at_us)
