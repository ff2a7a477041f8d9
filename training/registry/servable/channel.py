"""What comes of a message: by customer, channel, trigger, hour and recent load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from features.vocabulary import Channel, Outcome, Trigger
from training.registry.servable.booster import BoosterModel, Calibration
from training.registry.servable.orders import ORDERS, OrderHabits
from training.registry.servable.pooled import (
    LEVELS,
    MOSTLY,
    UNKNOWN,
    Codes,
    OwnHistory,
    PooledRates,
    relate_reading,
)
from training.registry.servable.signature import CHANNELS, TRIGGERS, FeatureSignature, Floats

OUTCOMES = (
    Outcome.DELIVERED,
    Outcome.OPENED,
    Outcome.CLICKED,
    Outcome.CONVERTED,
    Outcome.UNSUBSCRIBED,
)
"""What is foretold of a message."""


@dataclass(frozen=True)
class Sendings:
    """Messages that might be sent, n rows.

    Attributes:
        X: Features of the customers, (n, features); NaN is null. Recent load is among them.
        channel: Position in `CHANNELS`, (n,).
        trigger: Position in `TRIGGERS`, (n,).
        segment: Position in the model's segments, (n,); see `ChannelModel.describe`.
        language: Position in the model's languages, (n,).
        hour: Local hour of sending, 0-23, (n,); -1 asks for the mean message of the log.
    """

    X: Floats
    channel: Codes
    trigger: Codes
    segment: Codes
    language: Codes
    hour: Codes


@dataclass(frozen=True)
class Measured:
    """A number with its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class OutcomeModel:
    """The model of one outcome.

    Attributes:
        rates: What is pooled.
        trees: What the customer's features add to it, over the matrix (features, channel,
            trigger); None where nothing was learned. Their own calibration is not used.
        calibration: From their sum to honest probabilities, by position of the channel.
    """

    rates: PooledRates
    trees: BoosterModel | None
    calibration: tuple[Calibration, ...]

    @cached_property
    def _platt(self) -> Floats:
        """Slopes and intercepts by position of the channel, (2, channels)."""
        return np.array([[c.slope, c.intercept] for c in self.calibration]).T

    def finish(self, z: Floats, matrix: Floats, *, channel: Codes) -> Floats:
        """Probabilities, (n,), of pooled log-odds (n,) and what the trees see."""
        total = z if self.trees is None else z + self.trees.margin(matrix)
        slope, intercept = self._platt[:, channel]
        p: Floats = expit(slope * total + intercept)
        return p

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rates": self.rates.to_json(),
            "trees": None if self.trees is None else self.trees.to_json(),
            "calibration": [[c.slope, c.intercept] for c in self.calibration],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        trees = data["trees"]
        return cls(
            rates=PooledRates.from_json(data["rates"]),
            trees=None if trees is None else BoosterModel.from_json(trees),
            calibration=tuple(Calibration(slope, shift) for slope, shift in data["calibration"]),
        )


