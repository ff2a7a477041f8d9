"""One run on a folder with ten planted faults names all ten, and no other."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.checks import Rule, check_tables
from features.errors import TablesRefusedError
from features.sources import (
    arrow,
    check_source,
    check_table_files,
    csv_cells,
    fetch_to_files,
    find_table_files,
    open_source,
    open_table_files,
    read_tables,
    write_tables,
)

Frames = dict[str, pd.DataFrame]

AS_OF = pd.Timestamp("2024-03-01T00:00:00Z")

TEN = {
    ("surveys", "nps", Rule.MISSING_COLUMN),
    ("usage", "used", Rule.WRONG_TYPE),
    ("tickets", "opened_at", Rule.NAIVE_TIME),
    ("invoices", "invoice_id", Rule.DUPLICATE_KEY),
    ("inbound", "inbound_id", Rule.NULL_VALUE),
    ("orders", "amount_cents", Rule.NEGATIVE_MONEY),
    ("messages", "channel", Rule.UNKNOWN_VALUE),
    ("outcomes", "at", Rule.OUT_OF_ORDER),
    ("activity", "customer_id", Rule.UNKNOWN_REFERENCE),
    ("prices", "at", Rule.FUTURE_ROW),
}


def plant_ten_faults(tables: Frames) -> Frames:
    surveys = tables["surveys"].drop(columns="nps")
    usage = tables["usage"].astype({"used": "str"})
    usage.loc[3, "used"] = "a lot"
    tickets = tables["tickets"]
    tickets["opened_at"] = tickets["opened_at"].dt.tz_localize(None)
    tables["invoices"].loc[5, "invoice_id"] = "i4"
    tables["inbound"].loc[6, "inbound_id"] = None
    tables["orders"].loc[7, "amount_cents"] = -1250
    tables["messages"].loc[8, "channel"] = "pigeon"
    tables["outcomes"].loc[9, "at"] -= pd.Timedelta(days=1)
    tables["activity"].loc[10, "customer_id"] = "nobody"
    tables["prices"].loc[11, "at"] = pd.Timestamp("2031-01-01T00:00:00Z")
    return tables | {"surveys": surveys, "usage": usage, "tickets": tickets}


def write(tables: Frames, folder: Path, *, suffix: str) -> None:
    for name, frame in tables.items():
        if suffix == "csv":
            frame.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%f%z")
        else:
            frame.to_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_check_source_names_all_ten_faults(
    clean_tables: Frames, tmp_path: Path, suffix: str
) -> None:
    write(plant_ten_faults(clean_tables), tmp_path, suffix=suffix)
    checked = check_source(open_source(tmp_path), as_of=AS_OF)
    found = [(v.table, v.column, v.rule) for v in checked.violations]
    assert len(found) == 10
    assert set(found) == TEN
    with pytest.raises(TablesRefusedError) as refused:
        read_tables(tmp_path, as_of=AS_OF)
    for table, column, rule in TEN:
        assert f"  {table}.{column}: {rule}" in str(refused.value)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_check_source_shows_the_rows_of_the_faults(
    clean_tables: Frames, tmp_path: Path, suffix: str
) -> None:
    write(plant_ten_faults(clean_tables), tmp_path, suffix=suffix)
    checked = check_source(open_source(tmp_path), as_of=AS_OF)
    first = {v.table: v.examples[0] for v in checked.violations if v.examples}
    assert first["orders"] == "row 7 (order_id=o7): amount_cents=-1250"
    assert first["messages"] == "row 8 (message_id=m8): channel=pigeon"
    assert first["inbound"] == "row 6: inbound_id=null"
    assert first["outcomes"] == "row 9 (message_id=m9): at=2024-01-09T06:00:00+00:00"
    assert first["tickets"] == "row 0 (ticket_id=k0): opened_at=2024-01-01T00:00:00"


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_check_source_finds_nothing_in_the_clean_folder(
    clean_tables: Frames, tmp_path: Path, suffix: str
) -> None:
    write(clean_tables, tmp_path, suffix=suffix)
    checked = check_source(open_source(tmp_path), as_of=AS_OF)
    assert checked.violations == ()
    assert checked.notes == ()


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_fetch_to_files_refuses_the_faults_in_the_same_words(
    clean_tables: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """A table that comes in batches is judged as the same table in memory."""
    monkeypatch.setattr(arrow, "BATCH_ROWS", 7)
    monkeypatch.setattr(csv_cells, "BATCH_ROWS", 7)
    write(plant_ten_faults(clean_tables), tmp_path, suffix=suffix)
    source = open_source(tmp_path)
    assert find_table_files(source) is None
    with pytest.raises(TablesRefusedError) as whole:
        check_source(source, as_of=AS_OF).require_valid()
    with pytest.raises(TablesRefusedError) as in_batches:
        fetch_to_files(source, tmp_path / "out", as_of=AS_OF)
    assert str(in_batches.value) == str(whole.value)
    assert len(str(whole.value).splitlines()) == 11


def test_check_table_files_finds_what_check_tables_finds(
    clean_tables: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In part files, batches and rows of another order of magnitude of numbers."""
    monkeypatch.setattr(arrow, "BATCH_ROWS", 7)
    faulty = plant_ten_faults(clean_tables)
    for name in ("surveys", "usage", "tickets"):  # no file of ours could hold those
        del faulty[name]
    frames = {name: pd.concat([frame] * 2, ignore_index=True) for name, frame in faulty.items()}
    frames["activity"] = frames["activity"].assign(event_id="e1")
    for name, frame in frames.items():
        parts = tmp_path / f"{name}.parquet"
        parts.mkdir()
        for number, rows in enumerate((slice(0, 15), slice(15, 40))):
            arrow_table = arrow.arrow_from_frame(frame.iloc[rows], table=name)
            pq.write_table(arrow_table, parts / f"part-{number}.parquet")
    files = find_table_files(open_source(tmp_path))
    assert files is not None
    checked = check_table_files(files, as_of=AS_OF)
    whole = check_tables(frames, as_of=AS_OF)
    assert checked.violations == whole.violations
    assert checked.notes == whole.notes
    assert {violation.rule for violation in checked.violations} >= {
        Rule.DUPLICATE_KEY,
        Rule.CHANGED_EVENT,
        Rule.NULL_VALUE,
        Rule.NEGATIVE_MONEY,
        Rule.UNKNOWN_VALUE,
        Rule.OUT_OF_ORDER,
        Rule.UNKNOWN_REFERENCE,
        Rule.FUTURE_ROW,
    }
    assert any("row 27" in example for v in checked.violations for example in v.examples)
    assert sum(checked.sizes.values()) == sum(map(len, frames.values()))


