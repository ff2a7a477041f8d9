"""Logs whose truth is known: ten messages, twenty facts a customer, and three ways of choosing.

Clicks follow a logistic model with an effect of the customer shared by all messages and one of each
message; mean click rates lie between 3 and 15 %. A log is made by a policy that stays as it is
(static) or by one that learns from it while it is made (adaptive): Thompson sampling on a linear
model per message, in batches, with a floor. Its probabilities are shares of a hundred draws, and
the choice is drawn from them, so they are exact.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, softmax

from training.measures import Floats, Integers
from training.ope.direct import fit_ridge

N_ACTIONS = 10
_N_FACTS = 20
_N_TRUTH = 100_000
_N_SCORES = 100
_BATCH = 100


@dataclass(frozen=True)
class Problem:
    """Who comes and what they like.

    Attributes:
        coefficients: Log odds of a click by message and fact, (K, d).
        p_facts: Of the yes-or-no facts, (d - 10,).
    """

    coefficients: Floats
    p_facts: Floats

    def customers(self, n: int, *, rng: np.random.Generator) -> Floats:
        """Facts of so many customers: a constant, nine normal, the others yes or no, (n, d)."""
        yes = rng.random((n, len(self.p_facts))) < self.p_facts
        return np.column_stack([np.ones(n), rng.normal(size=(n, 9)), yes])

    def click_rates(self, customers: Floats) -> Floats:
        """Of each message for each customer, (n, K)."""
        rates: Floats = expit(customers @ self.coefficients.T)
        return rates


@dataclass(frozen=True)
class Target:
    """A policy to be judged: softmax of linear scores; sharp ones are nearly certain.

    Attributes:
        coefficients: Of the scores, (K, d).
        temperature: 0 takes the best score.
    """

    coefficients: Floats
    temperature: float

    def probabilities(self, customers: Floats) -> Floats:
        """Of each message for each customer, (n, K)."""
        return _soften(customers @ self.coefficients.T, self.temperature)


@dataclass(frozen=True)
class Stream:
    """A log, in order.

    Attributes:
        customers: Facts, (n, d).
        actions: Message sent, (n,).
        clicks: 1 where it was clicked, (n,).
        probabilities: Of every message, when it was chosen, (n, K).
    """

    customers: Floats
    actions: Integers
    clicks: Floats
    probabilities: Floats


def draw_problem(rng: np.random.Generator) -> Problem:
    """A problem whose messages have mean click rates of 3 to 15 %."""
    p_facts = rng.uniform(0.15, 0.5, _N_FACTS - 10)
    shared = rng.normal(size=_N_FACTS) * 0.25
    coefficients = shared + rng.normal(size=(N_ACTIONS, _N_FACTS)) * 0.15
    coefficients[:, 0] = 0.0
    problem = Problem(coefficients, p_facts)
    scores = problem.customers(5_000, rng=rng) @ coefficients.T
    for action, rate in enumerate(rng.permutation(np.linspace(0.03, 0.15, N_ACTIONS))):
        coefficients[action, 0] = brentq(
            lambda level, own, wanted: expit(own + level).mean() - wanted,
            -12.0,
            6.0,
            args=(scores[:, action], rate),
        )
    return problem


def learn_target(
    problem: Problem, *, temperature: float, n: int, rng: np.random.Generator
) -> Target:
    """A policy that somebody fitted to n other customers, sent to at random."""
    customers = problem.customers(n, rng=rng)
    actions = rng.integers(N_ACTIONS, size=n)
    clicks = rng.random(n) < problem.click_rates(customers)[np.arange(n), actions]
    return Target(_fit_linear(customers, actions, clicks.astype(np.float64)), temperature)


def true_value(problem: Problem, target: Target, *, rng: np.random.Generator) -> float:
    """Click rate of a policy, over 100,000 customers."""
    customers = problem.customers(_N_TRUTH, rng=rng)
    return float((target.probabilities(customers) * problem.click_rates(customers)).sum(1).mean())


def log_static(
    problem: Problem, logger: Target, *, floor: float, n: int, rng: np.random.Generator
) -> Stream:
    """A log of a policy that stays as it is."""
    customers = problem.customers(n, rng=rng)
    p = (1 - floor) * logger.probabilities(customers) + floor / N_ACTIONS
    actions = _draw(p, rng=rng)
    rates = problem.click_rates(customers)[np.arange(n), actions]
    return Stream(customers, actions, (rng.random(n) < rates).astype(np.float64), p)


def log_adaptive(problem: Problem, *, floor: float, n: int, rng: np.random.Generator) -> Stream:
    """A log of Thompson sampling that learns after every hundred customers."""
    customers = problem.customers(n, rng=rng)
    rates = problem.click_rates(customers)
    p, actions, clicks = np.empty((n, N_ACTIONS)), np.empty(n, dtype=np.int64), np.empty(n)
    gram = np.stack([np.eye(_N_FACTS)] * N_ACTIONS)
    sums = np.zeros((N_ACTIONS, _N_FACTS))
    for begin in range(0, n, _BATCH):
        rows = slice(begin, begin + _BATCH)
        x = customers[rows]
        drawn = _draw_scores(x, gram=gram, sums=sums, rng=rng)
        best = drawn.argmax(axis=2)
        shares = np.stack([(best == action).mean(axis=0) for action in range(N_ACTIONS)], axis=1)
        p[rows] = (1 - floor) * shares + floor / N_ACTIONS
        actions[rows] = _draw(p[rows], rng=rng)
        clicks[rows] = rng.random(len(x)) < rates[rows][np.arange(len(x)), actions[rows]]
        for action in np.unique(actions[rows]):
            mine = x[actions[rows] == action]
            gram[action] += mine.T @ mine
            sums[action] += clicks[rows][actions[rows] == action] @ mine
    return Stream(customers, actions, clicks, p)


def _draw_scores(x: Floats, *, gram: Floats, sums: Floats, rng: np.random.Generator) -> Floats:
    """A hundred draws of the score of every message for every customer, (draws, n, K)."""
    inverse = np.linalg.inv(gram)
    mean = x @ (inverse @ sums[:, :, None])[:, :, 0].T
    spread = 0.3 * np.sqrt(((x @ inverse) * x).sum(axis=2)).T
    drawn: Floats = mean + spread * rng.normal(size=(_N_SCORES, *mean.shape))
    return drawn


def _fit_linear(customers: Floats, actions: Integers, clicks: Floats) -> Floats:
    """Ridge regression per message, (K, d)."""
    return np.stack(
        [
            fit_ridge(customers[actions == action], clicks[actions == action])
            for action in range(N_ACTIONS)
        ]
    )


def _draw(p: Floats, *, rng: np.random.Generator) -> Integers:
    """One of K by its probability, row by row."""
    below = p.cumsum(axis=1) < rng.random((len(p), 1)) * p.sum(axis=1, keepdims=True)
    drawn: Integers = np.minimum(below.sum(axis=1), p.shape[1] - 1).astype(np.int64)
    return drawn


def _soften(scores: Floats, temperature: float) -> Floats:
    if temperature == 0:
        best: Floats = np.eye(scores.shape[1])[scores.argmax(axis=1)]
        return best
    soft: Floats = softmax(scores / temperature, axis=1)
    return soft
