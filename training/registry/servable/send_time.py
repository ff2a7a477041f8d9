"""When in the week a customer is there, and what sending in an hour is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.declared.hours import PRESENCE
from features.vocabulary import Channel
from training.registry.servable.hour_response import N_WEEK_HOURS, HourResponse
from training.registry.servable.signature import CHANNELS, FeatureSignature, Floats

_FLOOR = 0.1
"""Least share of an hour, over what is expected of the customer's segment."""


@dataclass(frozen=True)
class WeekPatterns:
    """How customers' weeks differ: directions around the expected week, the widest first.

    A customer's own week is the expected one plus a sum of directions with normal weights, and
    what is seen of it is noisy. The best linear guess of the weights shrinks each by
    `variance / (variance + noise / events)` (Buehlmann & Straub 1970, in many dimensions).

    Attributes:
        directions: Orthonormal, of shares over the square root of the population's, (r, 168).
        variances: Of the weights, (r,).
        noise: Variance that one event adds along every direction; 1 where events are
            independent, more where they come in bursts.
    """

    directions: tuple[tuple[float, ...], ...] = ()
    variances: tuple[float, ...] = ()
    noise: float = 1.0


def sign_presence() -> FeatureSignature:
    """What a model carries of the histogram that the running code counts presence with."""
    return FeatureSignature((PRESENCE.name,), PRESENCE.digest)


