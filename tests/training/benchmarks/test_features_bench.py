"""The data of the benchmark is valid, every rival says what ours says, and differences are seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.checks import check_tables
from features.contracts import CONTRACTS
from features.online import Fact, Layout
from training.benchmarks.features import bench, online
from training.benchmarks.features.bench import FeaturePlan, bench_features
from training.benchmarks.features.contender import find_contender
from training.benchmarks.features.declared import BENCH_FEATURES
from training.benchmarks.features.generate import (
    MOMENTS,
    BenchData,
    generate_tables,
    write_arbitrary_spine,
)
from training.benchmarks.features.measure import Measured, compare, measure
from training.benchmarks.features.online import measure_online
from training.benchmarks.rows import BenchRow

N_EVENTS, N_CUSTOMERS = 20_000, 400


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> BenchData:
    folder = tmp_path_factory.mktemp("bench")
    return generate_tables(folder, n_events=N_EVENTS, n_customers=N_CUSTOMERS, seed=5)


@pytest.fixture(scope="module")
def ours(data: BenchData) -> Path:
    out = data.folder / "ours.parquet"
    find_contender("duckdb")(data.folder, data.spine, out)
    return out


def _read(data: BenchData) -> dict[str, pd.DataFrame]:
    return {name: pq.read_table(file).to_pandas() for name, file in data.tables.files.items()}


def test_tables_keep_their_contracts_and_have_the_events_asked_for(data: BenchData) -> None:
    tables = _read(data)

    checked = check_tables(tables).require_valid()

    assert len(tables["customers"]) == N_CUSTOMERS
    assert sum(map(len, tables.values())) - N_CUSTOMERS == N_EVENTS
    for name, frame in checked.items():
        lacking = {c.name for c in CONTRACTS[name].columns if not c.optional} - set(tables[name])
        assert not lacking
        assert len(frame)


def test_customers_are_unequally_busy_and_some_stop_early(data: BenchData) -> None:
    activity = _read(data)["activity"]

    counts = activity["customer_id"].value_counts()
    last = activity.groupby("customer_id")["at"].max()
    busy = counts[counts >= 20].index
    stopped = (last[busy] < last.max() - pd.Timedelta(days=45)).mean()

    assert counts.max() > 10 * counts.median()
    assert 0.08 < stopped < 0.4


def test_spine_has_every_customer_at_every_moment(data: BenchData) -> None:
    spine = pq.read_table(data.spine).to_pandas()

    assert len(spine) == len(MOMENTS) * N_CUSTOMERS
    assert not spine.duplicated().any()
    assert set(spine["as_of"]) == {pd.Timestamp(moment) for moment in MOMENTS}


def test_one_seed_gives_one_set_of_tables(data: BenchData, tmp_path: Path) -> None:
    sizes = {"n_events": N_EVENTS, "n_customers": N_CUSTOMERS}
    again = generate_tables(tmp_path / "again", **sizes, seed=5)
    other = generate_tables(tmp_path / "other", **sizes, seed=6)

    for name, file in data.tables.files.items():
        assert pq.read_table(again.tables.files[name]).equals(pq.read_table(file))
    first = pq.read_table(data.tables.files["activity"])
    assert not pq.read_table(other.tables.files["activity"]).equals(first)


def test_features_are_of_every_kind_and_seldom_empty(ours: Path) -> None:
    numbers = pq.read_table(ours).to_pandas()[list(BENCH_FEATURES.names)]

    assert len(numbers.columns) >= 39
    assert (numbers.nunique() > 1).all()
    assert numbers["nps"].isna().any()
    assert numbers["days_since_last_login"].notna().mean() > 0.5


@pytest.mark.parametrize("rival", ["duckdb_sql", "polars", "pandas"])
def test_every_rival_computes_what_ours_does(
    rival: str, data: BenchData, ours: Path, tmp_path: Path
) -> None:
    find_contender(rival)(data.folder, data.spine, tmp_path / "theirs.parquet")

    difference = compare(ours, tmp_path / "theirs.parquet")

    assert difference.wrong_columns == []
    assert (difference.n_rows, difference.n_missing) == (3 * N_CUSTOMERS, 0)
    assert difference.share_equal == 1.0


@pytest.mark.parametrize("rival", ["duckdb_sql", "polars"])
def test_rivals_agree_at_a_moment_of_its_own_for_every_row(
    rival: str, data: BenchData, tmp_path: Path
) -> None:
    spine = write_arbitrary_spine(data, seed=9)
    find_contender("duckdb")(data.folder, spine, tmp_path / "ours.parquet")
    find_contender(rival)(data.folder, spine, tmp_path / "theirs.parquet")

    assert compare(tmp_path / "ours.parquet", tmp_path / "theirs.parquet").share_equal == 1.0


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("logins_30d", lambda values: values.where(values.index != 7, values + 1)),
        ("nps", lambda values: values.where(values.notna() | (values.index % 2 == 0), 0.0)),
        ("nps", lambda values: values.where(values.index % 2 == 0)),
        ("activity_slope_12w", lambda values: values + 3e-9),
    ],
)
def test_compare_sees_every_kind_of_difference(
    column: str,
    change: Callable[["pd.Series[float]"], "pd.Series[float]"],
    ours: Path,
    tmp_path: Path,
) -> None:
    numbers = pq.read_table(ours).to_pandas()
    numbers[column] = change(numbers[column])
    numbers.to_parquet(tmp_path / "changed.parquet", index=False)

    difference = compare(ours, tmp_path / "changed.parquet")

    assert difference.wrong_columns == [column]
    assert difference.share_equal < 1.0


def test_compare_sees_missing_rows_and_forgives_the_last_bit(ours: Path, tmp_path: Path) -> None:
    numbers = pq.read_table(ours).to_pandas()
    numbers["login_trend"] = np.nextafter(numbers["login_trend"], np.inf)
    numbers.to_parquet(tmp_path / "near.parquet", index=False)
    numbers.iloc[1:].to_parquet(tmp_path / "fewer.parquet", index=False)

    assert compare(ours, tmp_path / "near.parquet").share_equal == 1.0
    fewer = compare(ours, tmp_path / "fewer.parquet")
    assert fewer.n_missing == 1
    assert fewer.share_equal < 1.0


def test_measure_runs_a_process_and_reports_its_own_peak(data: BenchData, tmp_path: Path) -> None:
    ballast = np.ones(80_000_000)  # 0.6 GiB of ours that are not the contender's

    measured = measure(
        "duckdb_sql", folder=data.folder, spine=data.spine, out=tmp_path / "out.parquet"
    )

    assert ballast.size
    assert 0.0 < measured.seconds < 60.0
    assert 0.05 < measured.peak_gib < 0.55
    assert pq.read_metadata(measured.out).num_rows == 3 * N_CUSTOMERS


def test_online_says_what_the_sql_says(data: BenchData, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = measure_online(data.folder, n_customers=40, seed=1)

    assert figures.share_equal == 1.0
    assert figures.n_reads == 40 * 6
    assert figures.n_facts > 500
    assert min(figures.apply_us, figures.read_us, figures.blob_bytes) > 0.0

    complete = online._sort_facts

    def forget(tables: dict[str, pd.DataFrame], *, layout: Layout) -> dict[str, list[Fact]]:
        return {name: facts[:-3] for name, facts in complete(tables, layout=layout).items()}

    monkeypatch.setattr(online, "_sort_facts", forget)
    assert measure_online(data.folder, n_customers=40, seed=1).share_equal < 1.0


def _bench_in_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, has_java: bool
) -> tuple[dict[tuple[str, str], BenchRow], list[str]]:
    """The whole benchmark where Spark's part is played by DuckDB, since Java starts slowly."""

    def measure_here(name: str, *, folder: Path, spine: Path, out: Path) -> Measured:
        stands_in = "duckdb" if name in ("spark", "spark_sql") else name
        find_contender(stands_in)(folder, spine, out)
        return Measured(0.5 if name == "polars" else 1.0, 0.25, out)

    monkeypatch.setattr(bench, "measure", measure_here)
    monkeypatch.setattr(bench, "_REPLAYED", 20)
    monkeypatch.setattr(bench.shutil, "which", lambda _: "/usr/bin/java" if has_java else None)
    said: list[str] = []
    plan = FeaturePlan(n_events=8_000, n_customers=200, n_runs=2, sizes=(2_000,))
    rows = bench_features(plan, folder=folder, tell=said.append)
    return {(row.case, row.metric): row for row in rows}, said


