"""What a variant is chosen by: few columns, scaled by fixed constants so that states compare.

Variants of one message differ little, so few columns pay. Unknown numbers count as usual ones.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
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
_N_SEGMENT_CODES = 4  # segments are open text: hashed, so that a new one needs no new column
_USUAL = np.array([0.3, 0.7, 1.4, 0.7])  # of the numbers below, in the middle of most companies
_SCALE = np.array([0.3, 0.8, 0.8, 0.8])

N_COLUMNS: Final = 1 + len(_LANGUAGES) + _N_SEGMENT_CODES + len(CONTEXT_NUMBERS)
"""Columns of an encoded context; the first is 1."""


def encode_contexts(
    languages: Sequence[str], segments: Sequence[str | None], numbers: Floats
) -> Floats:
    """Contexts as (n, N_COLUMNS).

    Args:
        languages: Codes.
        segments: None where unknown.
        numbers: (n, len(CONTEXT_NUMBERS)), NaN where unknown; (n, 0) where none were kept.
    """
    n, width = numbers.shape
    if width not in {0, len(CONTEXT_NUMBERS)}:
        raise BadInputError(
            f"contexts of {width} numbers, expected {len(CONTEXT_NUMBERS)}: {CONTEXT_NUMBERS}"
        )
    encoded = np.zeros((n, N_COLUMNS))
    encoded[:, 0] = 1.0
    for column, language in enumerate(_LANGUAGES, start=1):
        encoded[:, column] = [code == language for code in languages]
    first = 1 + len(_LANGUAGES)
    for row, segment in enumerate(segments):
        if segment is not None:
            encoded[row, first + _code(segment)] = 1.0
    if width:
        grown = numbers.copy()
        grown[:, 1:] = np.log1p(np.maximum(grown[:, 1:], 0.0))  # counts
        scaled = np.clip((grown - _USUAL) / _SCALE, -3.0, 3.0)
        encoded[:, first + _N_SEGMENT_CODES :] = np.nan_to_num(scaled, nan=0.0)
    return encoded


@lru_cache(maxsize=4096)
def _code(segment: str) -> int:
    digest = hashlib.md5(segment.encode(), usedforsecurity=False).digest()
    return digest[0] % _N_SEGMENT_CODES