@dataclass(frozen=True)
class ChannelModel:
    """P(outcome | customer, channel, trigger, hour, recent load), and which level it came from.

    Attributes:
        version: Version in the registry; empty before it is registered.
        signature: The customer's features, without channel and trigger.
        own: What a customer's own answers say.
        outcomes: Models of `OUTCOMES`.
        mean_value_cents: Mean amount of a conversion by trigger, from the training data.
        monthly_cents: Mean revenue of a customer in a month.
        acted_per_open: What a reported open on the channel stands for, against one of e-mail: some
            channels are read without an open being reported, and sooner.
        prevented: Support calls that a message prevents when it is seen, where it was measured.
        orders: How customers differ in what they order; None where that is not known.
    """

    version: str
    signature: FeatureSignature
    own: OwnHistory
    outcomes: Mapping[Outcome, OutcomeModel]
    mean_value_cents: Mapping[Trigger, float]
    monthly_cents: float
    acted_per_open: Mapping[Channel, float]
    prevented: Mapping[Trigger, Measured]
    orders: OrderHabits | None = None

    def describe(
        self,
        X: Floats,
        *,
        channel: Codes,
        trigger: Trigger | Codes,
        segments: Sequence[str | None] | None = None,
        languages: Sequence[str | None] | None = None,
        hour: Codes | None = None,
    ) -> Sendings:
        """Messages to customers X (n, features) of these segments and languages, by name.

        What is left out is unknown: without `hour` the answer is that of the log's mean message.
        """
        opened = self.outcomes[Outcome.OPENED].rates
        nobody: list[str | None] = [None] * len(X)
        at_trigger = (
            np.full(len(X), TRIGGERS.index(trigger), dtype=np.int64)
            if isinstance(trigger, Trigger)
            else trigger
        )
        return Sendings(
            X=X,
            channel=channel,
            trigger=at_trigger,
            segment=opened.segments.encode(nobody if segments is None else segments),
            language=opened.languages.encode(nobody if languages is None else languages),
            hour=np.full(len(X), UNKNOWN) if hour is None else hour,
        )

    def describe_channels(
        self,
        X: Floats,
        *,
        trigger: Trigger,
        segments: Sequence[str | None] | None = None,
        languages: Sequence[str | None] | None = None,
    ) -> Sendings:
        """One message on every channel to each customer, channel by channel within a customer."""
        each = self.describe(
            X,
            channel=np.zeros(len(X), dtype=np.int64),
            trigger=trigger,
            segments=segments,
            languages=languages,
        )
        n = len(CHANNELS)
        return Sendings(
            X=np.repeat(X, n, axis=0),
            channel=np.tile(np.arange(n), len(X)),
            trigger=np.repeat(each.trigger, n),
            segment=np.repeat(each.segment, n),
            language=np.repeat(each.language, n),
            hour=np.repeat(each.hour, n),
        )

    def relate_margins(self, X: Floats) -> Floats:
        """Margin of customers X (n, features) over that of the mean one, (n,), by their orders."""
        if self.orders is None or ORDERS not in self.signature.names:
            return np.ones(len(X))
        return self.orders.relate(X[:, self.signature.names.index(ORDERS)])

    def predict(self, outcome: Outcome, sendings: Sendings) -> Floats:
        """P(outcome) of each message, (n,)."""
        return self.predict_all((outcome,), sendings)[outcome]

    def predict_all(
        self, outcomes: Sequence[Outcome], sendings: Sendings
    ) -> Mapping[Outcome, Floats]:
        """P(outcome) of each message, (n,), for several outcomes: what they share is done once."""
        matrix = to_matrix(sendings)
        readers = self._add_readers(sendings)
        return {
            outcome: self.outcomes[outcome].finish(
                self._pool(outcome, sendings, readers=readers), matrix, channel=sendings.channel
            )
            for outcome in outcomes
        }

    def pool(self, outcome: Outcome, sendings: Sendings) -> Floats:
        """Log-odds of each message from pooled rates alone, (n,), before trees and calibration."""
        return self._pool(outcome, sendings, readers=self._add_readers(sendings))

    def _pool(self, outcome: Outcome, sendings: Sendings, *, readers: Floats) -> Floats:
        rates = self.outcomes[outcome].rates
        z: Floats = rates.base[sendings.trigger, sendings.channel]
        if outcome is Outcome.OPENED:
            return z + readers
        z = z + _add_groups(rates, sendings)
        if not rates.follows:
            return z
        opened = self.outcomes[Outcome.OPENED].rates.base[sendings.trigger, sendings.channel]
        return z + rates.follows * relate_reading(opened, readers)

    def _add_readers(self, sendings: Sendings) -> Floats:
        """What group, hour and the customer's own answers add to *opened*, (n,)."""
        return _add_groups(self.outcomes[Outcome.OPENED].rates, sendings) + self._own(sendings)[0]

    def find_levels(self, outcome: Outcome, sendings: Sendings) -> npt.NDArray[np.object_]:
        """`Level` of each answer, (n,): the finest whose messages decided half of its part."""
        rates = self.outcomes[outcome].rates
        by_group = [rates]
        own = np.zeros(len(sendings.channel))
        if rates.follows or outcome is Outcome.OPENED:
            by_group.append(self.outcomes[Outcome.OPENED].rates)
            own = self._own(sendings)[1]
        grouped = np.max([_know_groups(one, sendings) for one in by_group], axis=0)
        base = rates.known[sendings.trigger, sendings.channel]
        certain = np.stack([own, grouped, base, np.ones(len(own))], axis=1)
        levels = np.empty(len(own), dtype=object)
        for at, level in enumerate(LEVELS):
            levels[(certain >= MOSTLY).argmax(axis=1) == at] = level
        return levels

    @cached_property
    def _own_columns(self) -> npt.NDArray[np.int64] | None:
        """Columns of messages and opens by channel, (channels, 2); None where X has them not."""
        at = {name: column for column, name in enumerate(self.signature.names)}
        if any(name not in at for pair in self.own.names for name in pair):
            return None
        return np.array([[at[name] for name in pair] for pair in self.own.names], dtype=np.int64)

    def count_own(self, sendings: Sendings) -> Floats | None:
        """Messages and opens of each customer by channel, (n, channels, 2); None without them."""
        return None if self._own_columns is None else sendings.X[:, self._own_columns]

    def _own(self, sendings: Sendings) -> tuple[Floats, Floats]:
        counts = self.count_own(sendings)
        if counts is None:
            return np.zeros(len(sendings.channel)), np.zeros(len(sendings.channel))
        return self.own.expect(counts, channel=sendings.channel, segment=sendings.segment)

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON."""
        return {
            "kind": "channel",
            "version": self.version,
            "features": list(self.signature.names),
            "digest": self.signature.digest,
            "own": self.own.to_json(),
            "outcomes": {k.value: o.to_json() for k, o in self.outcomes.items()},
            "mean_value_cents": {k.value: v for k, v in self.mean_value_cents.items()},
            "monthly_cents": self.monthly_cents,
            "acted_per_open": {k.value: v for k, v in self.acted_per_open.items()},
            "prevented": {k.value: [m.value, m.error] for k, m in self.prevented.items()},
            "orders": None if self.orders is None else self.orders.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        return cls(
            version=data["version"],
            signature=FeatureSignature(tuple(data["features"]), data["digest"]),
            own=OwnHistory.from_json(data["own"]),
            outcomes={Outcome(k): OutcomeModel.from_json(o) for k, o in data["outcomes"].items()},
            mean_value_cents={Trigger(k): v for k, v in data["mean_value_cents"].items()},
            monthly_cents=data["monthly_cents"],
            acted_per_open={Channel(k): v for k, v in data["acted_per_open"].items()},
            prevented={Trigger(k): Measured(*pair) for k, pair in data["prevented"].items()},
            orders=OrderHabits.from_json(orders) if (orders := data.get("orders")) else None,
        )


def to_matrix(sendings: Sendings) -> Floats:
    """What the trees see: the customer's features, then channel's and trigger's positions."""
    return np.column_stack(
        [sendings.X, sendings.channel.astype(np.float64), sendings.trigger.astype(np.float64)]
    )


def extend_signature(signature: FeatureSignature) -> FeatureSignature:
    """The signature of the matrix that the trees see."""
    return FeatureSignature((*signature.names, "channel", "trigger"), signature.digest)


def _add_groups(rates: PooledRates, sendings: Sendings) -> Floats:
    """What segment, language and hour add, (n,)."""
    added: Floats = (
        rates.segments.effect[sendings.segment, sendings.channel]
        + rates.languages.effect[sendings.language, sendings.channel]
        + rates.hours[sendings.channel, sendings.hour]
        + rates.find_interests(trigger=sendings.trigger, segment=sendings.segment)
    )
    return added


def _know_groups(rates: PooledRates, sendings: Sendings) -> Floats:
    known: Floats = np.maximum(
        rates.segments.known[sendings.segment, sendings.channel],
        rates.languages.known[sendings.language, sendings.channel],
    )
    return known
