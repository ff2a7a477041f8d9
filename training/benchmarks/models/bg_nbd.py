"""BG/NBD: what buying histories say by themselves, as a peer to compare with.

Fader, Hardie & Lee (2005), "Counting your customers" the easy way: customers buy by a Poisson
process and drop out with some probability after each purchase; rates are gamma and dropout
probabilities beta distributed among customers.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from features.errors import BadInputError
from training.measures import Floats

_PENALTY = 1e-7  # on the squared logarithms: keeps the search from running away on odd data


@dataclass(frozen=True)
class Purchases:
    """Histories up to a moment, in one unit of time, each (n,).

    Attributes:
        frequency: Repeat purchases.
        recency: Time from the first purchase to the last.
        age: Time from the first purchase to the moment.
    """

    frequency: Floats
    recency: Floats
    age: Floats

    def __post_init__(self) -> None:
        wrong = (self.frequency < 0) | (self.recency < 0) | (self.recency > self.age)
        if wrong.any():
            raise BadInputError(
                f"{int(wrong.sum())} purchase histories are impossible, first row "
                f"{int(np.flatnonzero(wrong)[0])}; expected frequency >= 0, 0 <= recency <= age"
            )


@dataclass(frozen=True)
class BgNbd:
    """A fitted model.

    Attributes:
        r: Shape of the buying rates.
        alpha: Their rate.
        a: First parameter of the dropout probabilities.
        b: Their second.
        log_likelihood: Of the histories that it was fitted to.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def p_alive(self, histories: Purchases) -> Floats:
        """Probability that each customer has not dropped out; 1 for whoever never came back."""
        x = histories.frequency
        decay = (self.r + x) * np.log(
            (self.alpha + histories.age) / (self.alpha + histories.recency)
        )
        odds = self.a / (self.b + np.maximum(x, 1.0) - 1.0) * np.exp(np.minimum(decay, 500.0))
        alive: Floats = np.where(x > 0, 1.0 / (1.0 + odds), 1.0)
        return alive

    def p_purchase(self, histories: Purchases, *, within: float) -> Floats:
        """Probability of a purchase within that time: alive, and not silent by chance."""
        ages = self.alpha + histories.age
        silent = (ages / (ages + within)) ** (self.r + histories.frequency)
        p: Floats = self.p_alive(histories) * (1.0 - silent)
        return p


def fit_bg_nbd(histories: Purchases) -> BgNbd:
    """Maximum likelihood on the logarithms of the four parameters (Nelder-Mead)."""

    def loss(logs: Floats) -> float:
        mean = log_likelihood(histories, *np.exp(logs)) / len(histories.age)
        return float(-mean + _PENALTY * (logs**2).sum())

    found = minimize(
        loss,
        np.zeros(4),
        method="Nelder-Mead",
        options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-10},
    )
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return BgNbd(r, alpha, a, b, log_likelihood(histories, r, alpha, a, b))


def log_likelihood(histories: Purchases, r: float, alpha: float, a: float, b: float) -> float:
    """Of all histories together, in nats."""
    x, recency, age = histories.frequency, histories.recency, histories.age
    counts = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    dropout = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    stayed = -(r + x) * np.log(alpha + age)
    left = np.log(a) - np.log(b + np.maximum(x, 1.0) - 1.0) - (r + x) * np.log(alpha + recency)
    either = np.logaddexp(stayed, np.where(x > 0, left, -np.inf))
    return float((counts + dropout + either).sum())
