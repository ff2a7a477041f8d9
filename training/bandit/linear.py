"""A linear model of the reward beside the logistic memories, trusted as far as it foretells.

Where the reader all but decides the outcome (success is near certain with one arm and near
impossible with the others), a logistic model that expects rates of a few per cent learns little
from each failure: its rows weigh p (1 - p). Least squares give every row its full weight and are
sure after a few (LinUCB and its kin: Li et al. 2010, Agrawal and Goyal 2013). Where rates are low
the logistic memories foretell better within a few hundred trials, and the linear model is not
asked.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from features.errors import BadInputError
from training.bandit.sites import Designs, Floats, Pool, Rows, Sites, Spread, solve_pool

_LEAST_P = 0.01  # a line leaves [0, 1]; what it foretells does not
_MOST_TRIALS = 100.0
_SURE = 30.0  # log odds


@dataclass(frozen=True)
class LinearSettings:
    """What the linear model believes, on the scale of rewards.

    Attributes:
        trust: Before the first reward.
        noise: Variance of a reward about the line; small, as where this model is of use.
        shared: Variance of the slopes that arms share.
        own: Variance of every arm's own coefficients.
        length: Trials it spans, in multiples of the shortest useful memory.
    """

    trust: float = 0.05
    noise: float = 0.01
    shared: float = 1e-4
    own: float = 0.01
    length: float = 6.0

    def __post_init__(self) -> None:
        if not 0.0 < self.trust < 1.0:
            raise BadInputError(f"trust lies in (0, 1), got {self.trust!r}")
        if min(self.noise, self.shared, self.own, self.length) <= 0.0:
            raise BadInputError(f"variances and lengths are above 0, got {self}")


@dataclass(frozen=True)
class LinearMemory:
    """What the linear model has kept.

    Attributes:
        sites: Data of all arms, forgotten at one speed.
        pool: The posterior of the arms' coefficients.
    """

    sites: Sites
    pool: Pool


def place_linear(
    sites: Sites, designs: Designs, *, rate: float, settings: LinearSettings
) -> LinearMemory:
    """The linear model with these data; `rate` is of an arm nobody knows."""
    shared = (settings.own, *[settings.shared] * (designs.n_groups - 1))
    spread = Spread(shared, settings.own, settings.own)
    if designs.given is not None:
        designs = replace(designs, given=designs.given.scaled(rate * (1.0 - rate)))
    return LinearMemory(sites, solve_pool(sites, designs, spread, base_mean=rate))


def learn_linear(
    memory: LinearMemory,
    rows: Rows,
    designs: Designs,
    *,
    rate: float,
    keep: float,
    settings: LinearSettings,
) -> LinearMemory:
    """The memory after one batch; what it held before counts `keep` times."""
    kept = memory.sites.scaled(keep)
    precision, shift = kept.precision, kept.shift
    for arm, part in rows.slices:
        x, weight = rows.contexts[part], rows.weights[part] / settings.noise
        information = (x.T * weight) @ x
        precision[arm] += (information + information.T) / 2.0  # symmetric to the last bit
        shift[arm] += x.T @ (weight * rows.successes[part])
    return place_linear(Sites(precision, shift), designs, rate=rate, settings=settings)


def foretell_linear(pool: Pool, rows: Rows) -> float:
    """How well the line foretold these rows: the sum of their log probabilities."""
    line: Floats = (rows.contexts * pool.mean[rows.arms]).sum(axis=1)
    p = np.clip(line, _LEAST_P, 1.0 - _LEAST_P)
    told = np.where(rows.successes > 0.5, p, 1.0 - p)
    return float(rows.weights @ np.log(told))


def grow_trust(p: float, *, lead: float, n_trials: float, first: float, share: float) -> float:
    """Trust in the linear model after a batch that it foretold better by `lead`.

    Args:
        p: Trust before.
        lead: Log likelihood of the batch, less that of the others. The rows of a batch share what
            was unknown before it, and both sides treat them as independent, so a batch speaks for
            100 trials at most.
        n_trials: Of the batch.
        first: Trust before the first reward.
        share: Part of the trust that goes back to that.
    """
    odds = special.logit(p) + lead * min(1.0, _MOST_TRIALS / n_trials)
    grown = float(special.expit(np.clip(odds, -_SURE, _SURE)))
    return (1.0 - share) * grown + share * first
