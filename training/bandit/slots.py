"""Exploring hours: a share of slots is drawn, so that what the hour does can be learned.

Without it everybody is written to in the hour that looks best, and whether that hour is better
cannot be told from the log any more.
"""

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def explore_slots(worth: Floats, *, allowed: Flags, share: float) -> Floats:
    """P(each slot): the best allowed one, but for a share that is drawn evenly from the allowed.

    So each allowed slot has at least share / (number of allowed slots), which is what a log must
    keep beside the slot that was taken. Of slots worth the same the first is the best.

    Args:
        worth: Of each slot, (n, S), in any unit.
        allowed: Slots that may be used, (n, S).
        share: Of the decisions that explore, above 0, at most 1.

    Returns:
        Shape (n, S); rows sum to 1, and to 0 where nothing is allowed.

    Raises:
        BadInputError: The share is no share, or the shapes differ.

    >>> explore_slots(np.array([[1.0, 3.0, 2.0]]), allowed=np.array([[True, True, False]]),
    ...               share=0.2).tolist()
    [[0.1, 0.9, 0.0]]
    """
    if not 0.0 < share <= 1.0:
        raise BadInputError(f"the share of slots that explore is in (0, 1], got {share}")
    if worth.shape != allowed.shape:
        raise BadInputError(f"slots of shape {worth.shape} with verdicts of {allowed.shape}")
    n_allowed = allowed.sum(axis=1, keepdims=True)
    p: Floats = share * allowed / np.maximum(n_allowed, 1)
    best = np.where(allowed, worth, -np.inf).argmax(axis=1)
    rows = np.flatnonzero(n_allowed[:, 0] > 0)
    p[rows, best[rows]] += 1.0 - share
    return p
