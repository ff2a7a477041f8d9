"""One fact taken in by the store of the service: logged, applied, kept."""

import time
from pathlib import Path
from statistics import median
from typing import Final

from features.online import OwnedFact, read_facts
from features.tables import Tables
from serving.online.accounts import running_layout
from serving.online.facts import Fact
from serving.online.ledger import take_facts
from serving.store.store import Store
from training.benchmarks.features.generate import generate_tables
from training.benchmarks.rows import BenchRow

_N_CUSTOMERS: Final = 60
_N_EVENTS: Final = 3_000
_LIMIT_US: Final = 1_000.0


def bench_online_store(folder: Path, *, seed: int) -> list[BenchRow]:
    """Median microseconds of a fact with SQLite, each in a transaction of its own.

    Args:
        folder: An empty folder.
        seed: Of the facts.
    """
    data = generate_tables(folder / "data", n_events=_N_EVENTS, n_customers=_N_CUSTOMERS, seed=seed)
    facts = _read_in_order({name: data.tables[name] for name in data.tables})
    store = Store(folder / "store.sqlite")
    try:
        taken = [_take(store, fact) for fact in facts]
    finally:
        store.close()
    return [
        BenchRow(
            case="online",
            metric="store_apply_us",
            ours=median(taken),
            low=None,
            high=None,
            reference=_LIMIT_US,
            reference_name="limit",
            unit="us",
            n=len(taken),
        )
    ]


def _read_in_order(tables: Tables) -> list[Fact]:
    """Every fact, customers first, told when it happened."""
    owned = sorted(read_facts(tables, layout=running_layout()), key=_when)
    return [_tell(one) for one in owned]


def _when(one: OwnedFact) -> tuple[int, bool]:
    return one.fact.told_us, one.fact.table == "outcomes"


def _tell(one: OwnedFact) -> Fact:
    row = {name: cell for name, cell in one.fact.row.items() if cell is not None}
    return Fact(one.fact.table, row, None)


def _take(store: Store, fact: Fact) -> float:
    began = time.perf_counter()
    with store.transaction() as session:
        take_facts(session.online, [(fact, fact.moment_us)])
    return 1e6 * (time.perf_counter() - began)
