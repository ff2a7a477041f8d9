"""Rows for lateness: every order on its way, every few days, and whether it came late.

An order is late when it comes more than `late_from_days` after the promised moment, or has not come
by then. So a label is known at that moment and not before, whatever became of the order: orders
that came in time are not counted earlier than others, and orders that never came are late.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.tables import Tables, known_before
from training.datasets.provenance import (
    Moments,
    NotEnoughData,
    Provenance,
    fingerprint_tables,
    to_moments,
)
from training.datasets.split import ForwardSplit, to_datetime
from training.datasets.transit import (
    LATENESS_FEATURES,
    NEEDS,
    describe_transit,
    sign_lateness,
)
from training.measures import Bools, Floats

LATE_FROM_DAYS = 1.0
_STEP_DAYS = 3
_MOST_STEPS = 250
_HISTORY_DAYS = 60
_TEST_SHARE, _CALIBRATION_SHARE = 0.25, 0.15

Orders = npt.NDArray[np.object_]
"""order_id of each row, (n,)."""


@dataclass(frozen=True)
class LatenessDataset:
    """One row per order on its way and moment.

    Attributes:
        X: `LATENESS_FEATURES`, (n, features); NaN is null.
        labels: Whether it came late, (n,).
        orders: Which order, (n,).
        moments: As of when, (n,).
        known_at: When the label was known, (n,).
        provenance: Where the rows come from.
    """

    X: Floats
    labels: Bools
    orders: Orders
    moments: Moments
    known_at: Moments
    provenance: Provenance

    def take(self, rows: Bools) -> Self:
        """The rows of that mask."""
        return replace(
            self,
            X=self.X[rows],
            labels=self.labels[rows],
            orders=self.orders[rows],
            moments=self.moments[rows],
            known_at=self.known_at[rows],
        )

    def column(self, name: str) -> Floats:
        """One feature of all rows, (n,)."""
        return self.X[:, LATENESS_FEATURES.index(name)]


def build_lateness_dataset(
    tables: Tables, *, known_until: datetime, late_from_days: float = LATE_FROM_DAYS
) -> LatenessDataset | NotEnoughData:
    """Every order on its way, every three days, whose label is known.

    Args:
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        late_from_days: Days after the promised moment from which an order is late.
    """
    missing = [name for name in NEEDS if name not in tables or tables[name].empty]
    if missing:
        return NotEnoughData(f"there are no {' and no '.join(missing)}")
    orders = known_before({"orders": tables["orders"]}, pd.Timestamp(known_until))["orders"]
    moments = plan_moments(orders, known_until=known_until)
    return build_lateness_rows(
        tables, moments=moments, known_until=known_until, late_from_days=late_from_days
    )


def build_lateness_rows(
    tables: Tables,
    *,
    moments: Sequence[datetime],
    known_until: datetime,
    late_from_days: float = LATE_FROM_DAYS,
) -> LatenessDataset | NotEnoughData:
    """Every order on its way at each of the moments; see `build_lateness_dataset`."""
    orders = known_before({"orders": tables["orders"]}, pd.Timestamp(known_until))["orders"]
    parts = [describe_transit(tables, as_of=moment).assign(moment=moment) for moment in moments]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if rows.empty:
        return NotEnoughData(f"no order with a promise was on its way before {known_until.date()}")
    late_at = rows["promised_at"] + pd.Timedelta(days=late_from_days)
    delivered_at = rows["order_id"].map(orders.set_index("order_id")["delivered_at"])
    known = (late_at < known_until).to_numpy(np.bool_)
    dataset = LatenessDataset(
        X=rows[list(LATENESS_FEATURES)].to_numpy(np.float64),
        labels=~(delivered_at <= late_at).to_numpy(np.bool_),
        orders=rows["order_id"].to_numpy(object),
        moments=to_moments(rows["moment"].astype("datetime64[us, UTC]")),
        known_at=to_moments(late_at.astype("datetime64[us, UTC]")),
        provenance=Provenance(
            signature=sign_lateness(),
            fingerprint=fingerprint_tables(tables, names=NEEDS, known_until=known_until),
            tables=NEEDS,
            known_until=known_until,
        ),
    )
    return dataset.take(known)


def plan_moments(orders: pd.DataFrame, *, known_until: datetime) -> list[datetime]:
    """Moments three days apart, oldest first, from when there has been time to learn from."""
    if orders.empty:
        return []
    first = orders["ordered_at"].min().to_pydatetime() + timedelta(days=_HISTORY_DAYS)
    back = [known_until - n * timedelta(days=_STEP_DAYS) for n in range(1, _MOST_STEPS + 1)]
    return [moment for moment in reversed(back) if moment >= first]


def split_lateness(dataset: LatenessDataset) -> ForwardSplit | NotEnoughData:
    """The last quarter of the time tests, the part before calibrates.

    A row is used for what comes before a moment only when its label was known by then.
    """
    first, last = to_datetime(dataset.moments.min()), to_datetime(dataset.moments.max())
    test_from = last - _TEST_SHARE * (last - first)
    return split_lateness_at(
        dataset,
        calibration_from=test_from - _CALIBRATION_SHARE * (last - first),
        test_from=test_from,
        test_until=last + timedelta(microseconds=1),
    )


def split_lateness_at(
    dataset: LatenessDataset,
    *,
    calibration_from: datetime,
    test_from: datetime,
    test_until: datetime,
) -> ForwardSplit | NotEnoughData:
    """Forward in time at given moments; see `split_lateness`."""
    begin, middle, end = (
        np.datetime64(moment.replace(tzinfo=None), "us")
        for moment in (calibration_from, test_from, test_until)
    )
    split = ForwardSplit(
        train=dataset.known_at < begin,
        calibration=(dataset.moments >= begin) & (dataset.known_at < middle),
        test=(dataset.moments >= middle) & (dataset.moments < end),
        test_from=test_from,
    )
    parts = {"train": split.train, "calibration": split.calibration, "test": split.test}
    for name, rows in parts.items():
        n_late, n_rows = int(dataset.labels[rows].sum()), int(rows.sum())
        if not 0 < n_late < n_rows:
            return NotEnoughData(
                f"{n_late} of {n_rows} rows (orders at a moment) come late in the {name} part: "
                "both kinds are needed"
            )
    return split
