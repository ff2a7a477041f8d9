"""Skew: features as they were served, beside the same features made from the tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES
from features.declarations import FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, count_hours_of_week
from features.tables import Tables
from serving.online.served import N_HOURS, running_features, split_numbers
from serving.policy.cases import Floats, from_us
from serving.store.kept import ServedFeatures

TOLERANCE: Final = 1e-9
_N_EXAMPLES: Final = 3
_LOT: Final = 20_000  # decisions compared at once, to bound memory


@dataclass(frozen=True)
class SkewExample:
    """One number that differs; null is None."""

    customer_id: str
    as_of: datetime
    decision_id: str
    served: float | None
    rebuilt: float | None


@dataclass(frozen=True)
class FeatureParity:
    """One feature, served and rebuilt.

    Attributes:
        set_name: Its set; `presence` for the hours of the week.
        feature: Its name.
        n_compared: Numbers compared.
        n_differing: Those further apart than 1e-9, or null on one side only.
        largest: Largest difference of two numbers; infinite where one side is null.
        examples: The first that differ.
    """

    set_name: str
    feature: str
    n_compared: int
    n_differing: int
    largest: float
    examples: tuple[SkewExample, ...]


@dataclass(frozen=True)
class ParityReport:
    """What a comparison found.

    Attributes:
        features: Every feature, in the order of the sets.
        n_decisions: Decisions compared.
        n_other_features: Decisions left out, since they were made with other declarations.
    """

    features: tuple[FeatureParity, ...]
    n_decisions: int
    n_other_features: int

    @property
    def skewed(self) -> tuple[FeatureParity, ...]:
        """Features that differ somewhere."""
        return tuple(feature for feature in self.features if feature.n_differing)


def compare_served(served: Iterable[ServedFeatures], tables: Tables) -> ParityReport:
    """Compare features in the log with those made from the tables at the same moments.

    Args:
        served: The log; decisions made with other declarations are counted and left out.
        tables: Conformed frames that hold everything known before the last moment served.
    """
    rows = iter(served)
    running = running_features()
    found: dict[tuple[str, str], FeatureParity] = {}
    n_decisions = n_other = 0
    while lot := list(islice(rows, _LOT)):
        same = [row for row in lot if row.features == running]
        n_other += len(lot) - len(same)
        n_decisions += len(same)
        for parity in _compare(same, tables) if same else ():
            key = (parity.set_name, parity.feature)
            found[key] = _add(found[key], parity) if key in found else parity
    return ParityReport(tuple(found.values()), n_decisions, n_other)


def _compare(rows: Sequence[ServedFeatures], tables: Tables) -> list[FeatureParity]:
    spine = pd.DataFrame(
        {
            "customer_id": pd.Series([row.customer_id for row in rows], dtype="str"),
            "as_of": pd.Series(
                np.array([row.as_of_us for row in rows], np.int64).view("datetime64[us]")
            ).dt.tz_localize("UTC"),
        }
    )
    served = split_numbers(row.numbers for row in rows)
    compared = [
        _compare_one(rows, features.name, name, column[:, n], rebuilt[:, n])
        for features, column in (
            (CHURN_FEATURES, served.churn),
            (ENGAGEMENT_FEATURES, served.engagement),
        )
        for rebuilt in [_build(tables, spine, features)]
        for n, name in enumerate(features.names)
    ]
    hours = count_hours_of_week(tables, spine)
    for hour in range(N_HOURS):
        name = f"hour_{hour:03d}"
        compared.append(_compare_one(rows, "presence", name, served.hours[:, hour], hours[:, hour]))
    return compared


def _build(tables: Tables, spine: pd.DataFrame, features: FeatureSet) -> Floats:
    frame = build_features(tables, spine, features=features)
    return frame[list(features.names)].to_numpy(dtype=np.float64)


def _compare_one(
    rows: Sequence[ServedFeatures], set_name: str, feature: str, served: Floats, rebuilt: Floats
) -> FeatureParity:
    apart = np.abs(served - rebuilt)
    apart[np.isnan(served) & np.isnan(rebuilt)] = 0.0
    apart[np.isnan(served) ^ np.isnan(rebuilt)] = np.inf
    differing = np.flatnonzero(apart > TOLERANCE)
    return FeatureParity(
        set_name=set_name,
        feature=feature,
        n_compared=len(rows),
        n_differing=len(differing),
        largest=float(apart.max(initial=0.0)),
        examples=tuple(
            SkewExample(
                customer_id=rows[at].customer_id,
                as_of=from_us(rows[at].as_of_us),
                decision_id=rows[at].decision_id,
                served=_or_none(served[at]),
                rebuilt=_or_none(rebuilt[at]),
            )
            for at in differing[:_N_EXAMPLES].tolist()
        ),
    )


def _or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _add(one: FeatureParity, other: FeatureParity) -> FeatureParity:
    return FeatureParity(
        one.set_name,
        one.feature,
        one.n_compared + other.n_compared,
        one.n_differing + other.n_differing,
        max(one.largest, other.largest),
        (*one.examples, *other.examples)[:_N_EXAMPLES],
    )
