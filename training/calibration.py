"""From what a model says to how often it happens."""

import numpy as np
from scipy.special import expit

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
    sd = np.array([_SLOPE_SD, _INTERCEPT_SD])
    theta = find_mode(Z, labels=labels, mean=np.array([1.0, 0.0]), sd=sd)
    return Calibration(slope=float(theta[0]), intercept=float(theta[1]))


def find_mode(Z: Floats, *, labels: Bools, mean: Floats, sd: Floats) -> Floats:
    """Most probable weights (p,) of a logistic regression on Z (n, p) under normal priors.

    Newton's method on the log posterior, which is concave.

    Args:
        Z: Regressors.
        labels: What happened, (n,).
        mean: Of the priors, (p,).
        sd: Of the priors, (p,).
    """
    theta, precision = mean.copy(), sd**-2.0
    for _ in range(_MAX_STEPS):
        p = expit(Z @ theta)
        gradient = Z.T @ (labels - p) - precision * (theta - mean)
        curvature = (Z * (p * (1 - p))[:, None]).T @ Z + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        # Far from the optimum a full Newton step may overshoot; a logit moves by 2 at most.
        theta = theta + step * min(1.0, 2.0 / max(float(np.abs(Z @ step).max(initial=0)), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return theta


def fit_constant(labels: Bools) -> Calibration:
    """The rate of the labels whatever the model says; a rate never seen is not zero (Jeffreys)."""
    p = (labels.sum() + 0.5) / (len(labels) + 1.0)
    return Calibration(slope=0.0, intercept=float(np.log(p / (1 - p))))
