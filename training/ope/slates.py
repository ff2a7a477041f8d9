"""Slates: several messages or banners shown together, in places one below the other.

Each place has an action and a reward of its own. How much of a log can be used depends on what a
reader is taken to look at:

| looking | the reward of a place depends on | weight of a place |
|---|---|---|
| at each place | its own action | of its own action alone (Li et al. 2018) |
| down the places | its own and those above | of all down to it (RIPS, McInerney et al. 2020) |
| at the whole | all of them | of all of them |

The fewer actions a weight is of, the narrower the interval, and the more is assumed; what is
assumed and wrong is a bias that no interval shows. Where only the whole slate has a reward and
places add up, there is the pseudo-inverse (Swaminathan et al. 2017).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from features.errors import BadInputError
from training.measures import Bools, Floats, Integers
from training.ope.estimators import Parts
from training.ope.weighted import Names, WeightedLog


class Looking(StrEnum):
    """What the reward of a place depends on."""

    EACH_PLACE = "each_place"
    DOWN_THE_PLACES = "down_the_places"
    WHOLE = "whole"


@dataclass(frozen=True)
class SlateLog:
    """Actions at their places, one row each, in any order.

    Attributes:
        slates: Which slate, (n,).
        customers: Who saw it, (n,).
        places: From 0, the first, on, (n,).
        rewards: What came of the place, (n,).
        alone: Probability of the action at its place under the target over the logged one, whatever
            stood at the other places, (n,).
        given_above: The same, given what stood at the places above; None where that is not known,
            (n,). For policies that fill every place by itself it is the same.
        is_supported: Whether every action that the target may show there could have been, (n,).
    """

    slates: Names
    customers: Names
    places: Integers | None
    rewards: Floats
    alone: Floats
    given_above: Floats | None
    is_supported: Bools

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.slates)


def weigh_slates(log: SlateLog, *, looking: Looking) -> WeightedLog:
    """The log as estimators see it; the estimate is of the rewards of a whole slate.

    Args:
        log: Where rows are missing, as in a sample of banners, only `EACH_PLACE` can be had, for a
            slate that has all places.
        looking: What is assumed.

    Raises:
        BadInputError: The log has no places, or not what the assumption asks for.
    """
    places = _require_places(log)
    counts = np.bincount(places)
    weights = log.alone
    if looking is not Looking.EACH_PLACE:
        weights = _multiply(log, places, is_whole=looking is Looking.WHOLE)
    return WeightedLog(
        rewards=log.rewards * log.n / counts[places],
        weights=weights,
        expected=None,
        customers=log.customers,
        is_supported=log.is_supported,
    )


def estimate_pseudo_inverse(log: SlateLog) -> tuple[Parts, Names]:
    """The parts of the pseudo-inverse estimate, one row a slate, and whose slate it is.

    With w the weights of the actions alone and r the reward of the slate: r (1 + sum(w - 1)). It is
    this simple for logs whose places were filled independently of each other, and asks that what
    places bring adds up, but not which place brought it.

    Raises:
        BadInputError: The log has no places, or slates lack some.
    """
    order, first = _in_order(log, _require_places(log))
    starts = np.flatnonzero(first)
    rewards = np.add.reduceat(log.rewards[order], starts)
    excess = np.add.reduceat(log.alone[order] - 1.0, starts)
    parts = Parts(np.zeros(len(starts)), rewards * (1.0 + excess), np.ones(len(starts)))
    return parts, log.customers[order][starts]


def _require_places(log: SlateLog) -> Integers:
    if log.places is None:
        raise BadInputError("slates: the log does not say at which place anything stood")
    if not log.n:
        raise BadInputError("slates: the log has no row")
    missing = np.flatnonzero(np.bincount(log.places) == 0)
    if len(missing):
        raise BadInputError(f"slates: no row is of place {missing.tolist()}; places count from 0")
    return log.places


def _in_order(log: SlateLog, places: Integers) -> tuple[Integers, Bools]:
    """Rows by slate and place, (n,), and which of them begin a slate, (n,)."""
    _, slate = np.unique(log.slates, return_inverse=True)
    order = np.lexsort((places, slate))
    first = np.append(True, np.diff(slate[order]) > 0)
    begun = np.flatnonzero(first)
    place_due = np.arange(log.n) - begun[np.cumsum(first) - 1]
    is_whole = np.bincount(slate, minlength=len(begun)) == places.max() + 1
    n_broken = len(np.unique(slate[order][places[order] != place_due]))
    if n_broken or not is_whole.all():
        n_lacking = max(n_broken, int((~is_whole).sum()))
        raise BadInputError(
            f"slates: {n_lacking:,} of {len(begun):,} lack places or have one twice: rows say what "
            f"stood there, not what stood above; only {Looking.EACH_PLACE} can be had"
        )
    return order.astype(np.int64), first


def _multiply(log: SlateLog, places: Integers, *, is_whole: bool) -> Floats:
    """Weights of all actions down to each place, or of the whole slate, (n,)."""
    order, first = _in_order(log, places)
    if log.given_above is None:
        raise BadInputError("slates: they lack the probabilities given what stood above")
    down = np.cumprod(log.given_above[order].reshape(int(first.sum()), -1), axis=1)
    weights = np.empty(log.n)
    weights[order] = (np.broadcast_to(down[:, -1:], down.shape) if is_whole else down).ravel()
    return weights
