"""What rows taught each arm, as normal factors of its coefficients, and how a pool reads them.

Arm a has coefficients theta_a = T_a beta + delta_a: a shared part through the arm's design T_a and
a part of its own. beta and delta are normal; `Spread` holds their variances. Every logistic
likelihood is replaced by a normal factor at the mode (Laplace; streaming: each batch once), so an
arm's data are one precision matrix and one shift, and the posterior of the pool is exact algebra:
delta is integrated out arm by arm, and what is left is one system of the size of beta.

An arm may be expected above or below its kin before it was ever tried (`ArmPriors`). The data are
kept apart from what is believed, so such a belief can be given, changed or taken back at any time.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SHIFT_STEPS = 4  # Newton's
_SHIFT_VARIANCE = 0.25
_LEAST_WEIGHT = 1e-4  # p (1 - p) of a row that is all but certain


@dataclass(frozen=True)
class Spread:
    """Variances of the pool, on the scale of log odds.

    Attributes:
        shared: Of beta, by group of columns (see `Designs.groups`).
        base: Of the arms' own intercepts.
        slope: Of the arms' own slopes.
    """

    shared: tuple[float, ...]
    base: float
    slope: float


@dataclass(frozen=True)
class ArmPriors:
    """What is believed of the own intercept of every arm, beside what its kin have shown.

    Attributes:
        shift: Expected log odds above the shared part's, (arms,).
        left: Share of `Spread.base` that is still unknown, (arms,), in (0, 1].
    """

    shift: Floats
    left: Floats

    @classmethod
    def none(cls, n_arms: int) -> "ArmPriors":
        """No arm is told from its kin."""
        return cls(np.zeros(n_arms), np.ones(n_arms))

    def scaled(self, factor: float) -> "ArmPriors":
        """The same on a scale on which a unit of log odds is `factor`."""
        return ArmPriors(self.shift * factor, self.left)


@dataclass(frozen=True)
class Designs:
    """How arms share coefficients.

    Attributes:
        arms: T_a, (arms, d, s). The first d columns are the coefficients all arms share.
        groups: Group of each column of beta, (s,); group 0 is the shared intercept, whose variance
            is given and not learned.
        n_groups: How many groups there are.
        given: Beliefs about single arms; None where there are none.
    """

    arms: Floats
    groups: Ints
    n_groups: int
    given: ArmPriors | None = None

    @property
    def priors(self) -> ArmPriors:
        """What is believed of each arm's own intercept."""
        return ArmPriors.none(len(self.arms)) if self.given is None else self.given


@dataclass(frozen=True)
class Sites:
    """Data of all arms as normal factors.

    Attributes:
        precision: (arms, d, d).
        shift: (arms, d): precision times where the factor has its mode.
    """

    precision: Floats
    shift: Floats

    @classmethod
    def empty(cls, n_arms: int, n_columns: int) -> "Sites":
        """No data."""
        return cls(np.zeros((n_arms, n_columns, n_columns)), np.zeros((n_arms, n_columns)))

    def scaled(self, factor: float) -> "Sites":
        """The same data with less weight."""
        return Sites(self.precision * factor, self.shift * factor)

    def widened(self, n_arms: int, n_columns: int) -> "Sites":
        """With room for arms and for columns, after those there are, of which nothing is known."""
        more = ((0, n_arms - len(self.shift)), (0, n_columns - self.shift.shape[1]))
        return Sites(np.pad(self.precision, (*more, more[1])), np.pad(self.shift, more))

    def without(self, columns: list[int]) -> "Sites":
        """What the same data say of a model that lacks these columns."""
        precision = np.delete(np.delete(self.precision, columns, axis=1), columns, axis=2)
        return Sites(precision, np.delete(self.shift, columns, axis=1))


@dataclass(frozen=True)
class Rows:
    """Trials sorted by arm.

    Attributes:
        contexts: (n, d); the first column is 1.
        arms: (n,) ascending.
        successes: 0 or 1, (n,).
        weights: How much of a trial each is, (n,), above 0: a part where the outcome is not known
            yet, many where a row stands for many trials.
    """

    contexts: Floats
    arms: Ints
    successes: Floats
    weights: Floats

    @classmethod
    def sort(cls, contexts: Floats, arms: Ints, successes: Floats, weights: Floats) -> "Rows":
        """The rows with a weight, by arm; within an arm as they came."""
        order = np.argsort(arms, kind="stable")
        order = order[weights[order] > 0.0]
        return cls(contexts[order], arms[order], successes[order], weights[order])

    @cached_property
    def slices(self) -> list[tuple[int, slice]]:
        """Each arm with its rows."""
        present, starts = np.unique(self.arms, return_index=True)
        ends = [*starts[1:].tolist(), len(self.arms)]
        return [
            (arm, slice(start, end))
            for arm, start, end in zip(present.tolist(), starts.tolist(), ends, strict=True)
        ]


@dataclass(frozen=True)
class Pool:
    """The posterior of every arm.

    Attributes:
        mean: (arms, d).
        covariance: (arms, d, d).
        beta: Mean of the shared coefficients, (s,).
        beta_variance: (s,).
        own: Mean of the arms' own parts, less what was believed of them, (arms, d).
        own_variance: (arms, d).
    """

    mean: Floats
    covariance: Floats
    beta: Floats
    beta_variance: Floats
    own: Floats
    own_variance: Floats


