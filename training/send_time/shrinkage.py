"""How strongly to shrink: chosen by how well customers left out are foretold.

Each choice is judged on one half of the customers with patterns learned from the other half.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from training.measures import Floats
from training.registry.servable import N_WEEK_HOURS, SendTimeModel, WeekPatterns
from training.send_time.judging import find_population
from training.send_time.patterns import Smoothing, find_patterns
from training.send_time.weeks import Weeks

STRENGTHS = (
    0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0, 100_000.0,
)  # fmt: skip
_SEGMENT_STRENGTHS = (50.0, 500.0, 5000.0)
_SMOOTHINGS = (Smoothing(0.0, 0.0), Smoothing(0.7, 0.5), Smoothing(0.7, 1.0), Smoothing(1.5, 1.0))
_N_DIRECTIONS = (5, 10, 20)
_NOISES = (0.5, 1.0, 2.0, 4.0, 8.0)
_MAX_JUDGED = 2_000
"""Customers of a half on which choices are judged."""


@dataclass(frozen=True)
class StrengthScore:
    """Mean log-likelihood of a later event, in nats, under a strength of shrinkage."""

    strength: float
    log_likelihood: float


@dataclass(frozen=True)
class Shrinkage:
    """How strongly customers are shrunk, and to what.

    Attributes:
        segment_strength: Pseudo-events of everybody's week against a segment's; None where
            segments do not help.
        smoothing: Of the covariance of weeks.
        n_directions: Directions in which customers may differ; 0 is none.
        noise: See `WeekPatterns.noise`.
        strength: Pseudo-events of what is expected of a customer.
        scores: Of every strength, with the rest as chosen.
    """

    segment_strength: float | None
    smoothing: Smoothing
    n_directions: int
    noise: float
    strength: float
    scores: tuple[StrengthScore, ...]


@dataclass(frozen=True)
class _Try:
    smoothing: Smoothing
    n_directions: int
    noise: float


def choose_shrinkage(weeks: Weeks, *, strengths: Sequence[float] = STRENGTHS) -> Shrinkage:
    """The shrinkage under which later events of customers left out surprise least."""
    halves = weeks.every(2), weeks.every(2, start=1)
    by_segment = {s: _judge_segments(halves, strength=s) for s in (None, *_SEGMENT_STRENGTHS)}
    segment_strength = max(by_segment, key=lambda strength: by_segment[strength])
    scores: dict[_Try, Floats] = {}
    for learned, judged in (halves, halves[::-1]):
        sample = judged.every(max(1, len(judged.customers) // _MAX_JUDGED))
        base = start_model(learned, segment_strength=segment_strength)
        for tried, model in _list_tries(learned, base=base):
            nats = _judge_strengths(model, sample, strengths=strengths)
            scores[tried] = scores.get(tried, np.zeros(len(strengths))) + nats / 2.0
    best = max(scores, key=lambda tried: float(scores[tried].max()))
    return Shrinkage(
        segment_strength=segment_strength,
        smoothing=best.smoothing,
        n_directions=best.n_directions,
        noise=best.noise,
        strength=strengths[int(scores[best].argmax())],
        scores=tuple(
            StrengthScore(strength, float(score))
            for strength, score in zip(strengths, scores[best], strict=True)
        ),
    )


def start_model(weeks: Weeks, *, segment_strength: float | None) -> SendTimeModel:
    """A model that knows no more than everybody's week and those of the segments."""
    population = find_population(weeks)
    segments = (
        {}
        if segment_strength is None
        else _find_segments(weeks, population=np.array(population), strength=segment_strength)
    )
    return SendTimeModel("", population, STRENGTHS[-1], segments=segments)


def add_patterns(
    base: SendTimeModel, weeks: Weeks, *, smoothing: Smoothing, n_directions: int, noise: float
) -> SendTimeModel:
    """The model with the patterns found in these weeks."""
    patterns = find_patterns(
        weeks,
        expected=base.expected_weeks(weeks.known_segments, n=len(weeks.customers)),
        population=base.population,
        smoothing=smoothing,
        n_directions=n_directions,
    )
    return replace(base, patterns=replace(patterns, noise=noise))


def _find_segments(
    weeks: Weeks, *, population: Floats, strength: float
) -> Mapping[str, tuple[float, ...]]:
    """The week of each segment, shrunk to everybody's."""
    names = np.array(weeks.segments, dtype=object)
    found = {}
    for name in sorted({name for name in weeks.segments if name is not None}):
        counts = weeks.before[names == name].sum(axis=0)
        share = (counts + strength * population) / (counts.sum() + strength)
        found[name] = tuple(share.tolist())
    return found


def _judge_segments(halves: tuple[Weeks, Weeks], *, strength: float | None) -> float:
    """Nats of later events of each half when only the segment is known, from the other half."""
    nats = 0.0
    for learned, judged in (halves, halves[::-1]):
        model = start_model(learned, segment_strength=strength)
        expected = model.expected_weeks(judged.known_segments, n=len(judged.customers))
        nats += float((judged.after * np.log(expected)).sum())
    return nats


def _list_tries(learned: Weeks, *, base: SendTimeModel) -> Iterator[tuple[_Try, SendTimeModel]]:
    yield _Try(_SMOOTHINGS[0], 0, 1.0), base
    for smoothing in _SMOOTHINGS:
        widest = add_patterns(
            base, learned, smoothing=smoothing, n_directions=max(_N_DIRECTIONS), noise=1.0
        ).patterns
        for n, noise in product(_N_DIRECTIONS, _NOISES):
            some = WeekPatterns(widest.directions[:n], widest.variances[:n], noise)
            yield _Try(smoothing, n, noise), replace(base, patterns=some)


def _judge_strengths(model: SendTimeModel, weeks: Weeks, *, strengths: Sequence[float]) -> Floats:
    """Mean log-likelihood of a later event by strength, the same as one judging for each."""
    who, hour = np.nonzero(weeks.after)
    times = weeks.after[who, hour]
    # At an endless strength what is seen is what is expected.
    endless = replace(model, strength=1e12)
    openness = endless.relative_openness(weeks.before, segments=weeks.known_segments)
    expected = openness[who, hour] / N_WEEK_HOURS
    own, total = weeks.before[who, hour], weeks.before.sum(axis=1)[who]
    return np.array(
        [
            (times * np.log((own + strength * expected) / (total + strength))).sum() / times.sum()
            for strength in strengths
        ]
    )
