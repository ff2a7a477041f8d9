"""What a variant is chosen by: few columns, scaled by fixed constants so that states compare.

Variants of one message differ little, so few columns pay. Unknown numbers count as usual ones.
Segments are open text: a bandit gives those that it has met a column each, in the order in which it
met them, and keeps their names. One that it has not met shares the base.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError

Floats = npt.NDArray[np.float64]

CONTEXT_NUMBERS: Final = ("opened_share_90d", "clicked_90d", "messages_30d", "orders_90d")
"""Features of `ENGAGEMENT_FEATURES` that a variant is chosen by, in the order of `numbers`: how
readily somebody opens and clicks, the load of messages, how often they buy."""

LAYOUT: Final = hashlib.blake2b("|".join(CONTEXT_NUMBERS).encode(), digest_size=6).hexdigest()
"""Digest of the names; kept with the numbers."""

_LANGUAGES = ("kk", "ru")  # others share the base
_USUAL = np.array([0.3, 0.7, 1.4, 0.7])  # of the numbers below, in the middle of most companies
_SCALE = np.array([0.3, 0.8, 0.8, 0.8])

N_FIXED: Final = 1 + len(_LANGUAGES) + len(CONTEXT_NUMBERS)
"""Columns that every bandit has; the first is 1. Those of the segments follow."""

MOST_SEGMENTS: Final = 10
"""Segments that get a column; the rest share the base."""


def encode_contexts(
    languages: Sequence[str],
    segments: Sequence[str | None],
    numbers: Floats,
    *,
    known: Sequence[str],
) -> Floats:
    """Contexts as (n, N_FIXED + known segments).

    Args:
        languages: Codes.
        segments: None where unknown.
        numbers: (n, len(CONTEXT_NUMBERS)), NaN where unknown; (n, 0) where none were kept.
        known: Segments that have a column.
    """
    n, width = numbers.shape
    if width not in {0, len(CONTEXT_NUMBERS)}:
        raise BadInputError(
            f"contexts of {width} numbers, expected {len(CONTEXT_NUMBERS)}: {CONTEXT_NUMBERS}"
        )
    encoded = np.zeros((n, N_FIXED + len(known)))
    encoded[:, 0] = 1.0
    for column, language in enumerate(_LANGUAGES, start=1):
        encoded[:, column] = [code == language for code in languages]
    if width:
        grown = numbers.copy()
        grown[:, 1:] = np.log1p(np.maximum(grown[:, 1:], 0.0))  # counts
        scaled = np.clip((grown - _USUAL) / _SCALE, -3.0, 3.0)
        encoded[:, 1 + len(_LANGUAGES) : N_FIXED] = np.nan_to_num(scaled, nan=0.0)
    column_of = {segment: N_FIXED + at for at, segment in enumerate(known)}
    columns = np.array([column_of.get(segment or "", 0) for segment in segments], dtype=np.int64)
    encoded[np.arange(n), columns] = 1.0  # without a column of its own: the constant, which is 1
    return encoded


def meet_segments(known: tuple[str, ...], segments: Sequence[str | None]) -> tuple[str, ...]:
    """The known segments and those of these that are new, by name, as far as there is room.

    >>> meet_segments(("student",), ["family", None, "student", "business"])
    ('student', 'business', 'family')
    """
    new = sorted({segment for segment in segments if segment} - set(known))
    return (*known, *new)[: max(MOST_SEGMENTS, len(known))]
