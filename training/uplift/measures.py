"""How well a score finds those who are moved: Qini, AUUC, uplift at k, by weights of the rows.

Definitions of scikit-uplift (Shevchenko, *User Guide for uplift modeling and causal inference*):
`uplift_at_k` with its strategies "overall" and "by_group". The Qini curve is Radcliffe's (2007),
as a share of the treated: after the best share s of the rows by score, the gain is

    q(s) = [ treated positives - control positives x n_treated / n_control ] / all treated

among those rows; the Qini coefficient here is the area between that curve and the straight line
of a random order. AUUC is the area below the curve itself. Where chance did not give everybody
the same probability, rows count 1 / probability.

As in `training.measures`, a maker sorts once and returns a function of the rows' weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from training.datasets.provenance import Customers
from training.evaluation import Estimate
from training.evaluation import estimate as bootstrap
from training.measures import Bools, Floats, Measure

Positions = npt.NDArray[np.intp]

N_RESAMPLES = 400


class Strategy(StrEnum):
    """How the best k are taken: among all rows, or among treated and control each."""

    OVERALL = "overall"
    BY_GROUP = "by_group"


@dataclass(frozen=True)
class Arms:
    """What was given by chance and what came of it.

    Attributes:
        treated: Who got the treatment, (n,).
        outcome: What came of it, (n,).
        p_taken: Probability of what was given, (n,); None where it was the same for all.
        customers: Whose row it is, (n,): the unit that the bootstrap draws.
    """

    treated: Bools
    outcome: Floats
    p_taken: Floats | None
    customers: Customers

    def __post_init__(self) -> None:
        if not 0 < self.treated.sum() < len(self.treated):
            raise BadInputError(
                f"uplift wants treated and untreated rows, got {int(self.treated.sum())} treated "
                f"of {len(self.treated)}"
            )

    @property
    def weights(self) -> Floats:
        """1 / probability, or 1."""
        return np.ones(len(self.treated)) if self.p_taken is None else 1.0 / self.p_taken


@dataclass(frozen=True)
class QiniCurve:
    """Gain by share of rows taken, best scores first.

    Attributes:
        share: Share of the rows, from 0 to 1.
        gain: Outcomes gained by treating them, per row of the whole.
    """

    share: Floats
    gain: Floats


MakeMeasure = Callable[[Floats, Arms], Measure]


def make_qini(score: Floats, arms: Arms) -> Measure:
    """Area between the Qini curve and that of a random order, in outcomes a row."""
    order, ends = _order(score)

    def qini(weights: Floats) -> float:
        share, gain = _trace(weights, arms=arms, order=order, ends=ends)
        return float(np.trapezoid(gain, share) - gain[-1] / 2.0)

    return qini


def make_auuc(score: Floats, arms: Arms) -> Measure:
    """Area below the curve, in outcomes a row."""
    order, ends = _order(score)

    def auuc(weights: Floats) -> float:
        share, gain = _trace(weights, arms=arms, order=order, ends=ends)
        return float(np.trapezoid(gain, share))

    return auuc


def make_uplift_at(share: float, *, strategy: Strategy = Strategy.OVERALL) -> MakeMeasure:
    """Mean outcome of the treated minus that of the control among the best share by score."""
    if not 0 < share <= 1:
        raise BadInputError(f"uplift at a share of the rows wants one in (0, 1], got {share}")

    def make(score: Floats, arms: Arms) -> Measure:
        if strategy is Strategy.OVERALL:
            chosen = _best(score, share)
        else:
            chosen = np.zeros(len(score), dtype=bool)
            for rows in (arms.treated, ~arms.treated):
                chosen[rows] = _best(score[rows], share)

        def uplift(weights: Floats) -> float:
            w = weights * arms.weights * chosen
            return _mean(w, arms.outcome, arms.treated) - _mean(w, arms.outcome, ~arms.treated)

        return uplift

    return make


def trace_qini(score: Floats, arms: Arms, *, n_points: int = 101) -> QiniCurve:
    """The Qini curve at evenly spaced shares."""
    order, ends = _order(score)
    share, gain = _trace(np.ones(len(score)), arms=arms, order=order, ends=ends)
    at = np.linspace(0.0, 1.0, n_points)
    return QiniCurve(at, np.interp(at, share, gain))


def estimate(
    make: MakeMeasure,
    score: Floats,
    *,
    arms: Arms,
    rng: np.random.Generator,
    other: Floats | None = None,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """A measure with its 95 % bootstrap interval, drawn by customer.

    Args:
        make: Which measure.
        score: Of each row, (n,); higher is treated first.
        arms: The rows.
        rng: Of the bootstrap.
        other: Another score: the measure's paired difference to it is estimated.
        n_resamples: Draws.
    """
    measure = make(score, arms)
    against = make(other, arms) if other is not None else None

    def value(weights: Floats) -> float:
        return measure(weights) - (against(weights) if against else 0.0)

    return bootstrap(value, customers=arms.customers, rng=rng, n_resamples=n_resamples)


def true_qini(score: Floats, effects: Floats) -> float:
    """Qini coefficient where each row's effect is known (a simulated world), in outcomes a row."""
    order, ends = _order(score)
    gained = np.concatenate([[0.0], np.cumsum(effects[order])[ends]]) / len(effects)
    share = np.concatenate([[0.0], (ends + 1.0) / len(effects)])
    return float(np.trapezoid(gained, share) - gained[-1] / 2.0)


def _order(score: Floats) -> tuple[Positions, Positions]:
    """Rows from the best down, and where each run of equal scores ends: ties are one step."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.concatenate([ranked[1:] != ranked[:-1], [True]]))
    return order, ends


def _trace(
    weights: Floats, *, arms: Arms, order: Positions, ends: Positions
) -> tuple[Floats, Floats]:
    """Share of rows and gain at each distinct score, from (0, 0) on."""
    w, treated = (weights * arms.weights)[order], arms.treated[order]
    y = arms.outcome[order]
    n_t = np.cumsum(np.where(treated, w, 0.0))[ends]
    n_c = np.cumsum(np.where(treated, 0.0, w))[ends]
    y_t = np.cumsum(np.where(treated, w * y, 0.0))[ends]
    y_c = np.cumsum(np.where(treated, 0.0, w * y))[ends]
    matched = np.divide(y_c * n_t, n_c, out=np.zeros_like(y_c), where=n_c > 0)
    share = np.cumsum(weights[order])[ends] / weights.sum()
    gain = (y_t - matched) / n_t[-1]
    return np.concatenate([[0.0], share]), np.concatenate([[0.0], gain])


def _best(score: Floats, share: float) -> Bools:
    """The best share of the rows; of ties the earlier ones, as scikit-uplift takes them."""
    chosen = np.zeros(len(score), dtype=bool)
    chosen[np.argsort(-score, kind="stable")[: int(len(score) * share)]] = True
    return chosen


def _mean(w: Floats, y: Floats, rows: Bools) -> float:
    total = w[rows].sum()
    return float((w[rows] * y[rows]).sum() / total) if total > 0 else float("nan")
