"""The same text on Spark: to the last bit what DuckDB says."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS, Kind
from features.declarations import FeatureSet, union_of
from features.engagement import ENGAGEMENT_FEATURES
from features.engines import DUCKDB
from features.engines.moments import find_span
from features.engines.spark import SparkEngine, is_address, locate
from features.errors import BadInputError, ConfigurationError
from features.point_in_time import (
    EveryCustomer,
    build_features,
    count_hours_of_week,
    make_spine,
    write_features,
)
from features.sources import write_tables
from features.table_files import TableFiles
from features.tables import Tables
from features.triggers import find_triggers, write_triggers

Frames = dict[str, pd.DataFrame]

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
MIDNIGHT = AS_OF.replace(hour=0, minute=0, second=0, microsecond=0)
TICK = timedelta(microseconds=1)
ALL = union_of("all", CHURN_FEATURES, ENGAGEMENT_FEATURES)


@pytest.fixture(scope="module")
def history(draw_history: Callable[..., Frames], make_late: Callable[..., Frames]) -> Frames:
    """Late rows, corrections, repeats, nulls and ties."""
    return make_late(draw_history(7, around=AS_OF), 7, around=AS_OF)


@pytest.fixture(scope="module")
def history_files(history: Frames, tmp_path_factory: pytest.TempPathFactory) -> TableFiles:
    """The same as files, one table in a folder of two parts."""
    folder = tmp_path_factory.mktemp("tables")
    write_tables(history, folder)
    files = {path.stem: path for path in folder.glob("*.parquet")}
    rows = pq.read_table(files["activity"])
    parts = folder / "activity"
    parts.mkdir()
    pq.write_table(rows.slice(0, 150), parts / "a.parquet")
    pq.write_table(rows.slice(150), parts / "b.parquet")
    return TableFiles({**files, "activity": parts})


def make_spines(tables: Tables) -> pd.DataFrame:
    moments = (AS_OF, MIDNIGHT - TICK, MIDNIGHT, MIDNIGHT + TICK, AS_OF - timedelta(days=7))
    ids = [*tables["customers"]["customer_id"].unique(), "nobody"]
    return pd.concat([make_spine(ids, as_of=moment) for moment in moments], ignore_index=True)


def put_together(histories: Iterable[Frames]) -> Frames:
    """Histories side by side: every id says which one it is of."""
    frames: dict[str, list[pd.DataFrame]] = {}
    for n, history in enumerate(histories):
        for name, frame in history.items():
            ids = [c.name for c in CONTRACTS[name].columns if c.kind is Kind.ID and c.name in frame]
            frames.setdefault(name, []).append(frame.assign(**{i: f"{n}-" + frame[i] for i in ids}))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def assert_same_numbers(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, features: FeatureSet = ALL
) -> None:
    names = list(features.names)
    differing = [
        name
        for name in names
        if not np.array_equal(ours[name].to_numpy(), theirs[name].to_numpy(), equal_nan=True)
    ]
    assert differing == []
    assert ours[names].notna().any().mean() > 0.9  # there was something to compare


@pytest.mark.slow
def test_features_of_a_thousand_late_histories_are_those_of_duckdb(
    draw_history: Callable[..., Frames],
    make_late: Callable[..., Frames],
    spark: SparkEngine,
    tmp_path: Path,
) -> None:
    histories = (make_late(draw_history(n, around=AS_OF), n, around=AS_OF) for n in range(63))
    tables = put_together(histories)
    write_tables(tables, tmp_path)
    files = TableFiles({path.stem: path for path in tmp_path.glob("*.parquet")})
    spine = make_spines(tables)
    assert spine["customer_id"].nunique() > 1_000

    on_spark = build_features(files, spine, features=ALL, engine=spark)
    on_duckdb = build_features(tables, spine, features=ALL)

    assert_same_numbers(on_spark, on_duckdb)


@pytest.mark.slow
def test_hours_of_the_week_are_those_of_duckdb(history: Frames, spark: SparkEngine) -> None:
    spine = make_spines(history)

    on_spark = count_hours_of_week(history, spine, engine=spark)

    assert on_spark.sum() > 0
    assert np.array_equal(on_spark, count_hours_of_week(history, spine))


@pytest.mark.slow
def test_write_features_writes_a_folder_without_the_driver(
    draw_history: Callable[..., Frames], spark: SparkEngine, tmp_path: Path
) -> None:
    tables = draw_history(3, around=AS_OF)  # nothing in it comes late: another text is compiled
    out, everybody = tmp_path / "features.parquet", EveryCustomer(AS_OF)

    n_rows = write_features(tables, everybody, out, features=CHURN_FEATURES, engine=spark)

    on_spark = pd.read_parquet(out).sort_values("customer_id", ignore_index=True)
    assert n_rows == len(on_spark) > 5
    assert out.is_dir()
    assert on_spark["as_of"].dtype == "datetime64[us, UTC]"
    assert [path.name for path in tmp_path.iterdir()] == ["features.parquet"]
    on_duckdb = build_features(tables, everybody, features=CHURN_FEATURES)
    assert_same_numbers(on_spark, on_duckdb, features=CHURN_FEATURES)


@pytest.mark.slow
def test_triggers_are_those_of_duckdb(
    history: Frames, history_files: TableFiles, spark: SparkEngine, tmp_path: Path
) -> None:
    out = tmp_path / "cases"

    n_cases = write_triggers(history_files, out, as_of=AS_OF, engine=spark, mapper=spark)

    on_spark = pd.read_parquet(out)
    on_duckdb = find_triggers(history, as_of=AS_OF)
    order = ["customer_id", "trigger", "subject"]
    assert n_cases == len(on_duckdb) > 15
    pd.testing.assert_frame_equal(
        on_spark.sort_values(order, ignore_index=True).astype(on_duckdb.dtypes),
        on_duckdb.sort_values(order, ignore_index=True),
    )
    for customer_id, rows in on_duckdb.groupby("customer_id"):  # and in the same order
        theirs = on_spark.loc[on_spark["customer_id"] == customer_id, "key"]
        assert theirs.tolist() == rows["key"].tolist()


def test_find_span_is_the_same_on_both(history_files: TableFiles, spark: SparkEngine) -> None:
    span = find_span(history_files, engine=DUCKDB)

    assert span == find_span(history_files, engine=spark)
    assert span.end.microsecond == 0
    assert span.first_customer < AS_OF < span.end


def test_a_number_that_fits_nowhere_is_bad_input(
    make_table: Callable[..., pd.DataFrame], spark: SparkEngine
) -> None:
    rows = make_table("activity", {"customer_id": "c0", "at": AS_OF, "kind": "x", "value": 1e300})

    with (
        spark.open({"activity": rows}, names=["activity"]) as relations,
        pytest.raises(BadInputError, match="a number is not finite or beyond"),
    ):
        relations.query("SELECT CAST(ROUND(1e6 * value) AS BIGINT) AS n FROM base_activity")


def test_addresses_keep_their_slashes_and_paths_stay_paths() -> None:
    assert locate(Path("s3a://bucket/tables/activity.parquet")) == (
        "s3a://bucket/tables/activity.parquet"
    )
    assert is_address(Path("hdfs://name:8020/tables"))
    assert not is_address(Path("tables/x"))


def test_spark_without_java_ends_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"has no bin/java; Spark needs Java 17"):
        SparkEngine().start()
