"""Where chance comes from: one seed, a generator per day and subject, and luck tied to a message.

Nothing is drawn from a running stream. Organic life of a day comes from a counter-based generator
(Philox; Salmon et al. 2011) keyed by seed, subject and day, in arrays over all customers: the same
whatever messages were sent and however `advance` was cut into steps. What comes of a message is a
stable hash of seed, customer, trigger, channel and moment: two policies that send the same message
share its luck, and the order in which messages are handed over changes nothing.
"""

from functools import cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from training.world.clock import Floats

Keys = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@cache
def stable_bits(*parts: str | int) -> int:
    """64 bits that depend on these parts alone, in every process and on every machine.

    >>> stable_bits("order", 7) == stable_bits("order", 7) != stable_bits("order", 8)
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


class Luck:
    """All chance of one world.

    Attributes:
        seed: Same seed, same world.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of_day(self, day: int, *, subject: str) -> np.random.Generator:
        """The generator of one subject on one day; asked again it starts anew."""
        key = np.array([stable_bits("luck", self.seed), stable_bits(subject)], dtype=np.uint64)
        # Days before the epoch are never asked for; the counter is unsigned.
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, day]))

    def keys(self, *parts: npt.NDArray[np.int64]) -> Keys:
        """One key per row from the row's integers; uniforms are drawn from keys."""
        folded = np.full(parts[0].shape, stable_bits("luck", self.seed), dtype=np.uint64)
        for part in parts:
            folded = _mix((folded ^ part.astype(np.uint64)) + _GOLDEN)
        return folded

    def uniform(self, keys: Keys, *, purpose: str) -> Floats:
        """A uniform number in (0, 1) per key, independent between purposes."""
        bits = _mix(keys ^ np.uint64(stable_bits(purpose)))
        uniform: Floats = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        return uniform


def _mix(bits: Keys) -> Keys:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014); arithmetic is modulo 2**64."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))
