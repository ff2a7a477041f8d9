"""Slates whose truth is known: three places, five messages, readers who look in three ways.

The log fills every place by itself, as the target does. How a place is liked may depend on its own
message, on those above it as well, or on all three; each way of looking is judged by every reading
of the log, so that it shows what a wrong one costs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from training.benchmarks.ope.simulated import Judged, make_coverage_rows
from training.benchmarks.rows import BenchRow
from training.measures import Floats, Integers
from training.ope.estimators import Estimator, estimate_parts
from training.ope.intervals import normal_interval
from training.ope.slates import Looking, SlateLog, estimate_pseudo_inverse, weigh_slates

N_PLACES = 3
N_MESSAGES = 5
N_SLATES = 5_000
PSEUDO_INVERSE = "pseudo_inverse"


@dataclass(frozen=True)
class Readers:
    """Who reads, and how.

    Attributes:
        looking: What the click rate of a place depends on.
        rates: Of each message at each place alone, (L, K).
        lifts: By what the rate of a place is multiplied for each message elsewhere, (L, K), by the
            place that message stands at.
    """

    looking: Looking
    rates: Floats
    lifts: Floats

    def click_rates(self, shown: Integers) -> Floats:
        """Of each place of each slate, (n, L)."""
        places = np.arange(N_PLACES)
        rates: Floats = self.rates[places, shown]
        lifts = self.lifts[places, shown]
        if self.looking is Looking.EACH_PLACE:
            return rates
        above = np.cumprod(lifts, axis=1) / lifts
        if self.looking is Looking.DOWN_THE_PLACES:
            return rates * above
        below = np.cumprod(lifts[:, ::-1], axis=1)[:, ::-1] / lifts
        return rates * above * below


def draw_readers(looking: Looking, *, rng: np.random.Generator) -> Readers:
    """Readers with click rates of 5 to 20 %, halved or doubled by what stands elsewhere."""
    return Readers(
        looking,
        rng.uniform(0.05, 0.2, (N_PLACES, N_MESSAGES)),
        np.exp(rng.uniform(-0.7, 0.7, (N_PLACES, N_MESSAGES))),
    )


def draw_policy(*, rng: np.random.Generator) -> Floats:
    """Probabilities of each message at each place, (L, K)."""
    return rng.dirichlet(np.full(N_MESSAGES, 1.5), N_PLACES)


def log_slates(
    readers: Readers, *, logged: Floats, target: Floats, n: int, rng: np.random.Generator
) -> SlateLog:
    """So many slates that one policy made, weighed for another."""
    shown = _draw(logged, n=n, rng=rng)
    clicks = rng.random((n, N_PLACES)) < readers.click_rates(shown)
    places = np.arange(N_PLACES)
    ratios = (target[places, shown] / logged[places, shown]).ravel()
    slates = np.arange(n).repeat(N_PLACES).astype(object)
    return SlateLog(
        slates=slates,
        customers=slates,
        places=np.tile(places, n),
        rewards=clicks.ravel().astype(np.float64),
        alone=ratios,
        given_above=ratios,
        is_supported=np.ones(n * N_PLACES, dtype=bool),
    )


def true_clicks(readers: Readers, target: Floats) -> float:
    """Clicks on a slate of the target, over all slates that there are."""
    every = np.array(list(product(range(N_MESSAGES), repeat=N_PLACES)))
    p = target[np.arange(N_PLACES), every].prod(axis=1)
    return float(p @ readers.click_rates(every).sum(axis=1))


def judge_slates(
    *, n_runs: int, seed: int, n_slates: int = N_SLATES
) -> dict[Looking, dict[str, list[Judged]]]:
    """Every reading of every log: by how readers look, then by reading; a problem a log."""
    judged: dict[Looking, dict[str, list[Judged]]] = {looking: {} for looking in Looking}
    for child in np.random.SeedSequence(seed).spawn(n_runs):
        rng = np.random.default_rng(child)
        for looking in Looking:
            readers, logged = draw_readers(looking, rng=rng), draw_policy(rng=rng)
            target = 0.5 * logged + 0.5 * draw_policy(rng=rng)
            truth = true_clicks(readers, target)
            log = log_slates(readers, logged=logged, target=target, n=n_slates, rng=rng)
            for reading in Looking:
                weighted = weigh_slates(log, looking=reading)
                parts = estimate_parts(weighted, by=Estimator.IPS)
                found = normal_interval(parts, customers=weighted.customers)
                judged[looking].setdefault(reading.value, []).append(Judged(found, truth))
            parts, customers = estimate_pseudo_inverse(log)
            found = normal_interval(parts, customers=customers)
            judged[looking].setdefault(PSEUDO_INVERSE, []).append(Judged(found, truth))
    return judged


def bench_slates(*, n_runs: int, seed: int, tell: Callable[[str], None]) -> list[BenchRow]:
    """Coverage, error and width of every reading of slates, by how readers look."""
    tell("slates")
    return [
        row
        for looking, by_reading in judge_slates(n_runs=n_runs, seed=seed).items()
        for reading, found in by_reading.items()
        for row in make_coverage_rows(
            f"slates, {looking.replace('_', ' ')}",
            reading,
            found,
            beside=by_reading[Looking.WHOLE.value],
            name="whole",
        )
    ]


def _draw(policy: Floats, *, n: int, rng: np.random.Generator) -> Integers:
    """A message for every place of so many slates, (n, L)."""
    return np.column_stack([rng.choice(N_MESSAGES, size=n, p=p) for p in policy]).astype(np.int64)
