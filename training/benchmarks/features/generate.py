"""Customers and what they did, as files of any number of rows in little memory.

A customer's activity is lognormal, and three in ten stop before the end. Days are written one after
the other, as a log grows; nothing is told late, so that rivals need not know about lateness.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.table_files import TableFiles
from features.vocabulary import Arm, Channel, Trigger
from training.benchmarks.features.declared import COUNTED

N_DAYS: Final = 180
BEGINS_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS: Final = (
    BEGINS_AT + timedelta(days=120, hours=9, minutes=30),
    BEGINS_AT + timedelta(days=150, hours=18),
    BEGINS_AT + timedelta(days=N_DAYS),
)
"""The moments of every customer; the last one is a midnight."""

ZONES: Final = ("Asia/Almaty", "Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Kolkata")

_SHARES: Final = {
    "activity": 0.720,
    "orders": 0.045,
    "invoices": 0.020,
    "tickets": 0.010,
    "surveys": 0.005,
    "messages": 0.080,
    "outcomes": 0.120,
}
_KINDS = pa.array([*COUNTED.values(), "onboarding_step"])
_KIND_SHARES = (0.22, 0.18, 0.16, 0.24, 0.08, 0.07, 0.05)
_HOURS = np.array([1] * 6 + [3] * 3 + [5] * 9 + [7] * 5 + [3], dtype=float)  # of the day, in UTC
_DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
_BUFFERED_ROWS = 250_000
_OUTCOMES = pa.array(["delivered", "opened", "clicked", "converted", "unsubscribed"])

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, pa.Array]


@dataclass(frozen=True)
class BenchData:
    """What one run measures on.

    Attributes:
        folder: A parquet file per table, and `spine.parquet`.
        n_events: Rows of all tables but customers.
        n_customers: Customers, each of them three times in the spine.
    """

    folder: Path
    n_events: int
    n_customers: int

    @property
    def tables(self) -> TableFiles:
        """The tables where they lie."""
        return TableFiles(
            {name: self.folder / f"{name}.parquet" for name in ("customers", *_SHARES)}
        )

    @property
    def spine(self) -> Path:
        """customer_id and as_of of every row."""
        return self.folder / "spine.parquet"


@dataclass(frozen=True)
class _Crowd:
    """Who is there, how busy, and until which day."""

    ids: pa.Array
    weights: npt.NDArray[np.float64]
    stops: Ints

    def draw(self, rng: np.random.Generator, *, n: int, day: int) -> Ints:
        """Customers who are still there on that day, busy ones more often."""
        cumulative = np.cumsum(np.where(self.stops > day, self.weights, 0.0))
        drawn = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        places: Ints = np.minimum(drawn, len(self.weights) - 1)
        return places


def generate_tables(folder: Path, *, n_events: int, n_customers: int, seed: int) -> BenchData:
    """Write the tables and the spine.

    Args:
        folder: Where to; made when it is missing.
        n_events: Rows of all tables together, customers apart.
        n_customers: How many customers there are.
        seed: Of everything.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    crowd = _write_customers(folder / "customers.parquet", n_customers=n_customers, rng=rng)
    with ExitStack() as files:
        writers = {name: _Writer(folder / f"{name}.parquet") for name in _SHARES}
        for writer in writers.values():
            files.callback(writer.close)
        for day in range(N_DAYS):
            n_rows = {name: _of_day(round(n_events * s), day) for name, s in _SHARES.items()}
            n_rows["activity"] += _of_day(n_events - _rounded(n_events), day)
            for name, columns in _live_a_day(crowd, n_rows=n_rows, day=day, rng=rng):
                writers[name].write(columns)
    data = BenchData(folder, n_events=n_events, n_customers=n_customers)
    _write_spine(data.spine, crowd.ids)
    return data


def locate_tables(folder: Path) -> TableFiles:
    """The tables that `generate_tables` wrote, where they lie."""
    return TableFiles({name: folder / f"{name}.parquet" for name in ("customers", *_SHARES)})


def write_arbitrary_spine(data: BenchData, *, seed: int) -> Path:
    """As many rows as the spine, each with a moment of its own to the microsecond."""
    rng = np.random.default_rng(seed)
    ids = pq.read_table(data.spine, columns=["customer_id"])["customer_id"]
    low = _micros(BEGINS_AT)
    moments = rng.integers(low + 60 * _DAY_US, low + N_DAYS * _DAY_US, len(ids))
    out = data.folder / "arbitrary.parquet"
    pq.write_table(pa.table({"customer_id": ids, "as_of": _times(moments)}), out)
    return out


