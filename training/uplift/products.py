"""Effects as a product of few numbers: group x treatment x reach.

A message that is not noticed changes nothing, and it brings no more orders than are booked to it
and prevents no more calls than those who notice it would make. So who notices, and who orders after
noticing, tells who can be moved. Such outcomes are plenty and free of the noise of those that were
not written to, which leaves the trial with few questions: which share of them is brought about.

The numbers are fitted to what is left of the outcome beside what is left of the reach, each less
its expectation by the known probabilities (Robinson 1988; Nie & Wager 2021): treatments that would
be noticed more than others tell as much as those who were left without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.measures import Bools, Floats
from training.registry.servable import ReachEffect
from training.uplift.trial import NONE, Trial

_FACTOR_SD: Final = 0.05
_SHARE_MEAN, _SHARE_SD = 0.5, 0.29  # of a uniform distribution between none and all
_SPREADS: Final = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
_N_ROUNDS: Final = 6
_N_NODES: Final = 8
_TINY: Final = 1e-12


def fit_products(
    trial: Trial, expected: Floats, *, room: Floats | None = None, z: Floats | None = None
) -> ReachEffect:
    """Effect = by_group x by_treatment x reach, in turns.

    The numbers of a family of bounded groups are shares of the outcomes that could be brought
    about: drawn to the family's mean as far as they are unsure, none below 0 or beyond 1. Those of
    the other groups are drawn to that of all of them by empirical Bayes. The treatments' factors
    are drawn to 1, with a standard deviation of 0.05: what channels bring is in the reach already.

    Args:
        trial: The rows.
        expected: Their expected outcome over what could have been given, (n,).
        room: How much of what is brought about can be seen in the outcome, (n,); see `find_room`.
            Not given: all.
        z: The groups' numbers are moved by so many posterior standard deviations, (groups,): a
            draw from the posterior. Not given: its middle.
    """
    group, n_k = trial.group, trial.n_treatments
    n_groups = int(group.max(initial=0)) + 1
    left = trial.outcome - expected
    noise = _find_noise(left, trial)
    # By treatment: whether it was given, less its probability, times its reach.
    got = (trial.treatment[:, None] == np.arange(n_k)) & (trial.treatment != NONE)[:, None]
    reached = (got - trial.p_each) * trial.reach
    if room is not None:
        reached = reached * room[:, None]
    by_treatment, middle, sd = np.ones(n_k), np.zeros(n_groups), np.zeros(n_groups)
    for _ in range(_N_ROUNDS):
        h = reached @ by_treatment
        own = left - _find_brought(trial, middle)
        precision = np.bincount(group, h * h / noise, n_groups).astype(np.float64)
        found = np.bincount(group, h * own / noise, n_groups).astype(np.float64)
        middle, sd = _find_numbers(found, precision, families=trial.bounded)
        columns = reached * middle[group][:, None]
        weighed = columns / noise[:, None]
        shrunk = weighed.T @ columns + np.eye(n_k) * _FACTOR_SD**-2
        by_treatment = np.linalg.solve(shrunk, weighed.T @ own + _FACTOR_SD**-2)
    drawn = middle if z is None else middle + z[:n_groups] * sd
    return ReachEffect(tuple(drawn.tolist()), tuple(by_treatment.tolist()))


def find_room(trial: Trial, without: Floats) -> Floats:
    """Share of what a treatment brings about that the outcome shows, (n,).

    Where the outcome is whether there was any order, one more is seen only of those who would have
    had none: 1 less the expected outcome without treatment.
    """
    crowded = np.isin(trial.group, list(trial.crowded))
    room: Floats = np.where(crowded, np.clip(1.0 - without, 0.05, 1.0), 1.0)
    return room


def _find_brought(trial: Trial, shares: Floats) -> Floats:
    """What other messages brought about of each outcome, (n,), were these their shares.

    Who was left without a message gets more of the later ones, and an outcome that they bring about
    hides what this one does. Blipping down (Robins 1994, structural nested mean models) takes it
    out.
    """
    if trial.other is None:
        return np.zeros(len(trial.outcome))
    known = (trial.other != NONE) & np.isin(trial.other, list(frozenset().union(*trial.bounded)))
    brought: Floats = np.where(known, shares[np.where(known, trial.other, 0)], 0.0)
    return brought


def _find_noise(left: Floats, trial: Trial) -> Floats:
    """Variance of what is left of the outcome, by group, (n,)."""
    n = np.maximum(np.bincount(trial.group), 1)
    noise = np.maximum(np.bincount(trial.group, left**2) / n, _TINY)
    by_row: Floats = noise[trial.group]
    return by_row


def _find_numbers(
    found: Floats, precision: Floats, *, families: tuple[frozenset[int], ...]
) -> tuple[Floats, Floats]:
    """Number of each group and its standard deviation, (groups,) each."""
    n_groups = len(found)
    inside = [np.array(sorted(g for g in f if g < n_groups), dtype=np.int64) for f in families]
    is_free = np.ones(n_groups, dtype=bool)
    is_free[[at for family in inside for at in family]] = False
    rest = _shrink(np.where(is_free, found, 0.0), np.where(is_free, precision, 0.0))
    middle, sd = rest[0].copy(), rest[1].copy()
    shares = pool_shares([(found[at], precision[at]) for at in inside])
    for at, (middles, sds) in zip(inside, shares, strict=True):
        middle[at], sd[at] = middles, sds
    return middle, sd


def pool_shares(families: Sequence[tuple[Floats, Floats]]) -> list[tuple[Floats, Floats]]:
    """Shares of the groups of each family, and their standard deviations, (groups,) each.

    A family may achieve nothing at all (a mass at zero; Mitchell & Beauchamp 1988), else its shares
    are those of `_pool_family`. How often a family achieves something is not known beforehand
    (Jeffreys' prior over that rate), so the families tell of each other: where one surely achieves
    nothing, another must show more to be believed, and where one surely does something, less
    (Scott & Berger 2010: so the prior itself pays for how many are tried).

    Args:
        families: Of each, the sums of what was found, weighed by its precision, (groups,), and the
            precision, 1 / variance of each estimate, (groups,); 0 where nothing was seen.
    """
    pooled = [_pool_family(found, precision) for found, precision in families]
    chances = _weigh_families(np.array([family.log_bayes for family in pooled]))
    return [family.weigh(chance) for family, chance in zip(pooled, chances, strict=True)]


@dataclass(frozen=True)
class _Pooled:
    """A family, were it to achieve something.

    Attributes:
        mean: Share of each group, (groups,).
        square: Mean of its square, (groups,).
        log_bayes: How much better than nothing at all it explains what was found, in logs.
    """

    mean: Floats
    square: Floats
    log_bayes: float

    def weigh(self, chance: float) -> tuple[Floats, Floats]:
        """Shares and their standard deviations, where this is the chance of anything at all."""
        mean = chance * self.mean
        sd: Floats = np.sqrt(np.maximum(chance * self.square - mean**2, 0.0))
        return np.clip(mean, 0.0, 1.0), sd


def _pool_family(found: Floats, precision: Floats) -> _Pooled:
    """Shares that are normal around the family's mean.

    Of the mean nothing is believed but that it lies between none and all; how far shares spread is
    summed over, each spread by how well it explains what was found (Gelman 2006: even over the
    spread).
    """
    seen = precision > 0
    own = np.divide(found, precision, out=np.zeros(len(found)), where=seen)
    error = np.divide(1.0, precision, out=np.full(len(found), np.inf), where=seen)
    logs, means, squares = [], [], []
    for spread in _SPREADS:
        among = np.where(seen, 1.0 / (spread**2 + error), 0.0)
        centre_precision = among.sum() + _SHARE_SD**-2
        centre = ((among * own).sum() + _SHARE_MEAN * _SHARE_SD**-2) / centre_precision
        misfit = (among * (own - centre) ** 2).sum() + (centre - _SHARE_MEAN) ** 2 / _SHARE_SD**2
        logs.append(0.5 * np.log(among[seen]).sum() - 0.5 * np.log(centre_precision) - 0.5 * misfit)
        pulled = 1.0 / (1.0 + precision * spread**2)  # how far each is drawn to the mean
        means.append(pulled * centre + (1.0 - pulled) * own)
        variance = pulled * spread**2 + pulled**2 / centre_precision
        squares.append(variance + means[-1] ** 2)
    likely = np.exp(np.array(logs) - max(logs))
    odds = likely / likely.sum()
    # Nothing at all: no spread, and a centre that is known to be 0.
    none = 0.5 * np.log(precision[seen]).sum() - 0.5 * (precision * own**2).sum()
    something = max(logs) + np.log(likely.mean()) - np.log(_SHARE_SD)
    return _Pooled(odds @ np.array(means), odds @ np.array(squares), float(something - none))


def _weigh_families(log_bayes: Floats) -> Floats:
    """P(each family achieves something), (families,).

    The rate of families that do is summed over Gauss-Chebyshev nodes, which are even under
    Jeffreys' prior and exact for as few families as these.
    """
    angles = (2.0 * np.arange(_N_NODES) + 1.0) * np.pi / (2.0 * _N_NODES)
    rate = 0.5 * (1.0 + np.cos(angles))[:, None]
    top = np.maximum(log_bayes, 0.0)
    some, none = rate * np.exp(log_bayes - top), (1.0 - rate) * np.exp(-top)
    weights = np.prod(some + none, axis=1, keepdims=True)
    chances: Floats = (weights * some / (some + none)).sum(axis=0) / weights.sum()
    return chances


def _shrink(found: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Slope of each group drawn to the common one, and its standard deviation.

    The spread between groups is DerSimonian & Laird's moment estimate.
    """
    seen: Bools = precision > 0
    n, total = len(found), max(float(precision.sum()), _TINY)
    common = float(found.sum()) / total
    own = np.divide(found, precision, out=np.full(n, common), where=seen)
    spread = float((precision * (own - common) ** 2).sum()) - (int(seen.sum()) - 1)
    scale = total - float((precision**2).sum()) / total
    variance = max(spread / max(scale, _TINY), 0.0)
    if variance == 0.0 or seen.sum() < 2:
        return np.full(n, common), np.full(n, total**-0.5 if seen.any() else 0.0)
    among = 1.0 / (variance + np.divide(1.0, precision, out=np.full(n, np.inf), where=seen))
    centre = float((among * own).sum() / among.sum())
    sharper = precision + 1.0 / variance
    shrunk: Floats = (found + centre / variance) / sharper
    sd: Floats = sharper**-0.5
    return shrunk, sd
