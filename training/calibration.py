"""From what a model says to how often it happens."""

import numpy as np

from training.measures import Bools, Floats
from training.registry.servable import Calibration

_SLOPE_SD = 0.5
_INTERCEPT_SD = 5.0
_MAX_STEPS = 50


def fit_platt(p_raw: Floats, *, labels: Bools) -> Calibration:
    """Platt's calibration of raw probabilities (n,) on rows that the model was not fitted to.

    The slope has a normal prior around 1 and the intercept a wide one around 0: with thousands of
    positives they do not matter, with a handful the model is trusted and its level is moved, and
    with none at all the answer stays finite. Newton's method on the log posterior, which is
    concave.
    """
    clipped = np.clip(p_raw, 1e-9, 1 - 1e-9)
    Z = np.column_stack([np.log(clipped / (1 - clipped)), np.ones(len(p_raw))])
    prior_mean, prior_precision = np.array([1.0, 0.0]), np.array([_SLOPE_SD, _INTERCEPT_SD]) ** -2
    theta = prior_mean.copy()
    for _ in range(_MAX_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(Z @ theta, -500, 500)))
        gradient = Z.T @ (labels - p) - prior_precision * (theta - prior_mean)
        curvature = (Z * (p * (1 - p))[:, None]).T @ Z + np.diag(prior_precision)
        step = np.linalg.solve(curvature, gradient)
        # Far from the optimum a full Newton step may overshoot; a logit moves by 2 at most.
        theta = theta + step * min(1.0, 2.0 / max(float(np.abs(Z @ step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(slope=float(theta[0]), intercept=float(theta[1]))


def fit_constant(labels: Bools) -> Calibration:
    """The rate of the labels whatever the model says; a rate never seen is not zero (Jeffreys)."""
    p = (labels.sum() + 0.5) / (len(labels) + 1.0)
    return Calibration(slope=0.0, intercept=float(np.log(p / (1 - p))))
