"""Scores and decisions on Spark in local mode, beside the same in this process."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts import CONTRACTS, Kind
from features.engines.batches import InProcess
from features.engines.spark import SparkEngine
from features.point_in_time import EveryCustomer, write_features
from features.sources import write_tables
from features.table_files import TableFiles
from features.tables import Tables
from features.triggers import find_triggers
from serving.batch.customers import ALL_FEATURES
from serving.batch.decisions import to_table
from serving.batch.run import decide_on_spark
from serving.batch.scores import make_scorer, score_rows
from serving.benchmarks.company import Company
from serving.publish import learn_bandit
from serving.requests import churn_risk_requests, requests_of
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.making import make_snapshot
from training.benchmarks.rows import BenchRow

_SHARED: Final = ("prices", "disruptions", "vendors", "inbound")
_LIMIT: Final = 2.0
_N_SCORED: Final = 1_000_000
_N_FILES: Final = 4


def bench_spark(company: Company, home: Path, *, n_customers: int) -> list[BenchRow]:
    """Seconds of both, after Spark has started; what starting takes stands beside.

    Args:
        company: Whose models decide.
        home: An empty folder.
        n_customers: Customers that are decided about: the company's, again and again under other
            names.
    """
    tables = _multiply(
        company.tables, times=max(1, n_customers // len(company.tables["customers"]))
    )
    write_tables(tables, home / "data")
    files = TableFiles({name: home / "data" / f"{name}.parquet" for name in tables})
    spark = SparkEngine()
    start_s = _time(spark.start)
    try:
        return [
            BenchRow("spark", "start_seconds", start_s, None, None, None, None, "s", 1),
            *_bench_scores(company, files, home, spark=spark),
            *_bench_decisions(company, tables, files, home, spark=spark),
        ]
    finally:
        spark.stop()


def _bench_scores(
    company: Company, files: TableFiles, home: Path, *, spark: SparkEngine
) -> list[BenchRow]:
    features = home / "features"
    features.mkdir()
    moment = EveryCustomer(company.snapshot.as_of)
    part = home / "part.parquet"
    n_rows = write_features(files, moment, part, features=ALL_FEATURES)
    again = -(-_N_SCORED // (n_rows * _N_FILES))
    rows = pa.concat_tables([pq.read_table(part)] * again)
    for n in range(_N_FILES):
        pq.write_table(rows, features / f"{n}.parquet", row_group_size=50_000)
    scorer = make_scorer(company.snapshot.models, features, mapper=InProcess())
    here_s = _time(lambda: score_rows(scorer, features, mapper=InProcess(), out=home / "here"))
    there_s = _time(lambda: score_rows(scorer, features, mapper=spark, out=home / "there"))
    equal = _read(home / "here", by="p_churn").equals(_read(home / "there", by="p_churn"))
    return _rows("scores", here_s, there_s, equal=equal, n=len(rows) * _N_FILES)


def _bench_decisions(
    company: Company, tables: Tables, files: TableFiles, home: Path, *, spark: SparkEngine
) -> list[BenchRow]:
    as_of, models = company.snapshot.as_of, company.snapshot.models
    there = wire_parts(Settings(home=home / "store_there"), clock=lambda: as_of)
    n_decided = 0

    def decide_here() -> None:
        nonlocal n_decided
        here = wire_parts(Settings(home=home / "store_here"), clock=lambda: as_of)
        bandit = learn_bandit(tables, here.store, as_of=as_of, policy=here.policy)
        snapshot = make_snapshot(tables, as_of=as_of, models=models, bandit=bandit)
        requests = [
            *requests_of(find_triggers(tables, as_of=as_of), as_of=as_of),
            *churn_risk_requests(snapshot),
        ]
        decisions = here.engine(snapshot).decide_many(requests)
        here.store.close()
        pq.write_table(to_table(decisions, requests), home / "decided_here")
        n_decided = len(decisions)

    def decide_there() -> None:
        out = home / "decided_there"
        decide_on_spark(files, out, as_of=as_of, models=models, parts=there, engine=spark)
        there.store.close()

    here_s, there_s = _time(decide_here), _time(decide_there)
    equal = _read(home / "decided_here", by="decision_id").equals(
        _read(home / "decided_there", by="decision_id")
    )
    return _rows("decisions", here_s, there_s, equal=equal, n=n_decided)


def _rows(what: str, here_s: float, there_s: float, *, equal: bool, n: int) -> list[BenchRow]:
    case = f"{what} of {n:,}" if what == "decisions" else f"{what} of {n:,} rows"
    limit = f"in process, 1 thread (limit {_LIMIT:g}x)"
    return [
        BenchRow(case, f"{what}_seconds", there_s, None, None, here_s, limit, "s", 1),
        BenchRow(case, f"{what}_equal", float(equal), None, None, 1.0, "in process", "1", n),
    ]


def _read(path: Path, *, by: str) -> "pd.Series[float]":
    """One column that tells rows apart, or their scores, in order."""
    column: pd.Series[float] = pd.read_parquet(path, columns=[by])[by]
    return column.sort_values(ignore_index=True)


def _multiply(tables: Tables, *, times: int) -> dict[str, pd.DataFrame]:
    """The company several times: the same facts of customers with other names."""
    return {
        name: frame
        if name in _SHARED
        else pd.concat([_rename(frame, name, n) for n in range(times)], ignore_index=True)
        for name, frame in tables.items()
    }


def _rename(frame: pd.DataFrame, table: str, n: int) -> pd.DataFrame:
    ids = [c.name for c in CONTRACTS[table].columns if c.kind is Kind.ID]
    return frame.assign(**{name: f"{n}-" + frame[name] for name in ids})


def _time(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
