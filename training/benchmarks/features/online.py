"""The online path on the same data: facts applied one by one, features read at the same moments."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.declared.hours import PRESENCE
from features.errors import BadInputError
from features.online import CustomerState, Fact, Layout, compile_layout, read_facts
from features.point_in_time import build_features, count_hours_of_week
from training.benchmarks.features.declared import BENCH_FEATURES
from training.benchmarks.features.generate import MOMENTS, locate_tables

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOLERANCE: Final = 1e-9
_ARBITRARY: Final = 3


@dataclass(frozen=True)
class OnlineFigures:
    """What the online path costs, and whether it says what the SQL says.

    Attributes:
        share_equal: Equal values over all values, hours of the week included.
        apply_us: Median microseconds of a fact.
        read_us: Median microseconds of reading all features.
        blob_bytes: Median size of a stored state.
        n_facts: Facts that were applied.
        n_reads: Moments at which a customer was read.
    """

    share_equal: float
    apply_us: float
    read_us: float
    blob_bytes: float
    n_facts: int
    n_reads: int


def measure_online(folder: Path, *, n_customers: int, seed: int) -> OnlineFigures:
    """Replay some customers and read them at the moments of the spine and at three of their own.

    Args:
        folder: Tables of `generate_tables`.
        n_customers: How many are replayed, drawn at random.
        seed: Of the customers and of their own moments.
    """
    rng = np.random.default_rng(seed)
    tables = _sample(folder, n_customers=n_customers, rng=rng)
    layout = compile_layout((BENCH_FEATURES,), histogram=PRESENCE)
    replayed = _Replay(layout)
    spine = _make_spine(tables["customers"]["customer_id"].tolist(), rng=rng)
    facts = _sort_facts(tables, layout=layout)
    for customer_id, moments in spine.groupby("customer_id", sort=True)["as_of"]:
        replayed.run(str(customer_id), facts.get(str(customer_id), []), _to_micros(moments))
    wanted = build_features(tables, spine, features=BENCH_FEATURES)
    hours = count_hours_of_week(tables, spine)
    expected = np.hstack([wanted[list(BENCH_FEATURES.names)].to_numpy(dtype=float), hours])
    found = np.array(replayed.read)
    near = np.abs(found - expected) <= _TOLERANCE * np.maximum(1.0, np.abs(expected))
    equal = near | (np.isnan(found) & np.isnan(expected))
    return OnlineFigures(
        share_equal=float(equal.mean()),
        apply_us=median(replayed.apply_us),
        read_us=median(replayed.read_us),
        blob_bytes=median(replayed.blob_bytes),
        n_facts=len(replayed.apply_us),
        n_reads=len(replayed.read_us),
    )


class _Replay:
    """Customers one after the other, everything timed.

    Attributes:
        apply_us: Of each fact.
        read_us: Of each moment.
        blob_bytes: Of each customer, in the end.
        read: Features and hours of each moment.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.apply_us: list[float] = []
        self.read_us: list[float] = []
        self.blob_bytes: list[int] = []
        self.read: list[npt.NDArray[np.float64]] = []

    def run(self, customer_id: str, facts: list[Fact], moments: list[int]) -> None:
        """Apply the facts of a customer in order, and read wherever a moment comes."""
        state = CustomerState(self._layout, customer_id)
        place = 0
        for moment in moments:
            while place < len(facts) and facts[place].told_us < moment:
                began = time.perf_counter()
                state.apply(facts[place])
                self.apply_us.append(1e6 * (time.perf_counter() - began))
                place += 1
            began = time.perf_counter()
            numbers = state.features(moment, BENCH_FEATURES)
            self.read_us.append(1e6 * (time.perf_counter() - began))
            self.read.append(np.concatenate([numbers, state.hours(moment)]))
        self.blob_bytes.append(len(state.to_bytes()))


def _sample(folder: Path, *, n_customers: int, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """All rows of some customers."""
    files = locate_tables(folder).files
    everyone = pq.read_table(files["customers"], columns=["customer_id"])["customer_id"]
    if n_customers > len(everyone):
        raise BadInputError(f"{n_customers} customers cannot be drawn of {len(everyone)}")
    drawn = everyone.combine_chunks().take(
        np.sort(rng.choice(len(everyone), n_customers, replace=False))
    )
    tables: dict[str, pd.DataFrame] = {}
    for name, file in files.items():
        if name != "outcomes":
            tables[name] = _read_some(file, "customer_id", drawn)
    messages = pa.array(tables["messages"]["message_id"], type=pa.string())
    tables["outcomes"] = _read_some(files["outcomes"], "message_id", messages)
    return tables


def _read_some(file: Path, column: str, values: pa.Array) -> pd.DataFrame:
    """The rows of a large file whose column has one of these values."""
    with pq.ParquetFile(file) as rows:
        parts = [
            batch.filter(pc.is_in(batch[column], value_set=values))
            for batch in rows.iter_batches(batch_size=200_000)
        ]
    frame: pd.DataFrame = pa.Table.from_batches(parts).to_pandas()
    return frame


def _make_spine(customer_ids: list[str], *, rng: np.random.Generator) -> pd.DataFrame:
    """The shared moments and some of each customer's own, by customer and time."""
    shared = [(moment - _EPOCH) // timedelta(microseconds=1) for moment in MOMENTS]
    own = rng.integers(min(shared), max(shared), (len(customer_ids), _ARBITRARY))
    micros = np.sort(np.hstack([np.tile(shared, (len(customer_ids), 1)), own]), axis=1)
    spine = pd.DataFrame({"customer_id": np.repeat(customer_ids, micros.shape[1])})
    spine["as_of"] = pd.Series(micros.ravel()).astype("datetime64[us, UTC]")
    return spine.sort_values(["customer_id", "as_of"], ignore_index=True)


def _to_micros(moments: "pd.Series[pd.Timestamp]") -> list[int]:
    micros: list[int] = moments.astype("int64").tolist()
    return micros


def _sort_facts(tables: dict[str, pd.DataFrame], *, layout: Layout) -> dict[str, list[Fact]]:
    """By customer, the facts in the order in which they were told."""
    owned = sorted(
        read_facts(tables, layout=layout), key=lambda one: (one.customer_id, one.fact.told_us)
    )
    by_customer = groupby(owned, key=lambda one: one.customer_id)
    return {customer_id: [one.fact for one in group] for customer_id, group in by_customer}
