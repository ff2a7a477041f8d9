"""The probability that each of several independent normal scores is the highest, for many rows.

Thompson sampling draws one score per arm and takes the highest, so this is the probability with
which it takes each arm:

    P(arm a is best) = integral of f_a(t) * product over b != a of F_b(t) dt.

The integrand is smooth, and for nodes h apart the trapezoid rule is then exact to about
exp(-2 (pi s / h)^2), where s is the narrowest scale: sd / sqrt(2) where two narrow arms meet. Nodes
lie between the highest of the arms' means - 5 sd (below it some arm is surely higher) and the
highest of their means + 5 sd, as close as the narrowest arm in the running wants them. The normal
CDF is a logistic function of an odd polynomial, fitted by least squares, with an error below 2e-6.
"""

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_Singles = npt.NDArray[np.float32]

MAX_ERROR = 1e-4
"""No probability is further from the integral; tests hold it against adaptive quadrature."""

_CDF = (1.59574230, 7.27758202e-2, -1.69646988e-4, -7.47008388e-5, 2.93425365e-6)
_REACH = 5.0  # standard deviations on either side; 3e-7 of an arm lies beyond one end
_STEP = 1.0  # between nodes, in standard deviations of the narrowest arm in the running
_NARROWEST = 0.02  # of the widest arm: narrower ones are taken to be so wide
_N_NODES = np.array([9, 13, 17, 21, 25, 33, 41, 57, 81, 121, 201, 501])
_CHUNK = 60_000  # elements at once, so that they stay in the cache


def compute_best_of_normals(mean: Floats, sd: Floats, *, allowed: Flags | None = None) -> Floats:
    """P(arm has the highest score), shape (n, arms); rows sum to 1.

    Args:
        mean: Of the scores, (n, arms).
        sd: Of the scores, (n, arms), above 0. Arms narrower than a fiftieth of the widest one in
            the running count as that wide.
        allowed: Arms that compete, (n, arms), at least one a row; None allows all. The others get
            probability 0.

    >>> compute_best_of_normals(np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]])).round(4).tolist()
    [[0.5, 0.5]]
    """
    n, n_arms = mean.shape
    if n == 0 or n_arms == 1:  # one arm is the best whatever its score
        return np.ones((n, n_arms))
    centre = mean if allowed is None else np.where(allowed, mean, -np.inf)
    low = (centre - _REACH * sd).max(axis=1, keepdims=True)
    runs = centre + _REACH * sd > low
    width = np.maximum(sd, _NARROWEST * np.where(runs, sd, 0.0).max(axis=1, keepdims=True))
    high = (centre + _REACH * width).max(axis=1, keepdims=True)
    narrowest = np.where(runs, width, np.inf).min(axis=1)
    wanted = (high - low)[:, 0] / (_STEP * narrowest) + 1.0
    size = np.searchsorted(_N_NODES, wanted).clip(max=len(_N_NODES) - 1)
    singles = [array.astype(np.float32) for array in (centre - low, width, high - low)]
    p = np.empty((n, n_arms))
    for at in np.unique(size):
        rows = np.flatnonzero(size == at)
        lot = max(1, _CHUNK // (n_arms * int(_N_NODES[at])))
        for start in range(0, len(rows), lot):
            part = rows[start : start + lot]
            p[part] = _integrate(*(array[part] for array in singles), n_nodes=int(_N_NODES[at]))
    if allowed is not None:
        p[~allowed] = 0.0
        p /= p.sum(axis=1, keepdims=True)
    return p


def _integrate(mean: _Singles, sd: _Singles, length: _Singles, *, n_nodes: int) -> _Singles:
    """The integral over [0, length] by the trapezoid rule, (n, arms), scaled to a sum of 1."""
    t = length * np.linspace(0.0, 1.0, n_nodes, dtype=np.float32)
    z = (t[:, None, :] - mean[:, :, None]) / sd[:, :, None]
    np.clip(z, -6.0, 6.0, out=z)
    square = z * z
    cdf = _approximate_cdf(z, square)
    np.exp(np.multiply(square, np.float32(-0.5), out=square), out=square)
    square /= cdf
    p = np.einsum("nat,nt->na", square, cdf.prod(axis=1)) / sd
    scaled: _Singles = p / p.sum(axis=1, keepdims=True)
    return scaled


def _approximate_cdf(z: _Singles, square: _Singles) -> _Singles:
    """The standard normal CDF for |z| up to 6."""
    logit = np.full_like(z, -_CDF[-1])
    for coefficient in reversed(_CDF[:-1]):
        logit *= square
        logit -= np.float32(coefficient)
    logit *= z
    np.exp(logit, out=logit)
    logit += 1.0
    return np.reciprocal(logit, out=logit)


def lift_to_floor(p: Floats, *, floor: float, allowed: Flags | None = None) -> Floats:
    """Probabilities (n, arms) of which a share `floor` is spread evenly over what is allowed.

    So what any choice would have earned can be estimated.

    >>> lift_to_floor(np.array([[1.0, 0.0]]), floor=0.02).tolist()
    [[0.99, 0.01]]
    """
    may = np.ones(p.shape, dtype=bool) if allowed is None else allowed
    lifted: Floats = (1.0 - floor) * p + floor * may / may.sum(axis=1, keepdims=True)
    return lifted


def require_choice(allowed: Flags, *, shape: tuple[int, int]) -> None:
    """Raise BadInputError unless verdicts have that shape and allow something in every row."""
    if allowed.shape != shape:
        raise BadInputError(f"verdicts of shape {allowed.shape}, expected {shape}")
    empty = np.flatnonzero(~allowed.any(axis=1))
    if len(empty):
        raise BadInputError(f"nothing is allowed in rows {empty[:5].tolist()}")


def draw_arms(p: Floats, *, u: Floats) -> npt.NDArray[np.int64]:
    """The arm that each row of probabilities (n, arms) gives for a uniform number u (n,)."""
    below = np.cumsum(p, axis=1) <= u[:, None]
    last = p.shape[1] - 1 - (p[:, ::-1] > 0.0).argmax(axis=1)  # rounding leaves no other way out
    chosen: npt.NDArray[np.int64] = np.minimum(below.sum(axis=1), last)
    return chosen
