"""Rows of the send-time model: everybody's weeks before and after a moment."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.declared.hours import PRESENCE
from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables, known_before
from training.datasets.provenance import Customers, NotEnoughData, fingerprint_tables
from training.measures import Floats
from training.send_time.sent import SentMessages, no_messages, read_sent

HELD_OUT_DAYS = 30
MAX_CUSTOMERS = 50_000
"""More customers than these teach no more about how weeks differ, and fill the memory."""

_EVERY_EVENT_ONCE = replace(PRESENCE, half_life_days=None)
_TABLES = ("activity", "customers", "messages", "outcomes")


@dataclass(frozen=True)
class Weeks:
    """Activity by hour of the customer's own week, before a moment and after it.

    Attributes:
        before: Counts, (n, 168), of everything before the moment, the older the lighter.
        after: Counts, (n, 168), in the 30 days from it on.
        customers: customer_id, (n,).
        segments: Segment of each, n of them, None where it is not known; empty where none is.
    """

    before: Floats
    after: Floats
    customers: Customers
    segments: tuple[str | None, ...] = ()

    @property
    def known_segments(self) -> tuple[str | None, ...] | None:
        """Segments as a model takes them: None where nobody has one."""
        return self.segments or None

    def every(self, n: int, *, start: int = 0) -> "Weeks":
        """Every n-th customer from `start` on."""
        return Weeks(
            before=self.before[start::n],
            after=self.after[start::n],
            customers=self.customers[start::n],
            segments=self.segments[start::n],
        )


@dataclass(frozen=True)
class SendTimeDataset:
    """Two moments, 30 days apart, the later one for the test.

    Attributes:
        validation: Chooses how to shrink.
        test: Judges.
        test_from: Moment of the test.
        fingerprint: Of the data.
        tables: Tables that had rows.
        sent: Messages sent between the two moments to customers of `validation`.
    """

    validation: Weeks
    test: Weeks
    test_from: datetime
    fingerprint: str
    tables: tuple[str, ...]
    sent: SentMessages = field(default_factory=no_messages)


def build_send_time_dataset(
    tables: Tables, *, known_until: datetime
) -> SendTimeDataset | NotEnoughData:
    """Everybody's weeks at 60 and at 30 days before `known_until`, of 50,000 customers at most."""
    held_out = timedelta(days=HELD_OUT_DAYS)
    test_from = known_until - held_out
    customers = tables["customers"]
    ids = draw_customers(customers.loc[customers["signed_up_at"] < test_from, "customer_id"])
    validation, test = (
        _read_weeks(tables, ids, begins=begins, ends=begins + held_out)
        for begins in (test_from - held_out, test_from)
    )
    for part in (validation, test):
        if not (part.before.any() and part.after.any()):
            return NotEnoughData(
                f"nobody was active both more than {2 * HELD_OUT_DAYS} days and less than "
                f"{HELD_OUT_DAYS} days before {known_until.date()}"
            )
    return SendTimeDataset(
        validation=validation,
        test=test,
        test_from=test_from,
        fingerprint=fingerprint_tables(tables, names=_TABLES, known_until=known_until),
        tables=tuple(name for name in _TABLES if name in tables and len(tables[name])),
        sent=read_sent(
            tables, customers=validation.customers, begins=test_from - held_out, ends=test_from
        ),
    )


def draw_customers(ids: "pd.Series[str]") -> "pd.Series[str]":
    """At most 50,000 of them, the same whatever else is in the table; sorted."""
    ids = ids.drop_duplicates().sort_values(ignore_index=True)
    if len(ids) <= MAX_CUSTOMERS:
        return ids
    drawn = np.argsort(pd.util.hash_array(ids.to_numpy(dtype=object)), kind="stable")
    return ids.iloc[np.sort(drawn[:MAX_CUSTOMERS])].reset_index(drop=True)


def _read_weeks(
    tables: Tables, ids: "pd.Series[str]", *, begins: datetime, ends: datetime
) -> Weeks:
    """The week as a model would know it at a moment, and every event from then until the end."""
    spine = make_spine(ids, as_of=begins)
    earlier, later = (
        count_hours_of_week(tables, make_spine(ids, as_of=moment), histogram=_EVERY_EVENT_ONCE)
        for moment in (begins, ends)
    )
    return Weeks(
        before=count_hours_of_week(tables, spine),
        # An earlier open that becomes known later moves from one hour to another.
        after=np.maximum(later - earlier, 0.0),
        customers=ids.to_numpy(dtype=object),
        segments=read_segments(tables, ids, at=begins),
    )


def read_segments(tables: Tables, ids: "pd.Series[str]", *, at: datetime) -> tuple[str | None, ...]:
    """Segment of each customer as known at a moment; empty where nobody has one."""
    customers = tables["customers"]
    if "segment" not in customers or customers["segment"].isna().all():
        return ()
    known = known_before({"customers": customers}, pd.Timestamp(at))["customers"]
    segment = known.set_index("customer_id")["segment"].reindex(ids)
    return tuple(None if pd.isna(name) else str(name) for name in segment)
