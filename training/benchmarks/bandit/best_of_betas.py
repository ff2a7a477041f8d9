"""The exact probability that each of several Beta posteriors holds the best rate.

Thompson sampling (Thompson 1933) draws one rate per arm and takes the highest, so this is the
probability with which it chooses each arm. It is

    P(arm a is best) = integral of f_a(x) * product over b != a of F_b(x) dx.

On the scale z = log(x / (1 - x)) the integrand is smooth and falls off at both ends for every
Beta. Posteriors may be a thousand times narrower than their neighbours, so the axis is cut at
the quantiles of every arm, and Gauss-Legendre quadrature is used on each piece.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from features.errors import BadInputError

Floats = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_LEVELS = np.array([1e-16, 1e-11, 1e-7, 1e-4, 1e-2, 0.1, 0.3, 0.5])  # and mirrored
_MAX_ERROR = 1e-6
_FURTHEST_Z = 700.0  # where x or 1 - x leaves double precision


@lru_cache(maxsize=4096)
def compute_best_probabilities(posteriors: tuple[tuple[float, float], ...]) -> Floats:
    """P(arm has the highest rate), shape (arms,), of independent Beta(alpha, beta) posteriors.

    The error is below 1e-6; it is checked by the sum, which must be 1. The answer is kept, and
    must not be written to.

    Args:
        posteriors: alpha and beta of each arm, each at least 0.5.

    >>> compute_best_probabilities(((1.0, 1.0), (1.0, 1.0))).round(6).tolist()
    [0.5, 0.5]
    >>> round(float(compute_best_probabilities(((2.0, 1.0), (1.0, 1.0)))[0]), 6)
    0.666667
    """
    alpha, beta = np.asarray(posteriors, dtype=np.float64).T
    if (alpha < 0.5).any() or (beta < 0.5).any():
        raise BadInputError(f"Beta posteriors want alpha and beta of 0.5 or more, got {posteriors}")
    z, weight = _place_nodes(alpha, beta)
    log_density = _log_density(z, alpha=alpha, beta=beta)
    with np.errstate(divide="ignore"):  # log(0) = -inf: the arm is surely above this node
        log_cdf = np.log(_cdf(z, alpha=alpha, beta=beta))
    p = np.exp(log_density + _sum_of_others(log_cdf)) @ weight
    if abs(p.sum() - 1.0) > _MAX_ERROR:
        raise ArithmeticError(f"quadrature over {posteriors} sums to {p.sum()!r}, not to 1")
    best: Floats = p / p.sum()
    best.setflags(write=False)
    return best


def _place_nodes(alpha: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Nodes on the z axis and their weights, fine enough for the narrowest posterior."""
    low = special.betaincinv(alpha[:, None], beta[:, None], _LEVELS)
    high = special.betaincinv(beta[:, None], alpha[:, None], _LEVELS)  # 1 - x, exact near 1
    with np.errstate(divide="ignore"):
        cuts = np.concatenate([special.logit(low), -special.logit(high)], axis=None)
    edges = np.unique(np.clip(cuts, -_FURTHEST_Z, _FURTHEST_Z))
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    z = (middle[:, None] + half[:, None] * _NODES).ravel()
    return z, (half[:, None] * _WEIGHTS).ravel()


def _log_density(z: Floats, *, alpha: Floats, beta: Floats) -> Floats:
    """Log density of each arm on the z scale, shape (arms, nodes)."""
    log_x, log_rest = special.log_expit(z), special.log_expit(-z)
    a, b = alpha[:, None], beta[:, None]
    density: Floats = a * log_x + b * log_rest - special.betaln(a, b)
    return density


def _cdf(z: Floats, *, alpha: Floats, beta: Floats) -> Floats:
    """P(rate < x) of each arm on the z scale, shape (arms, nodes); z ascends."""
    a, b = alpha[:, None], beta[:, None]
    n_left = int(np.searchsorted(z, 0.0))
    left = special.betainc(a, b, special.expit(z[:n_left]))
    right = special.betaincc(b, a, special.expit(-z[n_left:]))  # through 1 - x, exact near 1
    return np.concatenate([left, right], axis=1)


def _sum_of_others(values: Floats) -> Floats:
    """For each row the sum of all other rows; right where some are -inf."""
    total: Floats = np.zeros_like(values)
    before, after = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    last = len(values) - 1
    for i in range(len(values)):
        total[i] += before
        total[last - i] += after
        before = before + values[i]
        after = after + values[last - i]
    return total
