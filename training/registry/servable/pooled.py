"""Rates that fall back: from a customer to customers like them, to everybody, to a belief.

Log-odds add up: a base by trigger and channel, what customers of a segment or language add on each
channel, what the customer's own answers on the channel add. Each part is shrunk as far as its
messages are few, so an answer always exists; `Level` says where most of it came from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.vocabulary import Channel
from training.registry.servable.signature import CHANNELS, Floats

Codes = npt.NDArray[np.int64]

UNKNOWN = -1
"""Position of a segment or language that the model has not seen, and of an hour not settled yet."""

N_HOURS = 24

MOSTLY = 0.5
"""Share of an answer that a level's messages must have decided for it to come from there."""


class Level(StrEnum):
    """Where an answer came from, finest first."""

    CUSTOMER = "customer"
    SEGMENT = "segment"
    POPULATION = "population"
    PRIOR = "prior"


LEVELS: tuple[Level, ...] = tuple(Level)


def logit(p: Floats) -> Floats:
    """Log-odds of probabilities; 0 and 1 become very large ones."""
    clipped = np.clip(p, 1e-9, 1.0 - 1e-9)
    odds: Floats = np.log(clipped / (1.0 - clipped))
    return odds


def relate_reading(base: Floats, added: Floats) -> Floats:
    """Log of how many times as often messages are opened by whom readers add so much, any shape.

    What follows reading comes so many times as often, too. Log-odds would overrate it: where a half
    opens, a log-odds that doubles what a tenth opens does far less.

    >>> relate_reading(np.array([0.0]), np.array([50.0])).round(2)  # from a half to all
    array([0.69])
    """
    related: Floats = np.logaddexp(0.0, -base) - np.logaddexp(0.0, -(base + added))
    return related


def encode_names(names: Sequence[str | None], *, among: Sequence[str]) -> Codes:
    """Position of each name in a closed set, (n,); `UNKNOWN` where it has none."""
    position = {name: at for at, name in enumerate(among)}
    return np.array([position.get(name or "", UNKNOWN) for name in names], dtype=np.int64)


class _Tables:
    """Arrays that are equal where they say the same."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and isinstance(other, _Tables)
            and (self.to_json() == other.to_json())
        )

    def __hash__(self) -> int:
        return hash(repr(self.to_json()))


@dataclass(frozen=True, eq=False)
class GroupEffects(_Tables):
    """What customers of a group add on each channel.

    Attributes:
        values: The groups by name, e.g. segments; others are unknown and add nothing.
        effect: Log-odds added, (values + 1, channels); the last row, of the unknown, is 0.
        known: Share of it that messages decided, the same shape; 0 is a belief, 1 is measured.
    """

    values: tuple[str, ...]
    effect: Floats
    known: Floats

    @classmethod
    def none(cls) -> Self:
        """No groups at all."""
        zeros = np.zeros((1, len(CHANNELS)))
        return cls((), zeros, zeros)

    def encode(self, names: Sequence[str | None]) -> Codes:
        """Position of each name, `UNKNOWN` where it has none."""
        return encode_names(names, among=self.values)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "values": list(self.values),
            "effect": self.effect.tolist(),
            "known": self.known.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(tuple(data["values"]), np.array(data["effect"]), np.array(data["known"]))


@dataclass(frozen=True, eq=False)
class OwnHistory(_Tables):
    """What a customer's own answers on a channel say: opened against what was to be expected.

    The posterior mean of a factor with a gamma prior of mean 1 and as many expected opens as
    `strength` (Poisson-gamma shrinkage; Clayton & Kaldor 1987).

    Attributes:
        names: Features that count messages sent and opened in the last 90 days, by channel.
        strength: Expected opens after which a customer's own answers count as much as the others'.
        typical: P(opened) by segment (the last row: unknown) and channel over all triggers,
            (segments + 1, channels).
    """

    names: tuple[tuple[str, str], ...]
    strength: float
    typical: Floats

    @classmethod
    def feature_names(cls) -> tuple[tuple[str, str], ...]:
        """The features that it reads of each channel."""
        return tuple((f"{c}_messages_90d", f"{c}_opened_90d") for c in Channel)

    def expect(self, counts: Floats, *, channel: Codes, segment: Codes) -> tuple[Floats, Floats]:
        """Log-odds added and the share that the customer's own answers decided, (n,) each.

        Args:
            counts: Messages and opens by channel, (n, channels, 2); NaN is null.
            channel: Position of the channel, (n,).
            segment: Position of the segment, (n,).
        """
        own = np.nan_to_num(counts[np.arange(len(channel)), channel])
        expected = own[:, 0] * self.typical[segment, channel]
        opened = np.minimum(own[:, 1], own[:, 0])
        added: Floats = np.log((self.strength + opened) / (self.strength + expected))
        return added, expected / (self.strength + expected)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "names": [list(pair) for pair in self.names],
            "strength": self.strength,
            "typical": self.typical.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        names = tuple((str(sent), str(opened)) for sent, opened in data["names"])
        return cls(names, data["strength"], np.array(data["typical"]))


@dataclass(frozen=True, eq=False)
class PooledRates(_Tables):
    """Log-odds of one outcome, without what the customer's own answers add.

    Attributes:
        base: By trigger and channel, (triggers, channels).
        known: Share of the base that messages decided, the same shape.
        segments: What segments add.
        languages: What languages add.
        hours: What the local hour of sending adds, (channels, 24 + 1); the last one is of the mean
            message: 0.
        follows: How far the outcome follows how many times as often group, hour and customer open;
            0 where it has nothing to do with that, and for *opened* itself.
        interests: What segments add on a trigger whatever the channel, (triggers, segments + 1);
            the last one, of the unknown, is 0. None where nothing is told apart.
    """

    base: Floats
    known: Floats
    segments: GroupEffects
    languages: GroupEffects
    hours: Floats
    follows: float
    interests: Floats | None = None

    def find_interests(self, *, trigger: Codes, segment: Codes) -> Floats:
        """What these segments add on these triggers, (n,)."""
        if self.interests is None:
            return np.zeros(len(trigger))
        added: Floats = self.interests[trigger, segment]
        return added

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "base": self.base.tolist(),
            "known": self.known.tolist(),
            "segments": self.segments.to_json(),
            "languages": self.languages.to_json(),
            "hours": self.hours.tolist(),
            "follows": self.follows,
            "interests": None if self.interests is None else self.interests.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(
            base=np.array(data["base"]),
            known=np.array(data["known"]),
            segments=GroupEffects.from_json(data["segments"]),
            languages=GroupEffects.from_json(data["languages"]),
            hours=np.array(data["hours"]),
            follows=data["follows"],
            interests=None if (told := data.get("interests")) is None else np.array(told),
        )
