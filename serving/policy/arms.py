"""Stable chance: arms and draws that are the same in every process and on every machine."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from features.vocabulary import Arm, Priority

ARMS: Final = tuple(Arm)

_TWO_64 = float(2**64)
_digest = partial(hashlib.blake2b, digest_size=8)


def stable_uniform(*parts: str) -> float:
    """A number in [0, 1) that depends on nothing but the parts.

    >>> stable_uniform("always-on", "c1") == stable_uniform("always-on", "c1")
    True
    >>> round(stable_uniform("always-on", "c1"), 6)
    0.681018
    """
    return float(stable_uniforms(*parts[:-1], names=parts[-1:])[0])


def stable_uniforms(*parts: str, names: Iterable[str]) -> npt.NDArray[np.float64]:
    """`stable_uniform` of the parts and each name, (n,)."""
    before = "".join(f"{part}\x1f" for part in parts)
    digests = b"".join([_digest((before + name).encode()).digest() for name in names])
    numbers: npt.NDArray[np.float64] = np.frombuffer(digests, dtype=">u8") / _TWO_64
    return numbers


def assign_arm(
    customer_id: str, *, experiment: str, shares: Mapping[Arm, float], priority: Priority
) -> Arm:
    """The customer's arm in that experiment; see `assign_arms`."""
    codes = assign_arms([customer_id], experiment=experiment, shares=shares, priority=priority)
    return ARMS[int(codes[0])]


def assign_arms(
    customer_ids: Iterable[str],
    *,
    experiment: str,
    shares: Mapping[Arm, float],
    priority: Priority,
) -> npt.NDArray[np.int64]:
    """The customers' arms as positions in `ARMS`, (n,).

    Nobody is held out from a critical message: who else would be is answered by the rules.
    """
    u = stable_uniforms("arm", experiment, names=customer_ids)
    edges = np.cumsum([shares[arm] for arm in ARMS])
    held_out = ARMS.index(Arm.HOLDOUT)
    place = np.searchsorted(edges, u, side="right")
    codes: npt.NDArray[np.int64] = np.where(place < len(ARMS), place, held_out)
    if priority is Priority.CRITICAL:
        codes[codes == held_out] = ARMS.index(Arm.RULES)
    return codes


def draw_rows(
    probabilities: npt.NDArray[np.float64], *, u: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Index drawn in each row by inverse transform, (n,), from rows (n, k) that sum to 1.

    >>> draw_rows(np.array([[0.2, 0.0, 0.8], [1.0, 0.0, 0.0]]), u=np.array([0.2, 0.999])).tolist()
    [2, 0]
    """
    below = (np.cumsum(probabilities, axis=1) <= u[:, None]).sum(axis=1)
    last = probabilities.shape[1] - 1 - (probabilities[:, ::-1] > 0).argmax(axis=1)
    drawn: npt.NDArray[np.int64] = np.minimum(below, last)
    return drawn