def _rounded(n_events: int) -> int:
    return sum(round(n_events * share) for share in _SHARES.values())


def _of_day(n: int, day: int) -> int:
    """A day's part of n rows; the parts of all days add up to n."""
    return n * (day + 1) // N_DAYS - n * day // N_DAYS


def _write_customers(out: Path, *, n_customers: int, rng: np.random.Generator) -> _Crowd:
    ids = _name_rows("c", 0, n_customers)
    signed_up = _micros(BEGINS_AT) - rng.integers(1, 700 * 86_400, n_customers) * _SECOND_US
    zones = rng.choice(len(ZONES), n_customers, p=(0.4, 0.2, 0.15, 0.15, 0.1))
    consent = {f"consent_{c}": pa.array(rng.random(n_customers) < 0.7) for c in Channel}
    columns = {
        "customer_id": ids,
        "signed_up_at": _times(signed_up),
        "language": pa.array(["en", "ru", "kk"]).take(rng.integers(0, 3, n_customers)),
        "timezone": pa.array(ZONES).take(zones),
        **consent,
    }
    pq.write_table(pa.table(columns), out)
    stays = rng.random(n_customers) >= 0.3
    stops = np.where(stays, N_DAYS, rng.integers(1, N_DAYS, n_customers))
    stops[0] = N_DAYS  # somebody is always there
    return _Crowd(ids, weights=rng.lognormal(0.0, 1.2, n_customers), stops=stops)


def _write_spine(out: Path, ids: pa.Array) -> None:
    moments = np.repeat([_micros(moment) for moment in MOMENTS], len(ids))
    customers = pa.concat_arrays([ids] * len(MOMENTS))
    pq.write_table(pa.table({"customer_id": customers, "as_of": _times(moments)}), out)


def _live_a_day(
    crowd: _Crowd, *, n_rows: Mapping[str, int], day: int, rng: np.random.Generator
) -> Iterator[tuple[str, Columns]]:
    """The rows that one day adds to each table."""
    drawn = {name: crowd.draw(rng, n=n, day=day) for name, n in n_rows.items()}
    at = {name: _draw_times(rng, n=n, day=day) for name, n in n_rows.items()}
    who = {name: crowd.ids.take(drawn[name]) for name in n_rows}
    yield "activity", _act(who["activity"], at["activity"], rng=rng)
    yield "orders", _order(who["orders"], at["orders"], day=day, rng=rng)
    yield "invoices", _bill(who["invoices"], at["invoices"], day=day, rng=rng)
    yield "tickets", _complain(who["tickets"], at["tickets"], day=day, rng=rng)
    yield "surveys", _answer(who["surveys"], at["surveys"], rng=rng)
    messages = _send(who["messages"], at["messages"], day=day, rng=rng)
    yield "messages", messages
    if n_rows["messages"]:
        yield "outcomes", _respond(messages, at["messages"], n=n_rows["outcomes"], rng=rng)


def _act(who: pa.Array, at: Ints, *, rng: np.random.Generator) -> Columns:
    n = len(at)
    kinds = rng.choice(len(_KINDS), n, p=_KIND_SHARES)
    names = _KINDS.to_pylist()
    session, step = names.index("session"), names.index("onboarding_step")
    minutes = np.round(rng.lognormal(2.0, 0.8, n), 2)
    value = np.where(kinds == session, minutes, rng.integers(1, 6, n) / 5)
    items = pa.array([f"item{n:03d}" for n in range(400)]).take(
        np.where(
            kinds == names.index("feature_use"), rng.integers(0, 24, n), rng.integers(0, 400, n)
        )
    )
    has_item = (kinds >= names.index("feature_use")) & (kinds != step)
    return {
        "customer_id": who,
        "at": _times(at),
        "kind": _KINDS.take(kinds),
        "value": pa.array(value, mask=(kinds != session) & (kinds != step)),
        "item": pc.if_else(pa.array(has_item), items, None),
    }


def _order(who: pa.Array, at: Ints, *, day: int, rng: np.random.Generator) -> Columns:
    n = len(at)
    arrives = at + rng.integers(86_400, 9 * 86_400, n) * _SECOND_US
    return {
        "order_id": _name_rows(f"o{day:03d}-", 0, n),
        "customer_id": who,
        "ordered_at": _times(at),
        "promised_at": _times(at + 5 * _DAY_US),
        "delivered_at": _times(arrives, missing=rng.random(n) < 0.02),
        "amount_cents": pa.array(np.rint(rng.lognormal(8.0, 0.7, n)).astype(np.int64)),
    }


