"""Who can be moved at all: who notices a message, and what a message that is noticed can change.

A message brings no more orders than are booked to it, and prevents no more calls than those who
notice it would make. Both are rates that fall back from segment and language to everybody, with
trees over them for what features of the customer add.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from training.registry.servable.channel import OutcomeModel
from training.registry.servable.pooled import (
    Codes,
    PooledRates,
    encode_names,
    relate_reading,
)
from training.registry.servable.signature import Floats

Names = npt.NDArray[np.object_]
"""Texts such as segments or languages of customers, (n,); None where unknown."""


@dataclass(frozen=True)
class Belonging:
    """To which groups customers belong, n rows.

    Attributes:
        segments: Their segments.
        languages: Their languages.
    """

    segments: Names
    languages: Names

    @classmethod
    def of(
        cls,
        n: int,
        *,
        segments: Sequence[str | None] | None = None,
        languages: Sequence[str | None] | None = None,
    ) -> Self:
        """Of n customers; what is not given is known of nobody."""
        nobody = [None] * n
        return cls(
            np.array(nobody if segments is None else segments, dtype=object),
            np.array(nobody if languages is None else languages, dtype=object),
        )

    def take(self, rows: npt.NDArray[np.bool_] | Codes) -> Self:
        """These rows."""
        return type(self)(self.segments[rows], self.languages[rows])


@dataclass(frozen=True)
class Stakes:
    """How often the outcome comes that a message may prevent, by group and segment.

    Attributes:
        rate: P(it comes within the days that count), by position of the group.
        segments: The segments by name.
        factor: What customers of a segment have of it, against the mean customer, by segment; the
            last one, of those whose segment is unknown, is 1.
    """

    rate: tuple[float, ...]
    segments: tuple[str, ...]
    factor: tuple[float, ...]

    def predict(self, *, group: Codes, belonging: Belonging) -> Floats:
        """P(it comes), (n,), of groups (n,) and the segments of customers."""
        which = encode_names(belonging.segments.tolist(), among=self.segments)
        p: Floats = np.array(self.rate)[group] * np.array(self.factor)[which]
        return np.minimum(p, 1.0)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rate": list(self.rate),
            "segments": list(self.segments),
            "factor": list(self.factor),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(tuple(data["rate"]), tuple(data["segments"]), tuple(data["factor"]))


@dataclass(frozen=True)
class Reach:
    """What a treatment of some groups can change at most.

    Attributes:
        opened: Pooled log-odds that a message is opened; what segments and languages add to them
            they add to booked orders, as far as those follow.
        outcome: The model of what is foretold: opened, or booked.
        scale: What its probability is multiplied with, by treatment: opens are reported more fully
            on some channels than on others.
        stakes: What a message that is noticed may prevent; None where it is to bring an order.
    """

    opened: PooledRates
    outcome: OutcomeModel
    scale: tuple[float, ...]
    stakes: Stakes | None = None

    def predict(self, X: Floats, *, group: Codes, belonging: Belonging) -> Floats:
        """Of each treatment, (n, treatments), on customers X (n, features)."""
        p: Floats = self.p_outcome(X, group=group, belonging=belonging) * np.array(self.scale)
        if self.stakes is None:
            return p
        return p * self.stakes.predict(group=group, belonging=belonging)[:, None]

    def p_outcome(self, X: Floats, *, group: Codes, belonging: Belonging) -> Floats:
        """P(opened) or P(booked) of each treatment, (n, treatments)."""
        n, k = len(X), len(self.scale)
        z = self.pool(group=group, belonging=belonging)
        channel = np.repeat(np.arange(k), n)  # treatment by treatment
        at = np.tile(group.astype(np.float64), k)
        matrix = np.column_stack([np.tile(X, (k, 1)), channel.astype(np.float64), at])
        p = self.outcome.finish(z.T.ravel(), matrix, channel=channel)
        return np.ascontiguousarray(p.reshape(k, n).T)

    def p_read(self, *, group: Codes, belonging: Belonging) -> Floats:
        """P(opened) of each treatment from pooled rates alone, (n, treatments)."""
        p: Floats = expit(self.opened.base[group] + _add_groups(self.opened, belonging))
        return p

    def pool(self, *, group: Codes, belonging: Belonging) -> Floats:
        """Log-odds from pooled rates alone, (n, treatments), before trees."""
        rates = self.outcome.rates
        z: Floats = rates.base[group] + _add_groups(rates, belonging)
        segment = rates.segments.encode(belonging.segments.tolist())
        z = z + rates.find_interests(trigger=group, segment=segment)[:, None]
        if rates.follows:
            readers = _add_groups(self.opened, belonging)
            z = z + rates.follows * relate_reading(self.opened.base[group], readers)
        return z

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "opened": self.opened.to_json(),
            "outcome": self.outcome.to_json(),
            "scale": list(self.scale),
            "stakes": None if self.stakes is None else self.stakes.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        stakes = data["stakes"]
        return cls(
            opened=PooledRates.from_json(data["opened"]),
            outcome=OutcomeModel.from_json(data["outcome"]),
            scale=tuple(data["scale"]),
            stakes=None if stakes is None else Stakes.from_json(stakes),
        )


def _add_groups(rates: PooledRates, belonging: Belonging) -> Floats:
    """What segment and language add, (n, treatments)."""
    added: Floats = (
        rates.segments.effect[rates.segments.encode(belonging.segments.tolist())]
        + rates.languages.effect[rates.languages.encode(belonging.languages.tolist())]
    )
    return added
