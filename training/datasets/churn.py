"""Rows for churn: every customer who may be lost, month by month, and who was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES, churn_labels, eligible_customers
from features.contracts import CONTRACTS
from features.point_in_time import make_spine
from features.tables import Tables
from training.datasets.provenance import (
    Customers,
    Moments,
    NotEnoughData,
    Provenance,
    build_matrix,
    describe_source,
    to_moments,
)
from training.datasets.split import ForwardSplit, is_known_by, split_forward, to_datetime
from training.measures import Bools, Floats

HORIZON_DAYS = 30
LATER_HORIZONS_DAYS = (60, 90)
_HISTORY_DAYS = 30
_STEP_DAYS = 10
_MOST_HORIZONS = 12
_LATER_STEP_DAYS = 30
_LOGS = ("activity", "orders", "subscriptions")


@dataclass(frozen=True)
class LaterLabels:
    """Who was lost within a longer horizon, of the rows for which that can be known.

    Attributes:
        known: Rows with a label, (n,); a month apart, for neighbouring labels say nearly the same.
        lost: Whether the customer was lost, (n,); False where it is not known.
    """

    known: Bools
    lost: Bools


@dataclass(frozen=True)
class ChurnDataset:
    """One row per customer and moment.

    Attributes:
        X: Features, (n, features); NaN is null.
        labels: Whether the customer was lost within the horizon, (n,).
        customers: customer_id, (n,).
        moments: As of when, (n,).
        horizon_days: How far the labels look ahead.
        provenance: Where the rows come from.
        later: Labels of longer horizons, by days; none unless they were asked for.
    """

    X: Floats
    labels: Bools
    customers: Customers
    moments: Moments
    horizon_days: int
    provenance: Provenance
    later: Mapping[int, LaterLabels] = field(default_factory=dict)

    @property
    def label_span(self) -> timedelta:
        """From a row's moment until its label is known."""
        return timedelta(days=self.horizon_days)

    def take(self, rows: Bools) -> Self:
        """The rows of that mask."""
        return replace(
            self,
            X=self.X[rows],
            labels=self.labels[rows],
            customers=self.customers[rows],
            moments=self.moments[rows],
            later={
                days: LaterLabels(labels.known[rows], labels.lost[rows])
                for days, labels in self.later.items()
            },
        )

    def at_horizon(self, days: int) -> Self:
        """The rows whose label is known at a longer horizon, with that label."""
        labels = self.later[days]
        known = replace(self, labels=labels.lost, horizon_days=days, later={})
        return known.take(labels.known)


def build_churn_dataset(
    tables: Tables, *, known_until: datetime, horizon_days: int = HORIZON_DAYS
) -> ChurnDataset | NotEnoughData:
    """Every eligible customer every ten days, the last label just known.

    Labels of neighbouring moments overlap. That gives trees more to learn from; the splits keep
    the overlap within a part, and intervals are drawn by customer.

    Args:
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        horizon_days: How far the labels look ahead.
    """
    moments = plan_moments(tables, known_until=known_until, horizon_days=horizon_days)
    return build_churn_rows(
        tables, moments=moments, known_until=known_until, horizon_days=horizon_days
    )


def add_later_labels(
    dataset: ChurnDataset, tables: Tables, *, known_until: datetime
) -> ChurnDataset:
    """The same rows with labels of 60 and 90 days, as far as they are known by then."""
    spine = pd.DataFrame(
        {
            "customer_id": pd.Series(dataset.customers, dtype="str"),
            "as_of": pd.DatetimeIndex(dataset.moments).tz_localize("UTC"),
        }
    )
    later = {}
    for days in LATER_HORIZONS_DAYS:
        span = timedelta(days=days)
        known = is_known_by(known_until, moments=dataset.moments, label_span=span)
        if not known.any():
            continue
        newest = dataset.moments[known].max()
        known &= (newest - dataset.moments) % np.timedelta64(_LATER_STEP_DAYS, "D") == 0
        lost = np.zeros(len(known), dtype=np.bool_)
        labels = churn_labels(tables, spine[known], horizon_days=days, known_until=known_until)
        lost[known] = labels.to_numpy(dtype=np.bool_)
        later[days] = LaterLabels(known, lost)
    return replace(dataset, later=later)


def build_churn_rows(
    tables: Tables, *, moments: Sequence[datetime], known_until: datetime, horizon_days: int
) -> ChurnDataset | NotEnoughData:
    """Every eligible customer at each of the moments; see `build_churn_dataset`."""
    spines = [
        make_spine(eligible_customers(tables, as_of=moment), as_of=moment) for moment in moments
    ]
    spine = pd.concat([make_spine([], as_of=known_until), *spines], ignore_index=True)
    if spine.empty:
        return NotEnoughData(
            f"no customer has a history of {_HISTORY_DAYS} days and {horizon_days} days after it "
            f"before {known_until.date()}"
        )
    labels = churn_labels(tables, spine, horizon_days=horizon_days, known_until=known_until)
    return ChurnDataset(
        X=build_matrix(tables, spine, features=CHURN_FEATURES),
        labels=labels.to_numpy(dtype=bool),
        customers=spine["customer_id"].to_numpy(dtype=object),
        moments=to_moments(spine["as_of"]),
        horizon_days=horizon_days,
        provenance=describe_source(
            tables,
            features=CHURN_FEATURES,
            also=("customers", *_LOGS),
            known_until=known_until,
        ),
    )


def plan_moments(tables: Tables, *, known_until: datetime, horizon_days: int) -> list[datetime]:
    """Moments ten days apart, oldest first, each with its label known by `known_until`.

    The first lies at least 30 days after the day on which the log begins, and at most 12 horizons
    before the last. The log
    begins with the first activity (without any, with the first order or subscription): the
    subscriptions of today's customers may be years old while nothing else is known of then.
    """
    logs = [name for name in _LOGS if name in tables and len(tables[name])]
    if not logs:
        return []
    begin = tables[logs[0]][CONTRACTS[logs[0]].moment].min().normalize().to_pydatetime()
    first = begin + timedelta(days=_HISTORY_DAYS)
    last = known_until - timedelta(days=horizon_days)
    n_steps = _MOST_HORIZONS * horizon_days // _STEP_DAYS
    back = [last - n * timedelta(days=_STEP_DAYS) for n in range(n_steps)]
    return [moment for moment in reversed(back) if moment >= first]


def split_churn(dataset: ChurnDataset) -> ForwardSplit | NotEnoughData:
    """The last fifth of the horizons tests, the fifth before calibrates; at least one each."""
    first, last = to_datetime(dataset.moments.min()), to_datetime(dataset.moments.max())
    n_horizons = (last - first) // dataset.label_span + 1
    if n_horizons < 3:
        return NotEnoughData(
            f"known labels cover {n_horizons} of the 3 stretches of {dataset.horizon_days} days "
            "that are needed: to learn from, to calibrate and to test"
        )
    n_late = max(1, n_horizons // 5)
    test_from = last - (n_late - 1) * dataset.label_span
    split = split_forward(
        dataset.moments,
        calibration_from=test_from - n_late * dataset.label_span,
        test_from=test_from,
        label_span=dataset.label_span,
    )
    parts = {"train": split.train, "calibration": split.calibration, "test": split.test}
    for name, rows in parts.items():
        n_churned, n_rows = int(dataset.labels[rows].sum()), int(rows.sum())
        if not 0 < n_churned < n_rows:
            return NotEnoughData(
                f"{n_churned} of {n_rows} rows (customers at a moment) churn in the {name} part: "
                "both kinds are needed"
            )
    return split
