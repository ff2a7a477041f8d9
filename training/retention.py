"""What it does to a customer at risk when somebody does something: learned from cases of chance.

Whoever has a reason to leave is kept with some chance, which hangs on the lever and on how far it
answers that reason; whoever would stay is driven away with a chance that hangs on the customer:

    P(lost | nothing) = p0                     the churn model's: logit p0 = a + b logit p_churn
    P(lost | lever)   = p0 - kept (1 - woken) max(p0 - usual, 0) + (1 - p0) woken
    logit kept        = u + u[lever] + d match[lever]
    logit woken       = v + w . z              z: features of the customer, standardised

`usual` is the p0 of the median customer: who is at no more risk than that has no reason to leave
that could be mended.

Losses are rare, and effects on them rarer: a model in which every feature may change everything
finds noise (docs/playbook_rehearsal.md). So coefficients have normal priors (contact keeps some,
and drives few away), and the posterior is taken for normal about its mode (Laplace; Gelman et al.
2013, ch. 4). Every effect comes with how unsure it is; the four groups of uplift follow from that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from features.errors import BadInputError
from features.uplift_groups import GroupBorders, assign_groups
from training.datasets.provenance import NotEnoughData
from training.measures import Bools, Floats, Integers

NO_LEVER: Final = -1
"""Position of nothing done."""

LEAST_CASES: Final = 100
LEAST_LOST: Final = 10
"""Of those who were contacted, and of those who were not: fewer say nothing."""

_PRIOR_BASELINE: Final = ((0.0, 1.0), (1.0, 0.5))  # a, b: mean and sd
_PRIOR_KEPT: Final = (-1.4, 0.7)  # about a fifth of those who would leave
_PRIOR_LEVER: Final = (0.0, 0.5)
_PRIOR_MATCH: Final = (0.5, 0.5)
_PRIOR_WOKEN: Final = (-4.5, 1.0)  # about one in a hundred of those who would stay
_PRIOR_FEATURE: Final = (0.0, 0.7)
_N_DRAWS: Final = 300
_MOST_STEPS: Final = 60
_MOST_HALVES: Final = 30
_CLOSE: Final = 1e-6
_NUDGE: Final = 1e-5
_CLIP: Final = 3.0  # standard deviations: an outlier's effect is not extrapolated
_LEAST_P: Final = 1e-6


@dataclass(frozen=True)
class AtRisk:
    """Customers, and what is known of them before anything is done.

    Attributes:
        p_churn: Of the churn model, (n,).
        X: Features that may tell whom contact drives away, (n, k); NaN is null.
        match: How far each lever answers the customer's reasons, 0 to 1, (n, m).
    """

    p_churn: Floats
    X: Floats
    match: Floats

    def __post_init__(self) -> None:
        if not len(self.p_churn) == len(self.X) == len(self.match):
            raise BadInputError(
                f"customers at risk want arrays of one length, got {len(self.p_churn)}, "
                f"{len(self.X)} and {len(self.match)}"
            )


@dataclass(frozen=True)
class RetentionCases:
    """Customers about whom chance decided.

    Attributes:
        customers: They, n.
        lever: Position of what was done, `NO_LEVER` for nothing, (n,).
        lost: Whether the customer was lost within the horizon, (n,).
    """

    customers: AtRisk
    lever: Integers
    lost: Bools

    def describe_lack(self) -> str:
        """What there is too little of; empty where there is enough."""
        faults = []
        for name, rows in (("contacted", self.lever >= 0), ("left alone", self.lever < 0)):
            n, n_lost = int(rows.sum()), int(self.lost[rows].sum())
            if n < LEAST_CASES or n_lost < LEAST_LOST:
                faults.append(
                    f"{n} cases {name}, {n_lost} of them lost; "
                    f"expected at least {LEAST_CASES} and {LEAST_LOST}"
                )
        return "; ".join(faults)


@dataclass(frozen=True)
class Scale:
    """How features are made comparable: null becomes the median, then mean 0 and deviation 1."""

    median: Floats
    mean: Floats
    sd: Floats

    @classmethod
    def of(cls, X: Floats) -> Self:
        """The scale of these rows; a column that is null everywhere, or constant, says nothing."""
        known = np.where(np.isnan(X).all(axis=0), 0.0, X)
        median = np.nanmedian(known, axis=0)
        filled = np.where(np.isnan(X), median, X)
        sd = filled.std(axis=0)
        return cls(median, filled.mean(axis=0), np.where(sd > 0, sd, np.inf))

    def apply(self, X: Floats) -> Floats:
        """Features in standard deviations, at most three from the mean, (n, k)."""
        filled = np.where(np.isnan(X), self.median, X)
        scaled: Floats = np.clip((filled - self.mean) / self.sd, -_CLIP, _CLIP)
        return scaled


@dataclass(frozen=True)
class ContactEffects:
    """What each of m levers does to n customers.

    Attributes:
        value: Change of the chance to stay, (n, m).
        sd: How unsure that is, (n, m).
        p_stays: Chance to stay where nothing is done, (n,).
    """

    value: Floats
    sd: Floats
    p_stays: Floats

    def find_groups(self, borders: GroupBorders) -> npt.NDArray[np.object_]:
        """Names of `UpliftGroup`, (n,): by the lever that does most for each customer."""
        best = self.value.argmax(axis=1)
        rows = np.arange(len(best))
        return assign_groups(
            self.value[rows, best],
            sd=self.sd[rows, best],
            p_without=self.p_stays,
            borders=borders,
        )


@dataclass(frozen=True)
class RetentionModel:
    """A fitted model.

    Attributes:
        levers: Names, in the order of their positions.
        scale: Of the features.
        usual: p_churn of the median customer.
        mode: Coefficients: a, b, u, d, u[lever] (m), v, w (k).
        covariance: Of their posterior.
    """

    levers: tuple[str, ...]
    scale: Scale
    usual: float
    mode: Floats
    covariance: Floats

    def effects(self, customers: AtRisk, *, rng: np.random.Generator) -> ContactEffects:
        """Effect of every lever on these customers.

        Args:
            customers: With the features and levers that the model was fitted on.
            rng: Of the draws from the posterior.
        """
        z, m = self.scale.apply(customers.X), len(self.levers)
        draws = rng.multivariate_normal(self.mode, self.covariance, size=_N_DRAWS)
        total = np.zeros((len(z), m))
        squares, stays = np.zeros_like(total), np.zeros(len(z))
        for coefficients in draws:
            p0 = _p_without(coefficients, customers.p_churn)
            effect = _find_effects(coefficients, customers, z, usual=self.usual)
            total += effect
            squares += effect * effect
            stays += 1.0 - p0
        mean = total / _N_DRAWS
        sd = np.sqrt(np.maximum(squares / _N_DRAWS - mean * mean, 0.0))
        return ContactEffects(mean, sd, stays / _N_DRAWS)


def fit_retention(
    cases: RetentionCases, *, levers: Sequence[str]
) -> RetentionModel | NotEnoughData:
    """Learn what contact does from cases in which chance decided whether, and with which lever.

    Where something else than chance decided, what is learned is who was picked. Nothing is learned
    of too few cases, nor of those that leave the coefficients no rest.
    """
    if lack := cases.describe_lack():
        return NotEnoughData(lack)
    scale = Scale.of(cases.customers.X)
    z = scale.apply(cases.customers.X)
    mean, sd = _prior(len(levers), z.shape[1])

    usual = float(np.median(cases.customers.p_churn))

    def p_lost(coefficients: Floats) -> Floats:
        return np.clip(_p_lost(coefficients, cases, z, usual=usual), _LEAST_P, 1.0 - _LEAST_P)

    def log_posterior(coefficients: Floats) -> float:
        p = p_lost(coefficients)
        likely = np.log(np.where(cases.lost, p, 1.0 - p)).sum()
        return float(likely - 0.5 * (((coefficients - mean) / sd) ** 2).sum())

    mode = mean.copy()
    for _ in range(_MOST_STEPS):
        gradient, information = _score(mode, p_lost, cases.lost, mean=mean, sd=sd)
        step = np.asarray(np.linalg.solve(information, gradient), dtype=np.float64)
        step = _shorten(step, at=mode, height=log_posterior)
        mode += step
        if np.abs(step).max() < _CLOSE:
            break
    else:
        return NotEnoughData(f"the coefficients do not settle in {_MOST_STEPS} steps")
    _, information = _score(mode, p_lost, cases.lost, mean=mean, sd=sd)
    covariance = np.linalg.inv(information)
    return RetentionModel(tuple(levers), scale, usual, mode, (covariance + covariance.T) / 2.0)


def _score(
    at: Floats, p_lost: Callable[[Floats], Floats], lost: Bools, *, mean: Floats, sd: Floats
) -> tuple[Floats, Floats]:
    """Gradient of the log posterior and Fisher's information, prior included: (p,), (p, p)."""
    p = p_lost(at)
    slopes = np.empty((len(p), len(at)))
    for column in range(len(at)):
        nudge = np.zeros(len(at))
        nudge[column] = _NUDGE
        slopes[:, column] = (p_lost(at + nudge) - p_lost(at - nudge)) / (2.0 * _NUDGE)
    weighted = slopes / (p * (1.0 - p))[:, None]
    gradient = weighted.T @ (lost - p) - (at - mean) / sd**2
    return gradient, slopes.T @ weighted + np.diag(1.0 / sd**2)


