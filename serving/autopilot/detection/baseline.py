"""What is usual: the week's rhythm, a level for each topic, and how unsteady it all is.

Fitted on past complaints of distinct customers; where there are too few, assumed and said so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.errors import BadInputError
from serving.autopilot.detection.week import (
    HOUR_US,
    WEEK_HOURS,
    Floats,
    WeekShape,
    fit_shape,
    opening_shape,
)

LEAST_WEEKS: Final = 2
_LEAST_COMPLAINTS: Final = 50
_HOURS_A_DAY: Final = 24
_MOST_PHI: Final = 9.0
_ASSUMED_PER_DAY: Final = 0.3


@dataclass(frozen=True, order=True)
class Stream:
    """What is watched: complaints about one topic in one branch."""

    branch: str
    topic: str

    def __str__(self) -> str:
        return f"{self.branch} / {self.topic}"


@dataclass(frozen=True)
class Complaint:
    """A complaint that counts: of a known customer, the first in a while.

    Attributes:
        stream: Where and about what.
        at_us: When it was written.
    """

    stream: Stream
    at_us: int


class Dispersion(BaseModel):
    """How unsteady rates are: squared coefficients of variation, from day to day and hour to hour.

    Attributes:
        day: Of the days.
        hour: Of the hours of a day.
        low: Lower end of the 95 % interval of both together.
        high: Its upper end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: Annotated[float, Field(ge=0)]
    hour: Annotated[float, Field(ge=0)]
    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(ge=0)]

    @property
    def phi(self) -> float:
        """Of a count within an hour."""
        return (1 + self.day) * (1 + self.hour) - 1

    def at(self, phi: float) -> "Dispersion":
        """One of the same make whose hours vary as told."""
        ratio = phi / self.phi if self.phi > 0 else 0.0
        day = self.day * ratio if self.phi > 0 else phi / 2
        return Dispersion(day=day, hour=max(0.0, (1 + phi) / (1 + day) - 1), low=phi, high=phi)


