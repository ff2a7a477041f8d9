"""Figures over several test parts and seeds, with intervals, as rows of a benchmark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.benchmarks.rows import BenchRow
from training.evaluation import N_RESAMPLES, Estimate, draw_weights
from training.evaluation.bootstrap import TAILS_95
from training.measures import Bools, Floats, Integers, Measure, make_calibration_error


@dataclass(frozen=True)
class Part:
    """What two models said of some rows that neither has seen.

    Attributes:
        rows: Whose rows, as positions among all customers, (n,); the bootstrap draws these.
        labels: What happened, (n,).
        ours: Our probabilities, (n,).
        other: What is held beside them, (n,); for ranking measures any score will do.
    """

    rows: Integers
    labels: Bools
    ours: Floats
    other: Floats


@dataclass(frozen=True)
class Figures:
    """A measure of ours, of the other, and ours minus the other on the same draws."""

    ours: Estimate
    other: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Reference:
    """A figure to compare with, and whose it is."""

    figure: float
    of: str


def judge_parts(
    parts: Sequence[Part],
    *,
    make: Callable[[Floats, Bools], Measure],
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Figures:
    """Mean of a measure over the parts; intervals draw customers, once for all parts."""
    pairs = [(make(part.ours, part.labels), make(part.other, part.labels)) for part in parts]
    n_customers = 1 + max(int(part.rows.max()) for part in parts)
    everybody = np.empty(n_customers, dtype=object)
    everybody[:] = range(n_customers)

    def measure(weights: Floats) -> list[float]:
        values = [
            [m(weights[part.rows]) for m in pair] for part, pair in zip(parts, pairs, strict=True)
        ]
        ours, other = np.mean(values, axis=0)
        return [ours, other, ours - other]

    full = measure(np.ones(n_customers))
    draws = draw_weights(everybody, rng=rng, n_resamples=n_resamples)
    lows, highs = np.nanpercentile([measure(weights) for weights in draws], TAILS_95, axis=0)
    estimates = [Estimate(*map(float, end)) for end in zip(full, lows, highs, strict=True)]
    return Figures(*estimates)


def pool_parts(parts: Sequence[Part]) -> Part:
    """All rows of the parts as one."""
    return Part(
        rows=np.concatenate([part.rows for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        ours=np.concatenate([part.ours for part in parts]),
        other=np.concatenate([part.other for part in parts]),
    )


def take_median(by_seed: Sequence[Figures]) -> Figures:
    """Medians over seeds of the values and of both ends of their intervals."""
    return Figures(
        ours=_median([figures.ours for figures in by_seed]),
        other=_median([figures.other for figures in by_seed]),
        difference=_median([figures.difference for figures in by_seed]),
    )


def make_row(
    case: str, metric: str, estimate: Estimate, *, beside: Reference | None, n: int, unit: str = "1"
) -> BenchRow:
    """One row of an estimate and its interval."""
    return BenchRow(
        case=case,
        metric=metric,
        ours=estimate.value,
        low=estimate.low,
        high=estimate.high,
        reference=beside.figure if beside else None,
        reference_name=beside.of if beside else None,
        unit=unit,
        n=n,
    )


def make_figure(
    case: str, metric: str, ours: float, *, beside: Reference | None, n: int, unit: str = "1"
) -> BenchRow:
    """One row of a figure without an interval."""
    return BenchRow(
        case=case,
        metric=metric,
        ours=ours,
        low=None,
        high=None,
        reference=beside.figure if beside else None,
        reference_name=beside.of if beside else None,
        unit=unit,
        n=n,
    )


def estimate_error_of_truth(p: Floats, *, rng: np.random.Generator) -> float:
    """The calibration error that these probabilities would show if every one were true.

    Bins hold finitely many rows, so that even the truth is not seen as zero: mean of 200 draws of
    the labels.
    """
    full = np.ones(len(p))
    errors = [make_calibration_error(p, rng.random(len(p)) < p)(full) for _ in range(200)]
    return float(np.mean(errors))


def _median(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(
        value=float(np.median([e.value for e in estimates])),
        low=float(np.median([e.low for e in estimates])),
        high=float(np.median([e.high for e in estimates])),
    )
