from datetime import UTC, datetime

import pandas as pd
import pytest

from training.datasets.provenance import fingerprint_tables

Frames = dict[str, pd.DataFrame]
UNTIL = datetime(2024, 3, 1, tzinfo=UTC)
NAMES = ("customers", "activity", "orders")


def fingerprint(tables: Frames) -> str:
    return fingerprint_tables(tables, names=NAMES, known_until=UNTIL)


def test_fingerprint_does_not_depend_on_the_order_of_rows_and_columns(clean_tables: Frames) -> None:
    shuffled = {
        name: frame.sample(frac=1.0, random_state=1)[list(reversed(frame.columns))]
        for name, frame in clean_tables.items()
    }
    assert fingerprint(shuffled) == fingerprint(clean_tables)


def test_fingerprint_is_of_the_named_tables_and_contract_columns_alone(
    clean_tables: Frames,
) -> None:
    other = dict(clean_tables)
    other["tickets"] = other["tickets"].iloc[:3]
    other["activity"] = other["activity"].assign(campaign="x")
    assert fingerprint(other) == fingerprint(clean_tables)


def test_fingerprint_ignores_what_is_known_later(clean_tables: Frames) -> None:
    late = clean_tables["activity"].iloc[:1].assign(at=pd.Timestamp(UNTIL))
    grown = clean_tables | {"activity": pd.concat([clean_tables["activity"], late])}
    assert fingerprint(grown) == fingerprint(clean_tables)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("activity", "value", 2.5), ("activity", "item", "milk"), ("orders", "amount_cents", 1)],
)
def test_fingerprint_sees_one_changed_cell(
    clean_tables: Frames, table: str, column: str, value: object
) -> None:
    before = fingerprint(clean_tables)
    clean_tables[table].loc[7, column] = value
    assert fingerprint(clean_tables) != before


def test_fingerprint_is_the_same_on_every_machine() -> None:
    at = pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True).as_unit("us")
    activity = pd.DataFrame(
        {"customer_id": ["a", "b"], "at": at, "kind": "login", "value": [1.5, None]}
    )
    assert fingerprint({"activity": activity}).startswith("57d6c5036cdfdc73")
