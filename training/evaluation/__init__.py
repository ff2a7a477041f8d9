"""Whether a model is true: measures on rows it never saw, with intervals that are honest.

`comparison` has the measures with their intervals, beside a baseline; `bootstrap` how intervals are
drawn, `surplus` that of the calibration error; `judged` what is known of a
model on some rows; `slices` parts of the customers; `capacity` the calls that a team can make;
`leakage` whether features know the future.
"""

from training.evaluation.bootstrap import N_RESAMPLES, Estimate, draw_weights, estimate
from training.evaluation.comparison import (
    CalibrationCurve,
    Comparison,
    Measures,
    Window,
    calibration_curve,
    compare,
    evaluate,
    lift_at,
    mean_difference,
)
from training.evaluation.judged import HeldOut, Judged, Scored, judge

__all__ = [
    "N_RESAMPLES",
    "CalibrationCurve",
    "Comparison",
    "Estimate",
    "HeldOut",
    "Judged",
    "Measures",
    "Scored",
    "Window",
    "calibration_curve",
    "compare",
    "draw_weights",
    "estimate",
    "evaluate",
    "judge",
    "lift_at",
    "mean_difference",
]
