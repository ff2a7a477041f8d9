"""One run on a folder with ten planted faults names all ten, and no other."""

from pathlib import Path

import pandas as pd
import pytest

from features.checks import Rule
from features.errors import TablesRefusedError
from features.sources import check_source, open_source, read_tables

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
