"""What a message changes: the effect of each treatment on each customer, with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import lightgbm
import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from training.registry.servable.booster import BoosterModel
from training.registry.servable.reach import Belonging, Reach
from training.registry.servable.signature import FeatureSignature, Floats

_Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Pairs:
    """Every customer of one group with every treatment.

    Attributes:
        X: Features of the customers, (n, features).
        group: Position of the group.
        reach: What each treatment can change at most, (n, treatments).
    """

    X: Floats
    group: int
    reach: Floats

    @cached_property
    def matrix(self) -> Floats:
        """What trees see, treatment by treatment, (treatments x n, features + 3)."""
        n, k = self.reach.shape
        return np.column_stack(
            [
                np.tile(self.X, (k, 1)),
                np.full(n * k, float(self.group)),
                np.repeat(np.arange(k, dtype=np.float64), n),
                self.reach.T.ravel(),
            ]
        )


@dataclass(frozen=True)
class TreeEffect:
    """A weighted sum of regression trees over the features, the group, the treatment, the reach.

    Attributes:
        texts: LightGBM's model texts.
        coefficients: Of each in the sum.
    """

    texts: tuple[str, ...] = field(repr=False)
    coefficients: tuple[float, ...]

    @cached_property
    def _boosters(self) -> tuple[lightgbm.Booster, ...]:
        return tuple(lightgbm.Booster(model_str=text) for text in self.texts)

    def predict(self, matrix: Floats) -> Floats:
        """Effects, (n,), of a matrix whose last columns are group, treatment and reach."""
        effects = np.zeros(len(matrix))
        for coefficient, booster in zip(self.coefficients, self._boosters, strict=True):
            effects += coefficient * np.asarray(booster.predict(matrix, num_threads=1))
        return effects

    def predict_pairs(self, pairs: Pairs) -> Floats:
        """Effects, (n, treatments)."""
        n, k = pairs.reach.shape
        return self.predict(pairs.matrix).reshape(k, n).T

    def to_json(self) -> dict[str, Any]:
        """The part as JSON."""
        return {"texts": list(self.texts), "coefficients": list(self.coefficients)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The part that `to_json` wrote."""
        return cls(tuple(data["texts"]), tuple(data["coefficients"]))


