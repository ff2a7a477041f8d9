"""Blocks of time: two weeks each, so that each holds every weekday as often as the others."""

from datetime import UTC, datetime, timedelta

import numpy as np

from training.datasets.provenance import Moments
from training.measures import Integers

BLOCK_DAYS = 14
N_REFERENCE_BLOCKS = 8
BLOCK = timedelta(days=BLOCK_DAYS)


def find_blocks(moments: Moments, *, until: datetime) -> Integers:
    """Block of each moment (n,) at or before `until`; 0 is the last, the others lie before it."""
    ages = to_utc64(until) - moments
    blocks: Integers = (ages // np.timedelta64(BLOCK)).astype(np.int64)
    return blocks


def stretch(known_until: datetime, *, now: datetime) -> float:
    """How much further the last block lies from the reference than the reference's own last one.

    What moves steadily, such as the age of accounts, moves in proportion to time, and its
    distance from where it was with the square of it.

    >>> from datetime import UTC
    >>> trained = datetime(2026, 6, 1, tzinfo=UTC)
    >>> stretch(trained, now=trained), stretch(trained, now=trained + timedelta(days=56))
    (1.0, 4.0)
    """
    usual = (
        N_REFERENCE_BLOCKS * BLOCK / 2
    )  # from the middle of the last block to that of the others
    further = max(timedelta(0), now - known_until)
    return float(((usual + further) / usual) ** 2)


def to_utc64(moment: datetime) -> np.datetime64:
    """The moment in UTC microseconds without a zone."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