def test_bench_has_a_row_for_everything_that_is_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = _bench_in_process(tmp_path, monkeypatch, has_java=True)

    assert {
        ("duckdb", "seconds"), ("duckdb", "peak_gib"), ("duckdb", "seconds_with_1gib"),
        ("spark", "equal"), ("spark", "seconds"),
        ("online", "equal"), ("online", "apply_us"), ("online", "read_us"),
        ("scale", "slope"), ("scale", "seconds_per_million_of_8000"),
        ("rival", "duckdb_sql_seconds"), ("rival", "duckdb_sql_peak_gib"),
        ("rival", "polars_equal"), ("rival", "pandas_equal"), ("rival", "spark_sql_equal"),
    } <= rows.keys()  # fmt: skip
    fastest = rows["duckdb", "seconds"]
    assert (fastest.reference, fastest.reference_name, fastest.n) == (0.5, "polars", 2)
    assert rows["duckdb", "peak_gib"].reference == 1.5
    equal = [row.ours for (_, metric), row in rows.items() if "equal" in metric]
    assert equal == [1.0] * len(equal)
    assert rows["scale", "slope"].ours == pytest.approx(0.0, abs=1e-9)  # always a second


def test_bench_leaves_out_what_is_not_installed_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, said = _bench_in_process(tmp_path, monkeypatch, has_java=False)

    assert not [case for case, _ in rows if case == "spark"]
    assert "spark is left out: there is no Java" in said
    assert ("duckdb", "seconds") in rows