@dataclass(frozen=True)
class ReachEffect:
    """Effect = by_group x by_treatment x reach.

    Attributes:
        by_group: Of each group; one never seen has the mean.
        by_treatment: Of each treatment.
    """

    by_group: tuple[float, ...]
    by_treatment: tuple[float, ...]

    def predict(self, matrix: Floats) -> Floats:
        """Effects, (n,), of a matrix whose last columns are group, treatment and reach."""
        group = matrix[:, -3].astype(np.int64)
        known = group < len(self.by_group)
        slopes = np.array(self.by_group)[np.where(known, group, 0)]
        slopes = np.where(known, slopes, np.mean(self.by_group))
        factors = np.array(self.by_treatment)[matrix[:, -2].astype(np.int64)]
        effects: Floats = slopes * factors * matrix[:, -1]
        return effects

    def predict_pairs(self, pairs: Pairs) -> Floats:
        """Effects, (n, treatments); for these nobody needs to put a matrix together."""
        known = pairs.group < len(self.by_group)
        slope = self.by_group[pairs.group] if known else float(np.mean(self.by_group))
        effects: Floats = slope * np.array(self.by_treatment) * pairs.reach
        return effects

    def to_json(self) -> dict[str, Any]:
        """The part as JSON."""
        return {"by_group": list(self.by_group), "by_treatment": list(self.by_treatment)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The part that `to_json` wrote."""
        return cls(tuple(data["by_group"]), tuple(data["by_treatment"]))


EffectPart = TreeEffect | ReachEffect


@dataclass(frozen=True)
class Member:
    """One fit of all learners: a weighted sum of their effects.

    Attributes:
        weights: Of each part, at least 0.
        parts: One for each learner that has a weight.
    """

    weights: tuple[float, ...]
    parts: tuple[EffectPart, ...]

    def predict(self, matrix: Floats) -> Floats:
        """Effects, (n,)."""
        total = np.zeros(len(matrix))
        for weight, part in zip(self.weights, self.parts, strict=True):
            total += weight * part.predict(matrix)
        return total

    def predict_pairs(self, pairs: Pairs) -> Floats:
        """Effects, (n, treatments)."""
        total = np.zeros(pairs.reach.shape)
        for weight, part in zip(self.weights, self.parts, strict=True):
            total += weight * part.predict_pairs(pairs)
        return total

    def to_json(self) -> dict[str, Any]:
        """The member as JSON."""
        return {"weights": list(self.weights), "parts": [part.to_json() for part in self.parts]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The member that `to_json` wrote."""
        parts = tuple(
            TreeEffect.from_json(p) if "texts" in p else ReachEffect.from_json(p)
            for p in data["parts"]
        )
        return cls(tuple(data["weights"]), parts)


@dataclass(frozen=True)
class Effects:
    """Effects and their 95 % intervals, (n, treatments) each.

    Attributes:
        value: P(the treatment brings a good outcome that else would not have come), less those it
            costs, the mean of the members.
        low: Lower end.
        high: Upper end.
        sd: Standard deviation: over the members, and of customers taken for alike among each
            other; NaN where there are too few members.
    """

    value: Floats
    low: Floats
    high: Floats
    sd: Floats


@dataclass(frozen=True)
class NetValues:
    """What each treatment is worth, in cents net of its cost, and which one is best.

    Attributes:
        cents: Expected, (n, treatments); NaN where the treatment is not allowed.
        low: Lower end of the 95 % interval.
        best: Position of the best allowed treatment, (n,); -1 where none is worth its cost.
    """

    cents: Floats
    low: Floats
    best: npt.NDArray[np.int64]


@dataclass(frozen=True)
class UpliftModel:
    """Who is moved by which treatment.

    Attributes:
        version: Version in the registry; empty before it is registered.
        signature: The customer's features.
        groups: Names of the groups (triggers) by position.
        treatments: Names of the treatments (channels) by position.
        members: Fits of the model to all rows and to bootstrap draws of customers, at least one:
            their mean is the effect (Breiman 1996, bagging), their spread its uncertainty.
        reaches: What a treatment can change at most, by name of the group. Groups without one have
            1.
        own_sd: How far the effects of customers whom the model takes for alike lie apart, as a
            standard deviation over their mean, by group: nothing of the model narrows that.
        without: P(good outcome without treatment) of features and group.
        value_cents: What a good outcome is worth, by group.
        cost_cents: What a treatment costs.
        foreseen: P(the bad outcome comes in the end), by name of the groups in which it comes later
            than the days that a trial looks at. Effects are those within these days: next to none.
    """

    version: str
    signature: FeatureSignature
    groups: tuple[str, ...]
    treatments: tuple[str, ...]
    members: tuple[Member, ...] = field(repr=False)
    reaches: Mapping[str, Reach]
    own_sd: tuple[float, ...]
    without: BoosterModel
    value_cents: tuple[float, ...]
    cost_cents: tuple[float, ...]
    foreseen: Mapping[str, float] = field(default_factory=dict)

    def effects(self, X: Floats, *, group: str, belonging: Belonging | None = None) -> Effects:
        """Effect of every treatment on customers X (n, features), of one group.

        Who is not said to belong anywhere is taken for the mean customer.
        """
        at = self._position(group)
        n, k = len(X), len(self.treatments)
        reach = self.find_reach(X, group=group, belonging=belonging)
        pairs = Pairs(X, at, reach)
        told = np.stack([member.predict_pairs(pairs) for member in self.members])
        value = told.mean(axis=0)
        unsure = told.std(axis=0, ddof=1) if len(told) > 2 else np.full((n, k), np.nan)
        sd = np.hypot(unsure, self.own_sd[at] * value)
        return Effects(value, value - _Z * sd, value + _Z * sd, sd)

    def find_reach(self, X: Floats, *, group: str, belonging: Belonging | None = None) -> Floats:
        """What each treatment can change at most, (n, treatments)."""
        at = np.full(len(X), self._position(group), dtype=np.int64)
        if group not in self.reaches:
            return np.ones((len(X), len(self.treatments)))
        who = belonging or Belonging.of(len(X))
        return self.reaches[group].predict(X, group=at, belonging=who)

    def p_bad(self, group: str, *, belonging: Belonging) -> Floats | None:
        """P(the bad outcome that a message may prevent comes in the end), (n,), as it was counted.

        None where it never came, and of groups in which a good outcome is to be brought about.
        """
        n, at = len(belonging.segments), self._position(group)
        if group in self.foreseen:
            return np.full(n, self.foreseen[group])
        stakes = self.reaches[group].stakes if group in self.reaches else None
        if stakes is None or not stakes.rate[at]:
            return None
        return stakes.predict(group=np.full(n, at, dtype=np.int64), belonging=belonging)

    def shares(self, group: str) -> Floats | None:
        """Share of the reach that the group's messages achieve, by member, (members,).

        None where that is not what was learned: of groups without a reach, and of trees.
        """
        at = self._position(group)
        parts = [part for member in self.members for part in member.parts]
        learned = [
            p.by_group[at] for p in parts if isinstance(p, ReachEffect) and at < len(p.by_group)
        ]
        if group not in self.reaches or not len(learned) == len(parts) == len(self.members):
            return None
        return np.array(learned)

    def p_without(self, X: Floats, *, group: str) -> Floats:
        """P(good outcome without treatment), (n,)."""
        at = np.full(len(X), float(self._position(group)))
        return self.without.predict(np.column_stack([X, at]))

    def net_values(
        self, effects: Effects, *, group: str, allowed: npt.NDArray[np.bool_] | None = None
    ) -> NetValues:
        """What each treatment is worth to these customers.

        Args:
            effects: Of the customers.
            group: Why they would be treated.
            allowed: Which treatments are possible, (n, treatments); all where not given.
        """
        worth, costs = self.value_cents[self._position(group)], np.array(self.cost_cents)
        cents, low = worth * effects.value - costs, worth * effects.low - costs
        if allowed is not None:
            cents, low = np.where(allowed, cents, np.nan), np.where(allowed, low, np.nan)
        filled = np.where(np.isnan(cents), -np.inf, cents)
        best = np.where(filled.max(axis=1) > 0, filled.argmax(axis=1), -1)
        return NetValues(cents, low, best.astype(np.int64))

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON; groups share reaches, each of which is written once."""
        reaches = list(dict.fromkeys(self.reaches.values()))
        return {
            "kind": "uplift",
            "version": self.version,
            "features": list(self.signature.names),
            "digest": self.signature.digest,
            "groups": list(self.groups),
            "treatments": list(self.treatments),
            "members": [member.to_json() for member in self.members],
            "reaches": [reach.to_json() for reach in reaches],
            "reach_of": {group: reaches.index(reach) for group, reach in self.reaches.items()},
            "own_sd": list(self.own_sd),
            "without": self.without.to_json(),
            "value_cents": list(self.value_cents),
            "cost_cents": list(self.cost_cents),
            "foreseen": dict(self.foreseen),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        reaches = [Reach.from_json(reach) for reach in data["reaches"]]
        return cls(
            version=data["version"],
            signature=FeatureSignature(tuple(data["features"]), data["digest"]),
            groups=tuple(data["groups"]),
            treatments=tuple(data["treatments"]),
            members=tuple(Member.from_json(member) for member in data["members"]),
            reaches={group: reaches[at] for group, at in data["reach_of"].items()},
            own_sd=tuple(data["own_sd"]),
            without=BoosterModel.from_json(data["without"]),
            value_cents=tuple(data["value_cents"]),
            cost_cents=tuple(data["cost_cents"]),
            foreseen=dict(data.get("foreseen", {})),  # earlier releases measured none
        )

    def _position(self, group: str) -> int:
        if group not in self.groups:
            raise BadInputError(
                f"the uplift model knows no {group!r}, but {', '.join(self.groups)}"
            )
        return self.groups.index(group)