@dataclass(frozen=True)
class SendTimeModel:
    """How open an hour of the customer's own week is, relative to the average hour.

    Everybody's week, the segment's, the patterns in which customers differ, the customer's own
    counts: each shrinks to the one before.

    Attributes:
        version: Version in the registry; empty before it is registered.
        population: Share of activity by hour of the week, local time, Monday 0:00 first; sums to 1.
        strength: Pseudo-counts of what is expected of the customer against the own counts.
        segments: The expected week by segment, as `population`; others have the population's.
        patterns: How customers' weeks differ.
        responses: What the hour does to a message, by channel; presence itself where none is told.
        reach_hours: An hour's presence is averaged with so many hours before and after it where
            a message is sent.
        signature: Of the histogram whose counts it takes; the running code's where it is made.
    """

    version: str
    population: tuple[float, ...]
    strength: float
    segments: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    patterns: WeekPatterns = field(default_factory=WeekPatterns)
    responses: Mapping[Channel, HourResponse] = field(default_factory=dict)
    reach_hours: int = 0
    signature: FeatureSignature = field(default_factory=sign_presence)

    def expected_weeks(self, segments: Sequence[str | None] | None, *, n: int) -> Floats:
        """The week of each customer's segment, or everybody's, (n, 168)."""
        return self._weeks[self._positions(segments, n=n)]

    def relative_openness(
        self, counts: Floats, *, segments: Sequence[str | None] | None = None
    ) -> Floats:
        """Presence by hour, 1 in a mean hour, (n, 168), of counts (n, 168).

        Args:
            counts: What was seen of each customer, by hour of the own week.
            segments: Of each customer, n of them; None where it is not known.
        """
        total = counts.sum(axis=1, keepdims=True)
        position = self._positions(segments, n=len(counts))
        expected = self._weeks[position]
        if self.patterns.directions:
            expected = self._follow_patterns(counts, total, position)
        expected *= self.strength  # (counts + strength x expected) / (total + strength), in place
        expected += counts
        expected /= total + self.strength
        expected *= N_WEEK_HOURS
        return expected

    def timing(
        self,
        counts: Floats,
        *,
        week_hours: npt.NDArray[np.int64],
        waited_hours: Floats,
        half_life_hours: float,
        segments: Sequence[str | None] | None = None,
    ) -> Floats:
        """Worth of sending in each slot, over the log's mean message sent at once, (n, 5, S).

        That is the chance to be read there, times what is left of the occasion by then. Slots of
        one case compare: `timing[:, c, s] / timing[:, c, 0] - 1` is what waiting from the first
        slot to slot s gains on a channel.

        Args:
            counts: What was seen of each customer, by hour of the own week, (n, 168).
            week_hours: Local hour of the week of each slot, (n, S).
            waited_hours: From now until each slot, (n, S).
            half_life_hours: Time in which the occasion loses half its worth.
            segments: Of each customer; None where it is not known.
        """
        openness = self.relative_openness(counts, segments=segments)
        around = self._spread_at(openness, week_hours)
        fresh = np.exp2(-waited_hours / half_life_hours)
        by_channel = []
        for response in self._responses:
            worth = response.relative(around) * fresh
            if response.attention:
                left = response.freshness_when_read(openness, half_life_hours=half_life_hours)
                worth = worth * np.take_along_axis(left, week_hours, axis=1)
            by_channel.append(worth)
        return np.stack(by_channel, axis=1)

    def around(self, openness: Floats) -> Floats:
        """Presence averaged over the hours around each, (n, 168), of openness (n, 168)."""
        every_hour = np.broadcast_to(np.arange(N_WEEK_HOURS), openness.shape)
        return self._spread_at(openness, every_hour)

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON."""
        return {
            "kind": "send_time",
            "version": self.version,
            "population": list(self.population),
            "strength": self.strength,
            "segments": {name: list(week) for name, week in self.segments.items()},
            "directions": [list(direction) for direction in self.patterns.directions],
            "variances": list(self.patterns.variances),
            "noise": self.patterns.noise,
            "responses": {c.value: r.to_json() for c, r in self.responses.items()},
            "reach_hours": self.reach_hours,
            "features": list(self.signature.names),
            "digest": self.signature.digest,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote; one from before signatures has an empty signature."""
        if "digest" not in data:
            unsigned = FeatureSignature((), "")
            week = tuple(data["population"])
            return cls(data["version"], week, data["strength"], signature=unsigned)
        patterns = WeekPatterns(
            directions=tuple(tuple(direction) for direction in data["directions"]),
            variances=tuple(data["variances"]),
            noise=data["noise"],
        )
        return cls(
            version=data["version"],
            population=tuple(data["population"]),
            strength=data["strength"],
            segments={name: tuple(week) for name, week in data["segments"].items()},
            patterns=patterns,
            responses={
                Channel(name): HourResponse.from_json(response)
                for name, response in data["responses"].items()
            },
            reach_hours=data["reach_hours"],
            signature=FeatureSignature(tuple(data["features"]), data["digest"]),
        )

    @cached_property
    def _weeks(self) -> Floats:
        """Everybody's week, then those of the segments, (1 + segments, 168)."""
        return np.array([self.population, *self.segments.values()], dtype=np.float64)

    @cached_property
    def _position_of(self) -> Mapping[str | None, int]:
        return {name: 1 + position for position, name in enumerate(self.segments)}

    @cached_property
    def _responses(self) -> tuple[HourResponse, ...]:
        return tuple(self.responses.get(channel, HourResponse()) for channel in CHANNELS)

    @cached_property
    def _directions(self) -> Floats:
        return np.array(self.patterns.directions, dtype=np.float64)

    @cached_property
    def _down(self) -> Floats:
        """From counts to weights, (168, r)."""
        down: Floats = self._directions.T / np.sqrt(np.array(self.population))[:, None]
        return down

    @cached_property
    def _up(self) -> Floats:
        """From weights to shares, (r, 168)."""
        up: Floats = self._directions * np.sqrt(np.array(self.population))
        return up

    @cached_property
    def _weeks_down(self) -> Floats:
        projected: Floats = self._weeks @ self._down
        return projected

    def _positions(self, segments: Sequence[str | None] | None, *, n: int) -> npt.NDArray[np.int64]:
        if segments is None or not self.segments:
            return np.zeros(n, dtype=np.int64)
        return np.array([self._position_of.get(name, 0) for name in segments], dtype=np.int64)

    def _follow_patterns(
        self, counts: Floats, total: Floats, position: npt.NDArray[np.int64]
    ) -> Floats:
        """The best linear guess of each customer's own week; no hour falls below a floor."""
        variances = np.array(self.patterns.variances)
        seen = counts @ self._down - total * self._weeks_down[position]
        weights = seen * (variances / (total * variances + self.patterns.noise))
        expected = self._weeks[position]
        week: Floats = weights @ self._up
        week += expected
        expected *= _FLOOR
        np.maximum(week, expected, out=week)
        week /= week.sum(axis=1, keepdims=True)
        return week

    def _spread_at(self, openness: Floats, week_hours: npt.NDArray[np.int64]) -> Floats:
        """Presence averaged over the hours around these, (n, S), of openness (n, 168)."""
        if self.reach_hours == 0:
            return np.take_along_axis(openness, week_hours, axis=1)
        steps = range(-self.reach_hours, self.reach_hours + 1)
        spread = np.zeros(week_hours.shape)
        for step in steps:
            spread += np.take_along_axis(openness, (week_hours - step) % N_WEEK_HOURS, axis=1)
        spread /= len(steps)
        return spread
