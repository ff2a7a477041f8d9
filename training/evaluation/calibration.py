"""Foretold against observed, as a curve and as two numbers."""

from dataclasses import dataclass

import numpy as np

from training.evaluation.comparison import calibration_curve
from training.evaluation.judged import Scored
from training.measures import make_calibration_error


@dataclass(frozen=True)
class CurvePoint:
    """A bin of the curve.

    Attributes:
        p_mean: Mean probability of its rows.
        rate: Share of them in which the event happened.
        n_rows: Rows.
    """

    p_mean: float
    rate: float
    n_rows: int


@dataclass(frozen=True)
class CalibrationReport:
    """How probabilities compare with what happened.

    Attributes:
        error: Expected calibration error, in bins of equal mass.
        in_the_large: Mean probability minus rate.
        curve: Bins of equal mass, lowest probability first.
    """

    error: float
    in_the_large: float
    curve: tuple[CurvePoint, ...]


def describe_calibration(scored: Scored) -> CalibrationReport:
    """The curve and the errors of probabilities."""
    curve = calibration_curve(scored.p, labels=scored.labels)
    return CalibrationReport(
        error=make_calibration_error(scored.p, scored.labels)(np.ones(len(scored.p))),
        in_the_large=float((scored.p - scored.labels).mean()),
        curve=tuple(
            CurvePoint(float(p), float(rate), int(n))
            for p, rate, n in zip(curve.p_mean, curve.rate, curve.n_rows, strict=True)
        ),
    )
