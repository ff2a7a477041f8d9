"""Would trees gain from a linear model beside them? A blend that is measured, and not served.

Where a signal is weak, trees of few positives are noisy, and a regularised logistic regression
might steady them (stacking: Wolpert 1992, Breiman 1996). Numbers become sign(x) log(1 + |x|),
nulls the median with a column of their own. How strongly it is held back, and the weight of the
trees in the mean of both logits, are those with the lowest log loss on the calibration rows; the
trees alone and the regression alone are among them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from training.benchmarks.models.judging import Part, Reference, judge_parts, make_row, take_median
from training.benchmarks.rows import BenchRow
from training.boosting import LabelledRows
from training.calibration import fit_platt
from training.evaluation import judge
from training.measures import Bools, Floats, Measure
from training.registry.servable import BoosterModel

_STRENGTHS: Final = (1e-4, 1e-3, 1e-2, 1e-1)
_WEIGHTS: Final = tuple(n / 10 for n in range(11))
_MOST_ROWS: Final = 40_000
_ALONE: Final = Reference(0.0, "the trees alone")


@dataclass(frozen=True)
class Blend:
    """A regression beside trees.

    Attributes:
        regression: Of the same columns.
        weight: Of the trees' logit; the regression has the rest.
    """

    regression: Pipeline
    weight: float

    def score(self, trees: BoosterModel, X: Floats) -> Floats:
        """Uncalibrated probabilities, (n,), of a matrix (n, features); NaN is null."""
        return _mix(trees.margin(X), self.regression.decision_function(X), weight=self.weight)


def fit_blend(
    trees: BoosterModel, *, train: LabelledRows, calibration: LabelledRows, seed: int
) -> Blend:
    """The blend with the lowest log loss on the calibration rows, each calibrated on them.

    Args:
        trees: Fitted to `train` alone: trees that have seen the calibration rows would win there.
        train: Fits the regression; of more than 40,000 rows a sample.
        calibration: Chooses.
        seed: Of the sample.
    """
    n_rows = len(train.labels)
    rng = np.random.default_rng(seed)
    sample = rng.choice(n_rows, size=min(n_rows, _MOST_ROWS), replace=False)
    fitted = [
        _make_regression(strength).fit(train.X[sample], train.labels[sample])
        for strength in _STRENGTHS
    ]
    margin = trees.margin(calibration.X)
    other = [regression.decision_function(calibration.X) for regression in fitted]

    def lose(tried: tuple[int, float]) -> float:
        p = _mix(margin, other[tried[0]], weight=tried[1])
        calibrated = fit_platt(p, labels=calibration.labels).apply(p)
        return float(judge(calibrated, labels=calibration.labels).losses.mean())

    position, weight = min(product(range(len(fitted)), _WEIGHTS), key=lose)
    return Blend(fitted[position], weight)


def make_gain_row(
    case: str,
    metric: str,
    parts_by_seed: Sequence[Sequence[Part]],
    *,
    make: Callable[[Floats, Bools], Measure],
) -> BenchRow:
    """What the blend (`ours` of the parts) adds to the trees alone (`other`)."""
    rng = np.random.default_rng(0)
    gains = take_median([judge_parts(parts, make=make, rng=rng) for parts in parts_by_seed])
    name = f"{metric}_gain_of_linear_blend"
    return make_row(case, name, gains.difference, beside=_ALONE, n=len(parts_by_seed))


def _make_regression(strength: float) -> Pipeline:
    """Logistic regression; the smaller the strength, the more it is held back."""
    return make_pipeline(
        FunctionTransformer(_shrink),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=strength, solver="newton-cholesky", max_iter=200),
    )


def _shrink(X: Floats) -> Floats:
    shrunk: Floats = np.sign(X) * np.log1p(np.abs(X))
    return shrunk


def _mix(trees: Floats, other: Floats, *, weight: float) -> Floats:
    mixed: Floats = expit(weight * trees + (1.0 - weight) * other)
    return mixed
