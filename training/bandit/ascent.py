"""How Newton's steps towards the likeliest coefficients are kept from going too far.

A logistic curve is flat far from its middle. From a belief in rates of a few per cent to rows of
which nearly all succeed (silence is success, where a notice is to prevent a call) a whole step
leads to log odds above ten, where the curve is flat, and the next one to hundreds. What has been
learned of how far arms differ would follow them. So a step is halved until it leads up.
"""

from dataclasses import dataclass, replace

import numpy as np

from training.bandit.sites import Designs, Floats, Pool, Rows, Sites, Spread, sum_logs

_MOST_HALVINGS = 12


@dataclass(frozen=True)
class Slope:
    """The log posterior of coefficients up to a constant: what the steps are to climb.

    Attributes:
        before: Data that were learned earlier.
        rows: Those to learn.
        designs: How arms share coefficients.
        spread: How far they may differ.
        base_mean: What is expected of the shared intercept.
    """

    before: Sites
    rows: Rows
    designs: Designs
    spread: Spread
    base_mean: float

    def height(self, pool: Pool) -> float:
        """At the means of that pool."""
        mean, before = pool.mean, self.before
        told = sum_logs((self.rows.contexts * mean[self.rows.arms]).sum(axis=1), self.rows)
        pull = (before.precision @ mean[:, :, None])[:, :, 0]
        known = (mean * (before.shift - pull / 2.0)).sum()
        own = np.full(pool.own.shape, self.spread.slope)
        own[:, 0] = self.spread.base * self.designs.priors.left
        shared = pool.beta.copy()
        shared[0] -= self.base_mean
        variances = np.asarray(self.spread.shared)[self.designs.groups]
        strays = (pool.own**2 / own).sum() + (shared**2 / variances).sum()
        return told + float(known - strays / 2.0)


def climb(here: Pool, there: Pool, slope: Slope) -> Pool:
    """The farthest of the points here, there, half the way, a quarter ... that is no lower.

    The log posterior is concave and Newton's direction leads up, so some part of the way does.
    """
    least = slope.height(here)
    share = 1.0
    for _ in range(_MOST_HALVINGS):
        point = _between(here, there, share)
        if slope.height(point) >= least:
            return point
        share /= 2.0
    return here


def _between(here: Pool, there: Pool, share: float) -> Pool:
    def mix(low: Floats, high: Floats) -> Floats:
        mixed: Floats = low + share * (high - low)
        return mixed

    return replace(
        there,
        mean=mix(here.mean, there.mean),
        beta=mix(here.beta, there.beta),
        own=mix(here.own, there.own),
    )
