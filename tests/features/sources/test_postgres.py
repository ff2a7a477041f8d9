"""PostgreSQL gives what parquet files give, reads only, and never tells a password."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from features.checks import Rule
from features.contracts import CONTRACTS, Kind
from features.errors import SourceUnreadableError
from features.sources import (
    Location,
    check_source,
    fetch_to_files,
    open_source,
    read_tables,
    write_tables,
)
from features.sources import postgres as door

Frames = dict[str, pd.DataFrame]

_TYPES = {
    Kind.ID: "text",
    Kind.TEXT: "text",
    Kind.ZONE: "text",
    Kind.TIME: "timestamptz",
    Kind.DATE: "date",
    Kind.CENTS: "numeric(12, 0)",
    Kind.COUNT: "smallint",
    Kind.NUMBER: "double precision",
    Kind.FLAG: "boolean",
    Kind.CONSENT: "boolean",
    Kind.HOUR: "integer",
}


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def fill(url: str, tables: Frames, *, schema: str = "public") -> None:
    """Make the tables of the contracts, in the types a company would choose."""
    with psycopg.connect(plain(url)) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, frame in tables.items():
            columns = CONTRACTS[name].columns
            kinds = ", ".join(f'"{c.name}" {_TYPES[c.kind]}' for c in columns)
            connection.execute(f'CREATE TABLE {schema}."{name}" ({kinds})')
            names = ", ".join(f'"{c.name}"' for c in columns)
            with (
                connection.cursor() as cursor,
                cursor.copy(f'COPY {schema}."{name}" ({names}) FROM STDIN') as copy,
            ):
                cells = frame[[c.name for c in columns]].astype("object")
                for row in cells.where(cells.notna(), None).itertuples(index=False):
                    copy.write_row(row)


@pytest.fixture(scope="module")
def shop(new_postgres_database: Callable[[], str]) -> str:
    return plain(new_postgres_database())


@pytest.fixture
def filled(shop: str, clean_tables: Frames) -> str:
    """The database with the clean tables in the schema `sales`."""
    with psycopg.connect(shop) as connection:
        connection.execute("DROP SCHEMA IF EXISTS sales CASCADE")
    clean_tables["orders"].loc[3, "ordered_at"] += pd.Timedelta(microseconds=1)
    fill(shop, clean_tables, schema="sales")
    return f"{shop}&schema=sales"


def test_read_tables_gives_what_parquet_gives(
    filled: str, clean_tables: Frames, tmp_path: Path
) -> None:
    write_tables(clean_tables, tmp_path)
    files, database = read_tables(tmp_path), read_tables(filled)
    assert list(database) == list(files) == list(CONTRACTS)
    for name, frame in files.items():
        pd.testing.assert_frame_equal(database[name], frame, check_exact=True)


def test_fetch_to_files_streams_in_batches(
    filled: str, clean_tables: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_BATCH_ROWS", 7)
    assert [len(batch) for batch in open_source(filled).read_batches("orders")] == [7, 7, 6]
    fetch_to_files(open_source(filled), tmp_path)
    fetched = read_tables(tmp_path)
    for name, frame in clean_tables.items():
        pd.testing.assert_frame_equal(fetched[name], frame, check_exact=True)


def test_check_source_reads_numerics_ids_and_views(shop: str) -> None:
    with psycopg.connect(shop) as connection:
        connection.execute(
            "DROP SCHEMA IF EXISTS erp CASCADE; CREATE SCHEMA erp;"
            "CREATE TABLE erp.people (id uuid, since timestamptz, spent numeric, tags text[]);"
            "INSERT INTO erp.people VALUES ('00000000-0000-0000-0000-000000000007', "
            "'2024-01-01 05:00+05', 12345678901234567890.12, '{a,b}');"
            "CREATE VIEW erp.customers AS SELECT id AS customer_id, since AS signed_up_at, spent, "
            "tags, 'en' AS language, 'UTC' AS timezone, true AS consent_email, "
            "null::bool AS consent_sms, null::bool AS consent_push, null::bool AS consent_in_app, "
            "null::bool AS consent_whatsapp FROM erp.people"
        )
    checked = check_source(open_source(f"{shop}&schema=erp"))
    assert checked.violations == ()
    (row,) = checked.tables["customers"].itertuples()
    assert row.customer_id == "00000000-0000-0000-0000-000000000007"
    assert row.signed_up_at == pd.Timestamp("2024-01-01T00:00Z")
    assert str(row.spent) == "12345678901234567890.12"
    assert row.tags == ["a", "b"]


def test_check_source_refuses_times_without_a_zone_until_they_are_mapped(
    filled: str, shop: str, tmp_path: Path
) -> None:
    with psycopg.connect(shop) as connection:
        connection.execute(
            'ALTER TABLE sales.surveys ALTER "at" TYPE timestamp USING "at" AT TIME ZONE \'UTC\''
        )
    (violation,) = check_source(open_source(filled)).violations
    assert (violation.table, violation.column, violation.rule) == (
        "surveys",
        "at",
        Rule.NAIVE_TIME,
    )
    mapping = tmp_path / "shop.yaml"
    mapping.write_text("tables: {surveys: {columns: {at: {from: at, zone: UTC}}}}")
    assert check_source(open_source(filled, mapping=mapping)).violations == ()


def test_open_source_only_reads(filled: str) -> None:
    source = open_source(filled)
    assert isinstance(source, door.PostgresSource)
    with (
        pytest.raises(SourceUnreadableError, match="read-only transaction"),
        source._reading(),
        source._engine.connect() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM sales.orders")


def test_open_source_never_tells_a_password(shop: str) -> None:
    secret = shop.replace("postgres@", "postgres:s3cret@")
    for wrong in (
        f"{secret}&schema=nowhere",
        secret.replace("host=/", "host=/nowhere/"),
        f"{secret}&schema=public",
        "postgresql://ann:s3cret@localhost:notaport/shop",
    ):
        with pytest.raises(SourceUnreadableError) as unreadable:
            open_source(wrong)
        assert "s3cret" not in str(unreadable.value)
        assert "s3cret" not in repr(unreadable.value.__cause__)
    assert str(Location(secret)).startswith("postgresql://postgres@/")
    assert "s3cret" not in repr(Location(secret))


def test_read_says_which_table_holds_what_no_time_is(filled: str, shop: str) -> None:
    with psycopg.connect(shop) as connection:
        connection.execute("UPDATE sales.orders SET promised_at = 'infinity' WHERE order_id = 'o3'")
    with pytest.raises(SourceUnreadableError, match=r"table orders: cannot be read: .*infinity"):
        read_tables(filled)
