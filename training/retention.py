"""What it does to a customer at risk when somebody does something: learned from cases of chance.

The law and its coefficients stand in `training.registry.servable.retention`.

Losses are rare, and effects on them rarer: a model in which every feature may change everything
finds noise (docs/playbook_rehearsal.md). So coefficients have normal priors (contact keeps some,
and drives few away), and the posterior is taken for normal about its mode (Laplace; Gelman et al.
2013, ch. 4). Every effect comes with how unsure it is; the four groups of uplift follow from that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.datasets.provenance import NotEnoughData
from training.measures import Bools, Floats, Integers
from training.registry.servable.retention import AtRisk, RetentionModel, Scale
from training.registry.servable.retention import p_lost as law

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
_MOST_STEPS: Final = 60
_MOST_HALVES: Final = 30
_CLOSE: Final = 1e-6
_NUDGE: Final = 1e-5


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
        return law(coefficients, cases.customers, z, lever=cases.lever, usual=usual)

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