def _shorten(step: Floats, *, at: Floats, height: Callable[[Floats], float]) -> Floats:
    """The step, at most 1 in any direction, halved while that climbs higher: the chances bend."""
    shortened: Floats = step / max(1.0, float(np.abs(step).max()))
    reached = height(at + shortened)
    for _ in range(_MOST_HALVES):
        half: Floats = shortened / 2.0
        if (higher := height(at + half)) <= reached:
            break
        shortened, reached = half, higher
    return shortened


def _prior(m: int, k: int) -> tuple[Floats, Floats]:
    """Means and deviations of the coefficients, in the order of `RetentionModel.mode`."""
    priors = [*_PRIOR_BASELINE, _PRIOR_KEPT, _PRIOR_MATCH, *[_PRIOR_LEVER] * m, _PRIOR_WOKEN]
    mean, sd = np.array([*priors, *[_PRIOR_FEATURE] * k]).T
    return mean, sd


def _p_without(coefficients: Floats, p_churn: Floats) -> Floats:
    known = logit(np.clip(p_churn, _LEAST_P, 1.0 - _LEAST_P))
    p0: Floats = expit(coefficients[0] + coefficients[1] * known)
    return p0


def _p_kept(coefficients: Floats, match: Floats) -> Floats:
    """Of those who would leave, by lever, (n, m)."""
    m = match.shape[1]
    kept: Floats = expit(coefficients[2] + coefficients[4 : 4 + m] + coefficients[3] * match)
    return kept


def _p_woken(coefficients: Floats, z: Floats, *, m: int) -> Floats:
    """Of those who would stay, (n,)."""
    woken: Floats = expit(coefficients[4 + m] + z @ coefficients[5 + m :])
    return woken


def _find_effects(coefficients: Floats, customers: AtRisk, z: Floats, *, usual: float) -> Floats:
    """Change of the chance to stay by lever, (n, m)."""
    p0 = _p_without(coefficients, customers.p_churn)
    floor = _p_without(coefficients, np.array([usual]))
    kept = _p_kept(coefficients, customers.match)
    woken = _p_woken(coefficients, z, m=kept.shape[1])
    mended = (1.0 - woken) * np.maximum(p0 - floor, 0.0)
    effects: Floats = mended[:, None] * kept - ((1.0 - p0) * woken)[:, None]
    return effects


def _p_lost(coefficients: Floats, cases: RetentionCases, z: Floats, *, usual: float) -> Floats:
    customers, lever = cases.customers, cases.lever
    effects = _find_effects(coefficients, customers, z, usual=usual)
    own = effects[np.arange(len(lever)), np.maximum(lever, 0)]
    p0 = _p_without(coefficients, customers.p_churn)
    return np.where(lever == NO_LEVER, p0, p0 - own)