def test_open_table_files_reads_conforming_files_where_they_lie(
    clean_tables: Frames, tmp_path: Path
) -> None:
    write_tables(clean_tables, tmp_path / "ours")
    files = open_table_files(tmp_path / "ours", folder=tmp_path / "scratch", as_of=AS_OF)
    assert files.files["orders"] == tmp_path / "ours" / "orders.parquet"
    assert not (tmp_path / "scratch").exists()
    (tmp_path / "theirs").mkdir()
    write(clean_tables, tmp_path / "theirs", suffix="csv")
    fetched = open_table_files(tmp_path / "theirs", folder=tmp_path / "scratch", as_of=AS_OF)
    assert fetched.files["orders"] == tmp_path / "scratch" / "orders.parquet"
    again = read_tables(tmp_path / "scratch")
    for name, frame in clean_tables.items():
        pd.testing.assert_frame_equal(again[name], frame)


def test_open_table_files_fetches_types_that_engines_would_read_otherwise(
    clean_tables: Frames, tmp_path: Path
) -> None:
    orders = clean_tables["orders"].astype({"ordered_at": "datetime64[ns, UTC]"})
    write_tables(clean_tables | {"orders": orders}, tmp_path / "data")
    files = open_table_files(tmp_path / "data", folder=tmp_path / "scratch", as_of=AS_OF)
    assert files.files["orders"].parent == tmp_path / "scratch"
    schema = pq.read_schema(files.files["orders"])
    assert schema.field("ordered_at").type == pa.timestamp("us", "UTC")
