"""Stable chance: arms and draws that are the same in every process and on every machine."""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from features.vocabulary import Arm, Priority

_TWO_64 = float(2**64)


def stable_uniform(*parts: str) -> float:
    """A number in [0, 1) that depends on nothing but the parts.

    >>> stable_uniform("always-on", "c1") == stable_uniform("always-on", "c1")
    True
    >>> round(stable_uniform("always-on", "c1"), 6)
    0.681018
    """
    text = "\x1f".join(parts).encode("utf-8")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return number / _TWO_64


def assign_arm(
    customer_id: str, *, experiment: str, shares: Mapping[Arm, float], priority: Priority
) -> Arm:
    """The customer's arm in that experiment; nobody is held out from a critical message.

    A held-out customer with a critical message is answered by the rules.
    """
    u = stable_uniform("arm", experiment, customer_id)
    edge = 0.0
    arm = Arm.HOLDOUT
    for candidate in Arm:
        edge += shares[candidate]
        if u < edge:
            arm = candidate
            break
    if arm is Arm.HOLDOUT and priority is Priority.CRITICAL:
        return Arm.RULES
    return arm


def draw(probabilities: npt.NDArray[np.float64], *, u: float) -> int:
    """Index drawn by inverse transform from probabilities that sum to 1.

    >>> draw(np.array([0.2, 0.0, 0.8]), u=0.2)
    2
    """
    index = int(np.searchsorted(np.cumsum(probabilities), u, side="right"))
    last = int(np.flatnonzero(probabilities > 0)[-1])
    return min(index, last)
