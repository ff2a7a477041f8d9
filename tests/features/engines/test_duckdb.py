"""DuckDB as an engine: base relations from frames and files, lateness, writing."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS
from features.declarations import union_of
from features.engagement import ENGAGEMENT_FEATURES
from features.engines import DUCKDB, DuckDBEngine
from features.engines.engine import BASE_TYPES, base_column
from features.errors import BadInputError, SourceUnreadableError
from features.frames import feature_schema
from features.point_in_time import (
    EveryCustomer,
    build_features,
    count_hours_of_week,
    make_spine,
    write_features,
)
from features.table_files import TableFiles
from features.tables import empty_table

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
AT_US = 1_774_863_015_000_250
ALL = union_of("all", CHURN_FEATURES, ENGAGEMENT_FEATURES)

Frames = dict[str, pd.DataFrame]
MakeTable = Callable[..., pd.DataFrame]


def write_files(tables: Frames, folder: Path) -> TableFiles:
    """One file per table; activity as a folder of three."""
    files = {}
    for name, frame in tables.items():
        files[name] = folder / f"{name}.parquet"
        if name != "activity":
            frame.to_parquet(files[name])
            continue
        files[name] = folder / name
        files[name].mkdir()
        for n in range(3):
            frame.iloc[n::3].to_parquet(files[name] / f"part-{n}.parquet", row_group_size=50)
    return TableFiles(files)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_base_relation_has_the_columns_and_types_of_its_contract(name: str) -> None:
    with DUCKDB.open({}, names=[name]) as relations:
        text = f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM base_{name})"
        described = relations.query(text)
        assert relations.query(f"SELECT * FROM base_{name}").empty
    contract = CONTRACTS[name]
    assert described["column_name"].to_list() == [base_column(c.name) for c in contract.columns]
    types = [BASE_TYPES[c.kind].replace("STRING", "VARCHAR") for c in contract.columns]
    assert described["column_type"].to_list() == types


def test_files_and_frames_give_the_same_features(
    draw_history: Callable[..., Frames],
    make_late: Callable[..., Frames],
    tmp_path: Path,
) -> None:
    for seed, change in ((1, dict), (2, lambda t: make_late(t, 2, around=AS_OF))):
        tables = change(draw_history(seed, around=AS_OF))
        folder = tmp_path / str(seed)
        folder.mkdir()
        files = write_files(tables, folder)
        spine = make_spine([f"c{n}" for n in range(17)], as_of=AS_OF)
        frames, read = (build_features(t, spine, features=ALL) for t in (tables, files))
        pd.testing.assert_frame_equal(frames, read)
        assert np.array_equal(count_hours_of_week(tables, spine), count_hours_of_week(files, spine))


@pytest.mark.parametrize("engine", [DUCKDB, DuckDBEngine(memory_limit="100MB", threads=1)])
def test_write_features_writes_what_build_features_gives(
    draw_history: Callable[..., Frames], tmp_path: Path, engine: DuckDBEngine
) -> None:
    tables = draw_history(3, around=AS_OF)
    out = tmp_path / "new" / "features.parquet"
    for spine in (EveryCustomer(AS_OF), make_spine(["c1", "c99", "c1"], as_of=AS_OF)):
        built = build_features(tables, spine, features=ALL, engine=engine)
        n_rows = write_features(tables, spine, out, features=ALL, engine=engine)
        written = pd.read_parquet(out).astype({"as_of": "datetime64[us, UTC]"})
        assert n_rows == len(written) == len(built) > 0
        order = ["customer_id", "as_of"]
        by_customer = [frame.sort_values(order, ignore_index=True) for frame in (built, written)]
        pd.testing.assert_frame_equal(*by_customer)
        feature_schema(ALL).validate(written)
    assert [path.name for path in out.parent.iterdir()] == ["features.parquet"]


def test_a_file_that_cannot_be_finished_is_not_there(make_table: MakeTable, tmp_path: Path) -> None:
    row = {"customer_id": "a", "at": AS_OF - timedelta(1), "kind": "session", "value": np.inf}
    tables = {"activity": make_table("activity", row)}
    spine = make_spine(["a"], as_of=AS_OF)
    with pytest.raises(BadInputError, match="features churn: a number is not finite or beyond"):
        write_features(tables, spine, tmp_path / "out.parquet", features=CHURN_FEATURES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.timestamp("us", tz="UTC"), AT_US),
        (pa.timestamp("us"), AT_US),
        (pa.timestamp("ns"), AT_US * 1000 + 999),
        (pa.timestamp("ns", tz="UTC"), AT_US * 1000 + 999),
        (pa.timestamp("us", tz="Asia/Almaty"), AT_US),
    ],
)
def test_times_of_files_are_microseconds_of_utc_whatever_their_type(
    tmp_path: Path, kind: pa.DataType, value: int
) -> None:
    table = pa.table(
        {
            "customer_id": ["a"],
            "at": pa.array([value], type=pa.int64()).cast(kind),
            "used": pa.array([3], type=pa.int32()),
        }
    )
    pq.write_table(table, tmp_path / "usage.parquet")
    files = TableFiles({"usage": tmp_path / "usage.parquet"})
    with DUCKDB.open(files, names=["usage"]) as relations:
        row = relations.query("SELECT * FROM base_usage").iloc[0]
    assert (row["at"], row["used"]) == (AT_US, 3.0)


def test_a_day_is_its_midnight_in_utc(make_table: MakeTable, tmp_path: Path) -> None:
    frame = make_table("subscriptions", {"customer_id": "a", "valid_from": AS_OF})
    frame["card_expires_on"] = pd.Series([date(1970, 1, 2)], dtype="object")
    frame.to_parquet(tmp_path / "subscriptions.parquet")
    files = TableFiles({"subscriptions": tmp_path / "subscriptions.parquet"})
    with DUCKDB.open(files, names=["subscriptions"]) as relations:
        found = relations.query("SELECT card_expires_on FROM base_subscriptions")
    assert found["card_expires_on"].to_list() == [86_400_000_000]


@pytest.mark.parametrize("as_files", [False, True])
@pytest.mark.parametrize(
    ("table", "row", "late"),
    [
        ("activity", {}, False),
        ("activity", {"known_at": AS_OF}, True),
        ("activity", {"event_id": "e"}, True),
        ("orders", {}, False),
        ("orders", {"known_at": AS_OF}, True),
        ("outcomes", {"known_at": AS_OF}, True),
        ("messages", {}, False),
    ],
)
def test_a_table_is_late_when_a_row_says_so(
    make_table: MakeTable,
    tmp_path: Path,
    table: str,
    row: dict[str, object],
    late: bool,
    as_files: bool,
) -> None:
    moment = {CONTRACTS[table].moment: AS_OF}
    tables: Frames = {table: make_table(table, moment, {**moment, **row})}
    opened = write_files(tables, tmp_path) if as_files else tables
    with DUCKDB.open(opened, names=[table]) as relations:
        assert relations.late == ({table} if late else set())


def test_columns_that_a_table_lacks_are_null(make_table: MakeTable) -> None:
    bare = make_table("activity", {"customer_id": "a", "at": AS_OF})[["at", "customer_id", "kind"]]
    with DUCKDB.open({"activity": bare.assign(more=1)}, names=["activity"]) as relations:
        row = relations.query("SELECT * FROM base_activity").iloc[0]
        assert relations.late == set()
    assert row["at"] == AT_US
    assert row[["value", "known_at", "event_id"]].isna().all()
    assert "more" not in row


def test_what_does_not_fit_goes_to_the_folder_for_it_and_is_removed(tmp_path: Path) -> None:
    engine = DuckDBEngine(memory_limit="60MB", threads=1, temp_folder=tmp_path)
    with engine.open({}, names=[]) as relations:
        relations.create_table(
            "big", "SELECT r.range AS n, hash(r.range) AS h FROM range(8000000) r"
        )
        spilled = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert relations.query("SELECT COUNT(*) AS n FROM big")["n"].to_list() == [8_000_000]
    assert spilled
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    files = TableFiles({"activity": tmp_path})
    with (
        pytest.raises(SourceUnreadableError, match=f"{tmp_path}: no parquet file is there"),
        DUCKDB.open(files, names=["activity"]),
    ):
        pass


def test_table_files_are_tables(make_table: MakeTable, tmp_path: Path) -> None:
    frame = make_table("activity", {"customer_id": "a", "at": AS_OF, "kind": "login"})
    files = write_files({"activity": frame}, tmp_path)
    assert (list(files), "activity" in files, "orders" in files) == (["activity"], True, False)
    pd.testing.assert_frame_equal(files["activity"], frame)


def test_frames_are_read_where_they_lie_and_closed_connections_are_closed(
    make_table: MakeTable,
) -> None:
    with DUCKDB.open({"usage": empty_table("usage")}, names=["usage"]) as relations:
        relations.register("numbers", pd.DataFrame({"n": [1, 2]}))
        relations.create_view("twice", "SELECT 2 * m.n AS n FROM numbers m")
        assert relations.query("SELECT SUM(t.n) AS n FROM twice t")["n"].to_list() == [6]
    with pytest.raises(duckdb.ConnectionException):
        relations.query("SELECT 1")


def test_relations_that_are_open_at_once_do_not_see_each_other(make_table: MakeTable) -> None:
    frames = [make_table("activity", *[{"customer_id": "a"}] * n) for n in (1, 2)]
    with (
        DUCKDB.open({"activity": frames[0]}, names=["activity"]) as one,
        DUCKDB.open({"activity": frames[1]}, names=["activity"]) as other,
    ):
        one.create_table("kept", "SELECT 1 AS n")
        other.create_table("kept", "SELECT 2 AS n")
        found = [
            x.query("SELECT n, (SELECT COUNT(*) FROM base_activity) AS k FROM kept")
            for x in (one, other)
        ]
    with DUCKDB.open({}, names=[]) as later, pytest.raises(duckdb.CatalogException):
        later.query("SELECT * FROM kept")
    assert [frame.iloc[0].to_list() for frame in found] == [[1, 1], [2, 2]]


def test_a_file_that_is_written_anew_is_read_anew(make_table: MakeTable, tmp_path: Path) -> None:
    files = TableFiles({"activity": tmp_path / "activity.parquet"})
    for who in ("a", "b"):
        frame = make_table("activity", {"customer_id": who, "at": AS_OF, "kind": "login"})
        frame.to_parquet(files.files["activity"])
        os.utime(files.files["activity"], (0, 0))
        with DUCKDB.open(files, names=["activity"]) as relations:
            assert relations.query("SELECT * FROM base_activity")["customer_id"].to_list() == [who]
