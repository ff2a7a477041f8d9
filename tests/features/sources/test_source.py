import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from features.checks import Note, Rule
from features.contracts import CONTRACTS
from features.errors import SourceUnreadableError
from features.sources import check_source, open_source, read_tables, write_tables
from features.tables import empty_table

Frames = dict[str, pd.DataFrame]


def assert_equal_tables(left: Frames, right: Frames) -> None:
    assert list(left) == list(right)
    for name, frame in left.items():
        pd.testing.assert_frame_equal(frame, right[name], check_exact=True)


def write_csv(tables: Frames, folder: Path) -> None:
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)


def write_duckdb(tables: Frames, path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, frame in tables.items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")


def test_read_tables_gives_back_what_was_written_as_parquet(
    clean_tables: Frames, tmp_path: Path
) -> None:
    # Beyond the contract: a large number beside a null, a flag beside a null.
    clean_tables["orders"]["n_lines"] = pd.Series([2**53 + 1, None] * 10, dtype="Int64")
    clean_tables["orders"]["gift"] = pd.Series([True, None] * 10, dtype="boolean")
    write_tables(clean_tables, tmp_path / "new" / "folder")
    assert_equal_tables(clean_tables, dict(read_tables(tmp_path / "new" / "folder")))


def test_read_tables_gives_back_what_was_written_as_csv(
    clean_tables: Frames, tmp_path: Path
) -> None:
    write_csv(clean_tables, tmp_path)
    assert_equal_tables(clean_tables, dict(read_tables(tmp_path)))


def test_read_tables_gives_back_what_was_written_to_duckdb(
    clean_tables: Frames, tmp_path: Path
) -> None:
    clean_tables["orders"]["n_lines"] = pd.Series([2**53 + 1, None] * 10, dtype="Int64")
    write_duckdb(clean_tables, tmp_path / "shop.duckdb")
    assert_equal_tables(clean_tables, dict(read_tables(tmp_path / "shop.duckdb")))


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_read_tables_keeps_tables_without_rows(
    clean_tables: Frames, tmp_path: Path, name: str
) -> None:
    tables = {"customers": clean_tables["customers"], name: empty_table(name)}
    ordered = {known: tables[known] for known in CONTRACTS if known in tables}
    write_tables(ordered, tmp_path / "parquet")
    assert_equal_tables(ordered, dict(read_tables(tmp_path / "parquet")))
    (tmp_path / "csv").mkdir()
    write_csv(ordered, tmp_path / "csv")
    assert_equal_tables(ordered, dict(read_tables(tmp_path / "csv")))


def test_read_tables_reads_parquet_of_other_writers(clean_tables: Frames, tmp_path: Path) -> None:
    """Narrow integers, nanoseconds, dates, decimals and dictionaries lose nothing."""
    subscriptions = clean_tables["subscriptions"]
    decimals = subscriptions["mrr_cents"].astype("object").map(Decimal)
    schema = pa.schema(
        [
            ("customer_id", pa.dictionary(pa.int32(), pa.string())),
            ("valid_from", pa.timestamp("ns", "Asia/Almaty")),
            ("plan", pa.large_string()),
            ("mrr_cents", pa.decimal128(9, 0)),
            ("status", pa.string()),
            ("card_expires_on", pa.date32()),
            ("upsell_shown", pa.bool_()),
        ]
    )
    write_tables({"customers": clean_tables["customers"]}, tmp_path)
    foreign = subscriptions[schema.names].assign(mrr_cents=decimals).set_axis(range(7, 27))
    foreign.to_parquet(tmp_path / "subscriptions.parquet", schema=schema)
    read = read_tables(tmp_path)["subscriptions"]
    pd.testing.assert_frame_equal(read, subscriptions)


def test_read_tables_takes_any_iso_time_with_a_zone(tmp_path: Path, clean_tables: Frames) -> None:
    write_tables({"customers": clean_tables["customers"]}, tmp_path)
    (tmp_path / "surveys.csv").write_text(
        "\ufeffcustomer_id,at,nps\n"  # as Excel begins its files
        "c1,2024-01-02T03:04:05Z,1\n"
        "c1,2024-01-02 08:04:05+05:00,2\n"
        "c1,2024-01-02T08:04:05.000+0500,3\n"
        "c1,20240102T030405Z,4\n",
        encoding="utf-8",
    )
    assert set(read_tables(tmp_path)["surveys"]["at"]) == {pd.Timestamp("2024-01-02T03:04:05Z")}


def test_check_source_names_the_cells_of_a_csv_that_are_no_values(
    tmp_path: Path, clean_tables: Frames
) -> None:
    write_tables({"customers": clean_tables["customers"]}, tmp_path)
    (tmp_path / "invoices.csv").write_text(
        "invoice_id,customer_id,issued_at,due_at,paid_at,amount_cents,disputed\n"
        "007,c1,2024-01-02T03:04:05Z,2024-01-09,,100,TRUE\n"
        "008,c1,2024-01-02T03:04:05,2024-01-09T00:00:00Z,soon,9.5,maybe\n"
        "009,c1,2024-13-02T03:04:05Z,2024-01-09T00:00:00Z,,NaN,\n"
    )
    checked = check_source(open_source(tmp_path))
    assert {(v.column, v.rule): v.examples for v in checked.violations} == {
        ("issued_at", Rule.NAIVE_TIME): ("row 1 (invoice_id=008): issued_at=2024-01-02T03:04:05",),
        ("issued_at", Rule.WRONG_TYPE): ("row 2 (invoice_id=009): issued_at=2024-13-02T03:04:05Z",),
        ("due_at", Rule.NAIVE_TIME): ("row 0 (invoice_id=007): due_at=2024-01-09T00:00:00",),
        ("paid_at", Rule.WRONG_TYPE): ("row 1 (invoice_id=008): paid_at=soon",),
        ("amount_cents", Rule.WRONG_TYPE): (
            "row 1 (invoice_id=008): amount_cents=9.5",
            "row 2 (invoice_id=009): amount_cents=NaN",
        ),
        ("disputed", Rule.WRONG_TYPE): ("row 1 (invoice_id=008): disputed=maybe",),
        ("disputed", Rule.NULL_VALUE): ("row 2 (invoice_id=009): disputed=null",),
    }


def test_check_source_notes_unknown_files_without_reading_them(
    clean_tables: Frames, tmp_path: Path
) -> None:
    write_tables(clean_tables, tmp_path)
    (tmp_path / "weather.parquet").write_bytes(b"no parquet at all")
    (tmp_path / "readme.txt").write_text("not a table")
    checked = check_source(open_source(tmp_path))
    assert checked.notes == (Note("weather"),)
    assert checked.violations == ()


def test_check_source_reads_views_and_notes_unknown_tables(
    clean_tables: Frames, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    write_duckdb({"people": clean_tables["customers"]}, path)
    with duckdb.connect(path) as connection:
        connection.execute("CREATE VIEW customers AS SELECT * FROM people")
    checked = check_source(open_source(path))
    assert checked.violations == ()
    assert checked.notes == (Note("people"),)
    assert len(checked.tables["customers"]) == 20


def test_read_tables_cuts_days_of_a_view_in_utc_on_every_machine(
    clean_tables: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.duckdb"
    write_duckdb({"people": clean_tables["customers"]}, path)
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE VIEW customers AS SELECT *, signed_up_at::DATE AS day FROM people"
        )
    monkeypatch.setenv("TZ", "America/New_York")
    customers = read_tables(path)["customers"]
    assert customers["day"].tolist() == customers["signed_up_at"].dt.tz_localize(None).tolist()


def test_check_source_refuses_duckdb_times_without_a_zone(
    clean_tables: Frames, tmp_path: Path
) -> None:
    path = tmp_path / "shop.duckdb"
    write_duckdb(clean_tables, path)
    with duckdb.connect(path) as connection:
        connection.execute('ALTER TABLE surveys ALTER "at" TYPE TIMESTAMP')
    (violation,) = check_source(open_source(path)).violations
    assert (violation.table, violation.column, violation.rule) == (
        "surveys",
        "at",
        Rule.NAIVE_TIME,
    )


def test_read_tables_only_reads_the_duckdb_file(clean_tables: Frames, tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    write_duckdb(clean_tables, path)
    before = path.read_bytes()
    source = open_source(path)
    with duckdb.connect(path, read_only=True):
        source.read("customers")
    assert path.read_bytes() == before


def _nothing(path: Path) -> None:
    """The path stays as it is."""


def _corrupt_parquet(path: Path) -> None:
    path.mkdir()
    (path / "customers.parquet").write_bytes(b"PAR1 but not really PAR1")


def _both_files(path: Path) -> None:
    path.mkdir()
    (path / "customers.parquet").touch()
    (path / "customers.csv").touch()


def _no_tables(path: Path) -> None:
    path.mkdir()
    (path / "weather.csv").write_text("rain\n1\n")


def _empty_csv(path: Path) -> None:
    path.mkdir()
    (path / "customers.csv").touch()


def _ragged_csv(path: Path) -> None:
    path.mkdir()
    (path / "customers.csv").write_text("customer_id,language\nc1,en,surplus\nc2,en,surplus\n")


def _latin_csv(path: Path) -> None:
    path.mkdir()
    (path / "customers.csv").write_bytes("customer_id,first_name\nc1,Zoë\n".encode("latin-1"))


def _folder_as_file(path: Path) -> None:
    (path / "customers.parquet").mkdir(parents=True)


def _a_file(path: Path) -> None:
    path.write_text("customer_id\n")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_nothing, "no such folder"),
        (_corrupt_parquet, "customers.parquet: cannot be read"),
        (_both_files, "holds both customers.csv and customers.parquet"),
        (_no_tables, "holds no table of ours, but weather; expected customers"),
        (_empty_csv, "customers.csv: cannot be read: No columns"),
        (_ragged_csv, "customers.csv: cannot be read: a row has more cells than the header"),
        (_latin_csv, "customers.csv: cannot be read: 'utf-8' codec"),
        (_folder_as_file, "customers.parquet: no parquet file is there"),
        (_a_file, "expected a folder of <table>.parquet or .csv files, or a .duckdb or .db file"),
    ],
)
def test_read_tables_says_why_a_folder_cannot_be_read(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "data"
    make(path)
    with pytest.raises(SourceUnreadableError, match=reason) as unreadable:
        read_tables(path)
    assert str(path) in str(unreadable.value)


def test_read_tables_says_why_a_database_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with pytest.raises(SourceUnreadableError, match=r"shop\.duckdb: no such DuckDB file"):
        read_tables(path)
    path.write_bytes(b"no database")
    with pytest.raises(SourceUnreadableError, match=r"shop\.duckdb: is not a DuckDB file"):
        read_tables(path)
    path.write_bytes(b"12345678DUCK and nothing more")
    with pytest.raises(SourceUnreadableError, match=r"shop\.duckdb: cannot be read"):
        read_tables(path)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE customers (customer_id TEXT)")
    connection.close()
    with pytest.raises(SourceUnreadableError, match=r"shop\.db: is not a DuckDB file"):
        read_tables(tmp_path / "shop.db")


def test_read_tables_refuses_a_database_without_our_tables(tmp_path: Path) -> None:
    duckdb.connect(tmp_path / "empty.duckdb").close()
    with pytest.raises(SourceUnreadableError, match="holds no table of ours, but nothing"):
        read_tables(tmp_path / "empty.duckdb")


def test_write_tables_replaces_a_file_only_when_the_new_one_is_whole(
    clean_tables: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(clean_tables, tmp_path)

    def write_half(frame: pd.DataFrame, where: Path, **_: object) -> None:
        where.write_bytes(b"PAR1 half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write_half)
    with pytest.raises(OSError, match="disk full"):
        write_tables({"customers": clean_tables["customers"].head(1)}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.parquet" for name in CONTRACTS}
    assert len(read_tables(tmp_path)["customers"]) == 20
