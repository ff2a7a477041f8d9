"""Scores and decisions on Spark in local mode, beside the same in this process."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.all_features import ALL_FEATURES
from features.churn.risk import default_rules
from features.contracts import CONTRACTS, Kind
from features.engines.batches import InProcess
from features.engines.spark import SparkEngine
from features.point_in_time import EveryCustomer, write_features
from features.sources import write_tables
from features.table_files import TableFiles
from features.tables import Tables
from features.triggers import find_triggers
from serving.batch.decisions import to_table
from serving.batch.run import decide_prepared, prepare_batch
from serving.batch.scores import make_scorer, score_rows
from serving.benchmarks.company import Company
from serving.publish import learn_bandit
from serving.records import DecisionRequest
from serving.requests import churn_risk_requests, requests_of
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Snapshot
from training.benchmarks.rows import BenchRow

_SHARED: Final = ("prices", "disruptions", "vendors", "inbound")
_LIMIT: Final = 2.0
_N_SCORED: Final = 1_000_000
_N_FILES: Final = 4

T = TypeVar("T")


def bench_spark(company: Company, home: Path, *, n_customers: int) -> list[BenchRow]:
    """Seconds of both, after Spark and its Python have started; what starting takes stands beside.

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
    moment = EveryCustomer(company.snapshot.as_of)
    n_rows = write_features(files, moment, home / "part", features=ALL_FEATURES)
    spark = SparkEngine()

    def start() -> None:
        spark.start()
        scorer = make_scorer(
            company.snapshot.models, home / "part", mapper=InProcess(), rules=default_rules()
        )
        score_rows(scorer, home / "part", mapper=spark, out=home / "first")

    start_s = _time(start)
    try:
        return [
            BenchRow("spark", "start_seconds", start_s, None, None, None, None, "s", 1),
            *_bench_scores(company, home, n_rows=n_rows, spark=spark),
            *_bench_decisions(company, tables, files, home, spark=spark),
        ]
    finally:
        spark.stop()


def _bench_scores(
    company: Company, home: Path, *, n_rows: int, spark: SparkEngine
) -> list[BenchRow]:
    features = home / "features"
    features.mkdir()
    again = -(-_N_SCORED // (n_rows * _N_FILES))
    rows = pa.concat_tables([pq.read_table(home / "part")] * again)
    for n in range(_N_FILES):
        pq.write_table(rows, features / f"{n}.parquet", row_group_size=50_000)
    scorer = make_scorer(
        company.snapshot.models, features, mapper=InProcess(), rules=default_rules()
    )
    here_s = _time(lambda: score_rows(scorer, features, mapper=InProcess(), out=home / "here"))
    there_s = _time(lambda: score_rows(scorer, features, mapper=spark, out=home / "there"))
    equal = _read(home / "here", by="p_churn").equals(_read(home / "there", by="p_churn"))
    n = len(rows) * _N_FILES
    return [_compare("scores_seconds", there_s, here_s, n=n), _agree("scores", equal=equal, n=n)]


def _bench_decisions(
    company: Company, tables: Tables, files: TableFiles, home: Path, *, spark: SparkEngine
) -> list[BenchRow]:
    """Each step of a day's decisions here and there: what they need to know, and deciding."""
    here, there = _Steps(), _Steps()
    n_decided = _decide_here(company, tables, home, steps=here)
    _decide_there(company, files, home, spark=spark, steps=there)
    equal = _read(home / "decided_here", by="decision_id").equals(
        _read(home / "decided_there", by="decision_id")
    )
    whole = _compare("prepare_and_decide_seconds", there.total_s, here.total_s, n=n_decided)
    return [
        *(
            _compare(f"{step}_seconds", there.seconds[step], seconds, n=n_decided)
            for step, seconds in here.seconds.items()
        ),
        whole,
        _agree("decisions", equal=equal, n=n_decided),
    ]


@dataclass
class _Steps:
    """Seconds of each step, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())

    def run(self, name: str, step: Callable[[], T]) -> T:
        began = time.perf_counter()
        made = step()
        self.seconds[name] = time.perf_counter() - began
        return made


def _decide_here(company: Company, tables: Tables, home: Path, *, steps: _Steps) -> int:
    as_of, models = company.snapshot.as_of, company.snapshot.models
    parts = wire_parts(Settings(home=home / "store_here"), clock=lambda: as_of)

    def prepare() -> tuple[Snapshot, list[DecisionRequest]]:
        bandit = learn_bandit(tables, parts.store, as_of=as_of, policy=parts.policy)
        snapshot = make_snapshot(tables, as_of=as_of, models=models, bandit=bandit)
        found = find_triggers(tables, as_of=as_of)
        at_risk = churn_risk_requests(snapshot, rules=parts.risk)
        return snapshot, [*requests_of(found, as_of=as_of, prices=tables.get("prices")), *at_risk]

    def decide() -> int:
        decisions = parts.engine(snapshot).decide_many(requests)
        pq.write_table(to_table(decisions, requests), home / "decided_here")
        return len(decisions)

    snapshot, requests = steps.run("prepare", prepare)
    n_decided = steps.run("decide", decide)
    parts.store.close()
    return n_decided


def _decide_there(
    company: Company, files: TableFiles, home: Path, *, spark: SparkEngine, steps: _Steps
) -> None:
    as_of, models = company.snapshot.as_of, company.snapshot.models
    parts = wire_parts(Settings(home=home / "store_there"), clock=lambda: as_of)
    batch = steps.run(
        "prepare",
        lambda: prepare_batch(
            files, home / "work", as_of=as_of, models=models, parts=parts, engine=spark
        ),
    )
    steps.run(
        "decide",
        lambda: decide_prepared(
            batch, home / "decided_there", models=models, parts=parts, engine=spark
        ),
    )
    parts.store.close()


def _compare(metric: str, there_s: float, here_s: float, *, n: int) -> BenchRow:
    limit = f"in process, 1 thread (limit {_LIMIT:g}x)"
    return BenchRow(f"{n:,} rows", metric, there_s, None, None, here_s, limit, "s", 1)


def _agree(what: str, *, equal: bool, n: int) -> BenchRow:
    return BenchRow(
        f"{n:,} rows", f"{what}_equal", float(equal), None, None, 1.0, "in process", "1", n
    )


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