def _bill(who: pa.Array, at: Ints, *, day: int, rng: np.random.Generator) -> Columns:
    n = len(at)
    paid = at + rng.integers(86_400, 20 * 86_400, n) * _SECOND_US
    return {
        "invoice_id": _name_rows(f"i{day:03d}-", 0, n),
        "customer_id": who,
        "issued_at": _times(at),
        "due_at": _times(at + 14 * _DAY_US),
        "paid_at": _times(paid, missing=rng.random(n) < 0.05),
        "amount_cents": pa.array(rng.integers(500, 20_000, n)),
        "disputed": pa.array(rng.random(n) < 0.02),
    }


def _complain(who: pa.Array, at: Ints, *, day: int, rng: np.random.Generator) -> Columns:
    n = len(at)
    resolved = at + rng.integers(600, 6 * 86_400, n) * _SECOND_US
    return {
        "ticket_id": _name_rows(f"t{day:03d}-", 0, n),
        "customer_id": who,
        "opened_at": _times(at),
        "resolved_at": _times(resolved, missing=rng.random(n) < 0.05),
        "escalated": pa.array(rng.random(n) < 0.1),
    }


def _answer(who: pa.Array, at: Ints, *, rng: np.random.Generator) -> Columns:
    nps = pa.array(rng.integers(0, 11, len(at)))
    return {"customer_id": who, "at": _times(at), "nps": nps}


def _send(who: pa.Array, at: Ints, *, day: int, rng: np.random.Generator) -> Columns:
    n = len(at)
    ids = _name_rows(f"m{day:03d}-", 0, n)
    return {
        "message_id": ids,
        "decision_id": ids,
        "customer_id": who,
        "trigger": pa.array(list(Trigger)).take(rng.integers(0, len(Trigger), n)),
        "channel": pa.array(list(Channel)).take(rng.integers(0, len(Channel), n)),
        "sent_at": _times(at),
        "arm": pa.array(list(Arm)).take(rng.integers(0, len(Arm), n)),
        "propensity": pa.array(np.full(n, 0.25)),
        "cost_cents": pa.array(np.full(n, 0.1)),
    }


def _respond(messages: Columns, sent: Ints, *, n: int, rng: np.random.Generator) -> Columns:
    """Delivered or not, then whatever comes, some of it twice and some made by machines."""
    place = np.concatenate(
        [np.arange(len(sent)), rng.integers(0, len(sent), max(n - len(sent), 0))]
    )
    place = place[:n]
    later = np.arange(n) >= len(sent)
    outcome = np.where(later, rng.choice([1, 1, 1, 1, 1, 1, 2, 2, 3, 4], n), 0)
    hours = np.where(later, rng.lognormal(1.5, 1.2, n), 0.001)
    at = sent[place] + np.rint(hours * 3600).astype(np.int64) * _SECOND_US
    value = rng.integers(500, 9_000, n)
    return {
        "message_id": messages["message_id"].take(place),
        "outcome": _OUTCOMES.take(outcome),
        "at": _times(at),
        "value_cents": pa.array(value, mask=outcome != 3),
        "machine": pa.array((outcome == 1) & (rng.random(n) < 0.15)),
    }


def _draw_times(rng: np.random.Generator, *, n: int, day: int) -> Ints:
    """Moments of a day in whole seconds, as logs have them, in order."""
    hours = rng.choice(24, n, p=_HOURS / _HOURS.sum())
    seconds = np.sort(hours * 3600 + rng.integers(0, 3600, n))
    return _micros(BEGINS_AT) + day * _DAY_US + seconds.astype(np.int64) * _SECOND_US


def _name_rows(prefix: str, first: int, n: int) -> pa.Array:
    numbers = pa.array(np.arange(first, first + n)).cast(pa.string())
    padded = pc.utf8_lpad(numbers, width=7, padding="0")
    return pc.binary_join_element_wise(prefix, padded, "")


def _times(micros: Ints, *, missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(micros, mask=missing).cast(pa.timestamp("us", tz="UTC"))


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class _Writer:
    """A parquet file that grows by row groups of a few days."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._writer: pq.ParquetWriter | None = None
        self._days: list[pa.Table] = []

    def write(self, columns: Columns) -> None:
        """Add rows."""
        self._days.append(pa.table(dict(columns)))
        if sum(day.num_rows for day in self._days) >= _BUFFERED_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._days:
            return
        rows = pa.concat_tables(self._days).combine_chunks()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._out, rows.schema)
        self._writer.write_table(rows)
        self._days = []