class Baseline(BaseModel):
    """What is usual in a chain.

    Attributes:
        zone: Whose local hours the rhythm is in.
        weights: Of the hours of the week, see `WeekShape`.
        streams: What is watched.
        topic_per_day: Mean complaints a day of a stream, by topic.
        dispersion: How unsteady it is.
        n_complaints: It was fitted on so many; 0 where it is assumed.
        n_weeks: And on so many weeks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    zone: str
    weights: Annotated[tuple[float, ...], Field(min_length=WEEK_HOURS, max_length=WEEK_HOURS)]
    streams: tuple[Stream, ...]
    topic_per_day: Mapping[str, float]
    dispersion: Dispersion
    n_complaints: int
    n_weeks: float

    @property
    def is_assumed(self) -> bool:
        """Whether there was too little history to fit it on."""
        return self.n_complaints == 0

    @property
    def shape(self) -> WeekShape:
        """The rhythm of the week."""
        return WeekShape(self.weights, self.zone)

    def level_of(self, topic: str) -> float:
        """Complaints in an hour of the mean rate, of a stream nothing else is known of."""
        return self.topic_per_day[topic] / _HOURS_A_DAY


def assume_baseline(
    streams: Iterable[Stream], *, zone: str, per_day: float = _ASSUMED_PER_DAY
) -> Baseline:
    """For a chain without history: opening hours, and so many complaints a day in every stream."""
    watched = tuple(sorted(set(streams)))
    return Baseline(
        zone=zone,
        weights=opening_shape(zone=zone).weights,
        streams=watched,
        topic_per_day={stream.topic: per_day for stream in watched},
        dispersion=Dispersion(day=0.12, hour=0.25, low=0.1, high=1.0),
        n_complaints=0,
        n_weeks=0.0,
    )


def fit_baseline(
    history: Sequence[Complaint],
    *,
    streams: Iterable[Stream],
    since_us: int,
    until_us: int,
    zone: str,
    rng: np.random.Generator,
) -> Baseline:
    """What was usual in a span.

    Args:
        history: Complaints of that span that count, of these streams.
        streams: What is watched; those without a complaint count too.
        since_us: First moment of the span.
        until_us: First moment after it.
        zone: Of the chain.
        rng: Of the bootstrap of the dispersion, over weeks.

    Returns:
        An assumed baseline where the span has less than two weeks or fifty complaints.

    Raises:
        BadInputError: A complaint lies outside of the span or belongs to no stream.
    """
    watched = tuple(sorted(set(streams)))
    _require_inside(history, watched, since_us=since_us, until_us=until_us)
    n_weeks = (until_us - since_us) / HOUR_US / WEEK_HOURS
    if n_weeks < LEAST_WEEKS or len(history) < _LEAST_COMPLAINTS:
        return assume_baseline(watched, zone=zone)
    flat = WeekShape((1.0,) * WEEK_HOURS, zone)
    local = flat.local_hours(np.array([one.at_us for one in history], np.int64))
    shape = fit_shape(local, zone=zone)
    topics = sorted({stream.topic for stream in watched})
    n_by_topic = dict.fromkeys(topics, 0.5)  # half a complaint: no topic is impossible
    for one in history:
        n_by_topic[one.stream.topic] += 1
    per_topic = {topic: sum(s.topic == topic for s in watched) for topic in topics}
    return Baseline(
        zone=zone,
        weights=shape.weights,
        streams=watched,
        topic_per_day={t: n_by_topic[t] / (7 * n_weeks * per_topic[t]) for t in topics},
        dispersion=_fit_dispersion(_count_hours(history, watched, local), shape, rng=rng),
        n_complaints=len(history),
        n_weeks=n_weeks,
    )


def _require_inside(
    history: Sequence[Complaint], watched: tuple[Stream, ...], *, since_us: int, until_us: int
) -> None:
    known = set(watched)
    faults = [
        f"complaint {row}: {one.stream} at {one.at_us}"
        for row, one in enumerate(history)
        if one.stream not in known or not since_us <= one.at_us < until_us
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise BadInputError(
            f"history: {'; '.join(faults[:3])}{more}: expected streams that are watched and moments"
            f" from {since_us} to before {until_us}"
        )


def _count_hours(
    history: Sequence[Complaint], watched: tuple[Stream, ...], local: Floats
) -> Floats:
    """Complaints by stream, whole local day and hour, (streams, days, 24)."""
    first = np.floor(local.min() / 24)
    days = (np.floor(local / 24) - first).astype(np.int64)
    row_of = {stream: row for row, stream in enumerate(watched)}
    rows = np.array([row_of[one.stream] for one in history])
    counts = np.zeros((len(watched), int(days.max()) + 1, 24))
    np.add.at(counts, (rows, days, np.floor(local).astype(np.int64) % 24), 1.0)
    n_days = counts.shape[1]
    # From Monday on, so that days find their weights.
    start = int(first) % 7
    return np.pad(counts, ((0, 0), (start, -(n_days + start) % 7), (0, 0)), constant_values=np.nan)


def _fit_dispersion(counts: Floats, shape: WeekShape, *, rng: np.random.Generator) -> Dispersion:
    """By moments: variance above that of Poisson counts, over the squared mean; of all streams.

    A stream's own mean is of the same counts, which costs one degree of freedom of its days.
    """
    n_weeks = counts.shape[1] // 7
    by_week = counts.reshape(len(counts), n_weeks, 7, 24)
    weights = np.array(shape.weights).reshape(7, 24)
    seen = ~np.isnan(by_week)
    exposure = (seen * weights).sum(axis=(1, 2, 3))
    level = np.nansum(by_week, axis=(1, 2, 3)) / exposure
    usual = level[:, None, None, None] * weights
    n_days = seen.any(axis=3).sum(axis=(1, 2)).max()
    scale = n_days / max(1, n_days - 1)
    hour = scale * (by_week - usual) ** 2 - by_week
    day = scale * (by_week.sum(axis=3) - usual.sum(axis=3)) ** 2 - by_week.sum(axis=3)
    parts = np.stack(
        [
            np.nansum(day, axis=(0, 2)),
            (seen.any(axis=3) * usual.sum(axis=3) ** 2).sum(axis=(0, 2)),
            np.nansum(hour, axis=(0, 2, 3)),
            (seen * usual**2).sum(axis=(0, 2, 3)),
        ],
        axis=1,
    )
    drawn = rng.integers(0, n_weeks, (400, n_weeks))
    phis = [_phi_of(parts[weeks].sum(axis=0)) for weeks in drawn]
    of_all = parts.sum(axis=0)
    # A day's total holds the hours' own share, spread over them.
    within = float((weights**2).sum() / (weights.sum(axis=1) ** 2).sum())
    total, of_days = _phi_of(of_all), float(of_all[0] / of_all[1])
    steady = float(np.clip((of_days - total * within) / (1 - within), 0.0, total))
    low, high = np.quantile(phis, (0.025, 0.975))
    return Dispersion(
        day=steady, hour=(1 + total) / (1 + steady) - 1, low=float(low), high=float(high)
    )


def _phi_of(parts: Floats) -> float:
    return float(np.clip(parts[2] / parts[3], 0.0, _MOST_PHI))
