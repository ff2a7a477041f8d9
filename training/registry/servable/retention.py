"""The law of contact, fitted: what it does to a customer at risk when somebody does something.

Whoever has a reason to leave is kept with some chance, which hangs on the lever and on how far it
answers that reason; whoever would stay is driven away with a chance that hangs on the customer:

    P(lost | nothing) = p0                     the churn model's: logit p0 = a + b logit p_churn
    P(lost | lever)   = p0 - kept (1 - woken) max(p0 - usual, 0) + (1 - p0) woken
    logit kept        = u + u[lever] + d match[lever]
    logit woken       = v + w . z              z: features of the customer, standardised

`usual` is the p0 of the median customer: who is at no more risk than that has no reason to leave
that could be mended. `training.retention` fits it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from features.errors import BadInputError
from features.uplift_groups import GroupBorders, assign_groups
from features.vocabulary import UpliftGroup
from training.registry.servable.signature import Floats

MOST_WOKEN: Final = 0.2
"""Who may be driven away more readily than one in five is left alone: found in simulated worlds
(docs/playbook_rehearsal.md), where it costs no value."""

_MOST_LEVEL: Final = 0.95
_N_DRAWS: Final = 300
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

    def to_json(self) -> dict[str, Any]:
        """The scale as JSON; a deviation of infinity is null."""
        return {
            "median": self.median.tolist(),
            "mean": self.mean.tolist(),
            "sd": [None if np.isinf(sd) else float(sd) for sd in self.sd],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The scale that `to_json` wrote."""
        sd = [np.inf if sd is None else float(sd) for sd in data["sd"]]
        return cls(_read(data["median"]), _read(data["mean"]), _read(sd))


@dataclass(frozen=True)
class ContactEffects:
    """What each of m levers does to n customers.

    Attributes:
        value: Change of the chance to stay, (n, m).
        sd: How unsure that is, (n, m).
        most_woken: Of those who would stay, how many contact may drive away: more than that with
            a probability of one in twenty, (n,).
        p_stays: Chance to stay where nothing is done, (n,).
    """

    value: Floats
    sd: Floats
    most_woken: Floats
    p_stays: Floats

    def choose(self, lever: npt.NDArray[np.int64]) -> Self:
        """The effects of one lever of each customer, (n, 1)."""
        at = (np.arange(len(lever)), lever)
        value, sd = (cells[at][:, None] for cells in (self.value, self.sd))
        return type(self)(value, sd, self.most_woken, self.p_stays)

    def find_groups(self, borders: GroupBorders) -> npt.NDArray[np.object_]:
        """Names of `UpliftGroup`, (n,): by the lever that does most for each customer.

        Who may be driven away, as far as anybody can tell, is not to be disturbed either.
        """
        best = self.value.argmax(axis=1)
        rows = np.arange(len(best))
        groups = assign_groups(
            self.value[rows, best],
            sd=self.sd[rows, best],
            p_without=self.p_stays,
            borders=borders,
        )
        groups[self.most_woken > MOST_WOKEN] = UpliftGroup.DO_NOT_DISTURB
        return groups


@dataclass(frozen=True)
class RetentionModel:
    """A fitted law.

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

    def __post_init__(self) -> None:
        p = 5 + len(self.levers) + len(self.scale.mean)
        if self.mode.shape != (p,) or self.covariance.shape != (p, p):
            raise BadInputError(
                f"a law of {len(self.levers)} levers and {len(self.scale.mean)} features has {p} "
                f"coefficients, got {self.mode.shape} and {self.covariance.shape}"
            )

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
        woken = np.empty((_N_DRAWS, len(z)), dtype=np.float32)
        for row, coefficients in enumerate(draws):
            p0 = p_without(coefficients, customers.p_churn)
            effect = find_effects(coefficients, customers, z, usual=self.usual)
            total += effect
            squares += effect * effect
            woken[row] = _p_woken(coefficients, z, m=m)
            stays += 1.0 - p0
        mean = total / _N_DRAWS
        sd = np.sqrt(np.maximum(squares / _N_DRAWS - mean * mean, 0.0))
        most = np.quantile(woken, _MOST_LEVEL, axis=0).astype(np.float64)
        return ContactEffects(mean, sd, most, stays / _N_DRAWS)

    def p_lost(self, customers: AtRisk, *, lever: npt.NDArray[np.int64]) -> Floats:
        """Chance to be lost after these levers, by the most likely coefficients; -1: nothing."""
        z = self.scale.apply(customers.X)
        return p_lost(self.mode, customers, z, lever=lever, usual=self.usual)

    def to_json(self) -> dict[str, Any]:
        """The law as JSON."""
        return {
            "levers": list(self.levers),
            "scale": self.scale.to_json(),
            "usual": self.usual,
            "mode": self.mode.tolist(),
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The law that `to_json` wrote."""
        return cls(
            tuple(data["levers"]),
            Scale.from_json(data["scale"]),
            float(data["usual"]),
            _read(data["mode"]),
            _read(data["covariance"]),
        )


def p_without(coefficients: Floats, p_churn: Floats) -> Floats:
    """Chance to be lost where nothing is done, (n,)."""
    known = logit(np.clip(p_churn, _LEAST_P, 1.0 - _LEAST_P))
    p0: Floats = expit(coefficients[0] + coefficients[1] * known)
    return p0


def find_effects(coefficients: Floats, customers: AtRisk, z: Floats, *, usual: float) -> Floats:
    """Change of the chance to stay by lever, (n, m)."""
    p0 = p_without(coefficients, customers.p_churn)
    floor = p_without(coefficients, np.array([usual]))
    kept = _p_kept(coefficients, customers.match)
    woken = _p_woken(coefficients, z, m=kept.shape[1])
    mended = (1.0 - woken) * np.maximum(p0 - floor, 0.0)
    effects: Floats = mended[:, None] * kept - ((1.0 - p0) * woken)[:, None]
    return effects


def p_lost(
    coefficients: Floats,
    customers: AtRisk,
    z: Floats,
    *,
    lever: npt.NDArray[np.int64],
    usual: float,
) -> Floats:
    """Chance to be lost after these levers, (n,); below 0 stands for nothing done."""
    effects = find_effects(coefficients, customers, z, usual=usual)
    own = effects[np.arange(len(lever)), np.maximum(lever, 0)]
    p0 = p_without(coefficients, customers.p_churn)
    lost = np.where(lever < 0, p0, p0 - own)
    return np.clip(lost, _LEAST_P, 1.0 - _LEAST_P)


def _p_kept(coefficients: Floats, match: Floats) -> Floats:
    """Of those who would leave, by lever, (n, m)."""
    m = match.shape[1]
    kept: Floats = expit(coefficients[2] + coefficients[4 : 4 + m] + coefficients[3] * match)
    return kept


def _p_woken(coefficients: Floats, z: Floats, *, m: int) -> Floats:
    """Of those who would stay, (n,)."""
    woken: Floats = expit(coefficients[4 + m] + z @ coefficients[5 + m :])
    return woken


def _read(values: Any) -> Floats:
    return np.array(values, dtype=np.float64)