def solve_pool(sites: Sites, designs: Designs, spread: Spread, *, base_mean: float) -> Pool:
    """The posterior of arms that share a part, given their data and how far they may differ.

    `base_mean` is what is expected of the shared intercept.
    """
    priors = designs.priors
    own: Floats = np.full(sites.shift.shape, spread.slope)
    own[:, 0] = spread.base * priors.left
    belief = np.eye(own.shape[1]) / own[:, :, None]
    alone = np.linalg.inv(sites.precision + belief)
    pull = alone / own[:, None, :]  # of the shared part: near 1 without data, near 0 with many
    reach = pull @ designs.arms
    rest = designs.arms - reach
    through = designs.arms.transpose(0, 2, 1) @ (rest / own[:, :, None])
    unforeseen = sites.shift - sites.precision[:, :, 0] * priors.shift[:, None]
    shift = (alone @ unforeseen[:, :, None])[:, :, 0]
    variances = np.asarray(spread.shared)[designs.groups]
    prior_mean = np.zeros(len(variances))
    prior_mean[0] = base_mean
    shared = np.linalg.inv(np.diag(1.0 / variances) + through.sum(axis=0))
    beta = shared @ (prior_mean / variances + np.tensordot(shift / own, designs.arms, axes=2))
    centre = designs.arms @ beta
    mean = shift + (pull @ centre[:, :, None])[:, :, 0]
    covariance = alone + reach @ shared @ reach.transpose(0, 2, 1)
    own_variance = np.diagonal(alone, axis1=1, axis2=2) + ((rest @ shared) * rest).sum(axis=2)
    own_mean = mean - centre
    mean[:, 0] += priors.shift
    return Pool(mean, covariance, beta, np.diag(shared).copy(), own_mean, own_variance)


def refit_spread(
    pool: Pool, designs: Designs, *, now: Spread, prior: Spread, strength: float
) -> Spread:
    """The variances that the posterior speaks for: one step of MacKay's fixed point (1992).

    Each variance becomes the sum of squared coefficients over the number of them that the data
    determine, so what is known of nothing leaves it where it starts.

    Args:
        pool: The posterior under the variances so far.
        designs: How arms share coefficients.
        now: The variances so far.
        prior: Where they start.
        strength: Coefficients that the start is worth.
    """
    shared = list(now.shared)
    for group in range(1, len(shared)):
        rows = designs.groups == group
        estimate = _Estimate(pool.beta[rows], pool.beta_variance[rows])
        shared[group] = estimate.variance(now.shared[group], prior.shared[group], strength)
    left = designs.priors.left  # an arm of which more is believed strays less
    base = _Estimate(pool.own[:, 0] / np.sqrt(left), pool.own_variance[:, 0] / left)
    slope = _Estimate(pool.own[:, 1:], pool.own_variance[:, 1:])
    return Spread(
        tuple(shared),
        base.variance(now.base, prior.base, strength),
        slope.variance(now.slope, prior.slope, strength),
    )


@dataclass(frozen=True)
class _Estimate:
    """Coefficients that have one variance."""

    means: Floats
    variances: Floats

    def variance(self, now: float, start: float, strength: float) -> float:
        n_known = np.maximum(1.0 - self.variances / now, 0.0).sum()
        return float((strength * start + (self.means**2).sum()) / (strength + n_known))


def add_rows(sites: Sites, rows: Rows, *, around: Floats) -> Sites:
    """The data with these rows, linearised around coefficients (arms, d)."""
    precision, shift = sites.precision.copy(), sites.shift.copy()
    for arm, part in rows.slices:
        x, weight = rows.contexts[part], rows.weights[part]
        score = x @ around[arm]
        p = special.expit(score)
        curvature = weight * np.maximum(p * (1.0 - p), _LEAST_WEIGHT)
        information = (x.T * curvature) @ x
        precision[arm] += (information + information.T) / 2.0  # symmetric to the last bit
        shift[arm] += x.T @ (curvature * score + weight * (rows.successes[part] - p))
    return Sites(precision, shift)


@dataclass(frozen=True)
class Foretold:
    """How well a pool foretold rows, as sums of log probabilities.

    Attributes:
        whole: As it foretold them.
        apart: After its own best common shift of all log odds. A level that all arms share may
            drift with the season; what is told apart is how arms and readers differ.
    """

    whole: float
    apart: float


def foretell(pool: Pool, rows: Rows) -> Foretold:
    """How well a pool foretold these rows.

    The mean of a logistic function of a normal score by MacKay's approximation (1992).
    """
    score = np.empty(len(rows.arms))
    for arm, part in rows.slices:
        x = rows.contexts[part]
        variance = ((x @ pool.covariance[arm]) * x).sum(axis=1)
        score[part] = x @ pool.mean[arm] / np.sqrt(1.0 + np.pi / 8.0 * variance)
    shift = 0.0
    for _ in range(_SHIFT_STEPS):
        p = special.expit(score + shift)
        slope = rows.weights @ (rows.successes - p) - shift / _SHIFT_VARIANCE
        shift += float(slope / (rows.weights @ (p * (1.0 - p)) + 1.0 / _SHIFT_VARIANCE))
    penalty = shift**2 / (2.0 * _SHIFT_VARIANCE)
    return Foretold(sum_logs(score, rows), sum_logs(score + shift, rows) - penalty)


def sum_logs(score: Floats, rows: Rows) -> float:
    """Log probability of what rows showed under these log odds."""
    signed = np.where(rows.successes > 0.5, score, -score)
    return float(rows.weights @ special.log_expit(signed))
