from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.checks import (
    Note,
    Rule,
    Violation,
    check_tables,
    find_violations,
    require_valid,
)
from features.contracts import CONTRACTS, DTYPES, Kind
from features.errors import BadInputError, TablesRefusedError
from features.tables import empty_table, last_moment

Frames = dict[str, pd.DataFrame]
Place = tuple[str, str, Rule]

AS_OF = pd.Timestamp("2024-03-01T00:00:00Z")
N_ROWS = 20


def places(violations: list[Violation] | tuple[Violation, ...]) -> list[Place]:
    return [(violation.table, violation.column, violation.rule) for violation in violations]


def with_cell(frame: pd.DataFrame, *, column: str, rows: list[int], cell: object) -> pd.DataFrame:
    """The frame with one cell value in some rows of an object column."""
    mixed = frame[column].astype("object")
    mixed.iloc[rows] = pd.Series([cell] * len(rows), dtype="object").to_numpy()
    return frame.assign(**{column: mixed})


EARLY = pd.Timestamp("2000-01-01T00:00:00Z")

FAULTS: list[tuple[str, str, object, Rule]] = [
    ("customers", "customer_id", None, Rule.NULL_VALUE),
    ("customers", "timezone", "Mars/Olympus", Rule.UNKNOWN_TIME_ZONE),
    ("customers", "timezone", "asia/almaty", Rule.UNKNOWN_TIME_ZONE),
    ("customers", "preferred_channel", "pigeon", Rule.UNKNOWN_VALUE),
    ("customers", "active_from_hour", 24, Rule.OUT_OF_RANGE),
    ("customers", "consent_sms", "yes", Rule.WRONG_TYPE),
    ("activity", "customer_id", "nobody", Rule.UNKNOWN_REFERENCE),
    ("activity", "customer_id", "", Rule.NULL_VALUE),
    ("activity", "at", datetime(2024, 1, 5), Rule.NAIVE_TIME),
    ("activity", "at", AS_OF + pd.Timedelta(microseconds=1), Rule.FUTURE_ROW),
    ("activity", "value", float("inf"), Rule.WRONG_TYPE),
    ("orders", "amount_cents", -1, Rule.NEGATIVE_MONEY),
    ("orders", "amount_cents", 9.99, Rule.WRONG_TYPE),
    ("orders", "amount_cents", "999", Rule.WRONG_TYPE),
    ("orders", "amount_cents", None, Rule.NULL_VALUE),
    ("orders", "delivered_at", EARLY, Rule.OUT_OF_ORDER),
    ("invoices", "paid_at", EARLY, Rule.OUT_OF_ORDER),
    ("invoices", "disputed", None, Rule.NULL_VALUE),
    ("tickets", "resolved_at", EARLY, Rule.OUT_OF_ORDER),
    ("disruptions", "ends_at", EARLY, Rule.OUT_OF_ORDER),
    ("subscriptions", "status", "paused", Rule.UNKNOWN_VALUE),
    ("subscriptions", "card_expires_on", datetime(2024, 1, 1, 7), Rule.WRONG_TYPE),
    ("usage", "used", "many", Rule.WRONG_TYPE),
    ("usage", "used", -0.5, Rule.OUT_OF_RANGE),
    ("surveys", "nps", 11, Rule.OUT_OF_RANGE),
    ("messages", "channel", "fax", Rule.UNKNOWN_VALUE),
    ("messages", "trigger", "boredom", Rule.UNKNOWN_VALUE),
    ("messages", "propensity", 1.01, Rule.OUT_OF_RANGE),
    ("messages", "propensity", None, Rule.NULL_VALUE),
    ("messages", "cost_cents", -0.1, Rule.NEGATIVE_MONEY),
    ("messages", "cost_cents", float("inf"), Rule.WRONG_TYPE),
    ("outcomes", "message_id", "m99", Rule.UNKNOWN_REFERENCE),
    ("outcomes", "at", EARLY, Rule.OUT_OF_ORDER),
    ("outcomes", "outcome", "read", Rule.UNKNOWN_VALUE),
    ("inbound", "customer_id", "nobody", Rule.UNKNOWN_REFERENCE),
    ("vendors", "whatsapp", 1, Rule.WRONG_TYPE),
]


# A lost id of a customer or a message also changes what other columns can be blamed for.
INDEPENDENT = [
    fault
    for fault in FAULTS
    if fault[:2] not in (("customers", "customer_id"), ("outcomes", "message_id"))
]


def test_find_violations_accepts_clean_tables(clean_tables: Frames) -> None:
    assert set(clean_tables) == set(CONTRACTS)
    assert find_violations(clean_tables, as_of=AS_OF) == []


@pytest.mark.parametrize(
    ("table", "column", "cell", "rule"),
    FAULTS,
    ids=[f"{table}.{column}-{rule}" for table, column, _, rule in FAULTS],
)
def test_find_violations_names_each_fault_alone(
    clean_tables: Frames, table: str, column: str, cell: object, rule: Rule
) -> None:
    clean_tables[table] = with_cell(clean_tables[table], column=column, rows=[7], cell=cell)
    # Changing an id of messages or customers leaves rows that refer to it in the air.
    found = [
        violation
        for violation in find_violations(clean_tables, as_of=AS_OF)
        if (violation.table, violation.column) == (table, column)
    ]
    assert [violation.rule for violation in found] == [rule]
    assert found[0].n_rows == 1
    assert found[0].examples[0].startswith("row 7")


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the frames are not changed
)
@given(data=st.data())
def test_find_violations_finds_planted_rows(clean_tables: Frames, data: st.DataObject) -> None:
    planted = data.draw(
        st.lists(
            st.sampled_from(INDEPENDENT), min_size=1, max_size=4, unique_by=lambda fault: fault[:2]
        )
    )
    names = {"customers", "messages", *(table for table, *_ in planted)}
    tables = {name: clean_tables[name] for name in names}
    expected: dict[Place, list[int]] = {}
    for table, column, cell, rule in planted:
        rows = data.draw(st.lists(st.integers(0, N_ROWS - 1), min_size=1, unique=True))
        tables[table] = with_cell(tables[table], column=column, rows=rows, cell=cell)
        expected[table, column, rule] = sorted(rows)
    found = {
        (violation.table, violation.column, violation.rule): violation
        for violation in find_violations(tables, as_of=AS_OF)
    }
    for place, rows in expected.items():
        assert found[place].n_rows == len(rows)
        starts = [example.split(maxsplit=2)[1].rstrip(":") for example in found[place].examples]
        assert starts == [str(row) for row in rows[:3]]
    assert found.keys() == expected.keys()


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.just([1, 2]),
    st.just({"a": 1}),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the frames are not changed
)
@given(data=st.data())
def test_find_violations_survives_any_column(clean_tables: Frames, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(sorted(CONTRACTS)))
    column = data.draw(st.sampled_from([column.name for column in CONTRACTS[table].columns]))
    junk = data.draw(st.lists(JUNK, min_size=N_ROWS, max_size=N_ROWS))
    other = "vendors" if table != "vendors" else "prices"
    money = "rate_cents" if table != "vendors" else "price_cents"
    tables = {name: clean_tables[name] for name in ("customers", "messages", table, other)}
    tables[table] = tables[table].assign(**{column: pd.Series(junk, dtype="object")})
    tables[other] = with_cell(tables[other], column=money, rows=[3], cell=-1)
    checked = check_tables(tables, as_of=AS_OF)
    assert (other, money, Rule.NEGATIVE_MONEY) in places(checked.violations)
    for kind_of in CONTRACTS[table].columns:
        expected = "boolean" if kind_of.kind is Kind.FLAG else DTYPES[kind_of.kind]
        assert checked.tables[table][kind_of.name].dtype in (expected, DTYPES[kind_of.kind])


def test_find_violations_keeps_faults_of_one_table_apart(clean_tables: Frames) -> None:
    orders = clean_tables["orders"].drop(columns="customer_id")
    orders["order_id"] = "o1"
    orders["amount_cents"] = -5
    orders["ordered_at"] = orders["ordered_at"].dt.tz_localize(None)
    clean_tables["orders"] = orders
    assert places(find_violations(clean_tables, as_of=AS_OF)) == [
        ("orders", "order_id", Rule.DUPLICATE_KEY),
        ("orders", "customer_id", Rule.MISSING_COLUMN),
        ("orders", "ordered_at", Rule.NAIVE_TIME),
        ("orders", "amount_cents", Rule.NEGATIVE_MONEY),
    ]


def test_find_violations_names_the_second_row_of_a_key(clean_tables: Frames) -> None:
    usage = clean_tables["usage"]
    clean_tables["usage"] = pd.concat([usage, usage.iloc[[4]]])
    (violation,) = find_violations(clean_tables)
    assert (violation.column, violation.rule, violation.n_rows) == (
        "customer_id",
        Rule.DUPLICATE_KEY,
        1,
    )
    assert violation.examples == ("row 20 (at=2024-01-05T00:00:00+00:00): customer_id=c4",)


def test_find_violations_blames_a_lost_key_for_nothing_else(clean_tables: Frames) -> None:
    prices = clean_tables["prices"]
    clean_tables["prices"] = prices.assign(at=prices["at"].dt.tz_localize(None))
    assert places(find_violations(clean_tables)) == [("prices", "at", Rule.NAIVE_TIME)]


def test_find_violations_names_a_column_that_is_there_twice(clean_tables: Frames) -> None:
    surveys = clean_tables["surveys"]
    clean_tables["surveys"] = pd.concat([surveys, surveys[["nps"]]], axis="columns")
    assert places(find_violations(clean_tables)) == [("surveys", "nps", Rule.DUPLICATE_COLUMN)]


def test_find_violations_needs_customers_and_tables_referred_to(clean_tables: Frames) -> None:
    outcomes = {"outcomes": clean_tables["outcomes"]}
    assert places(find_violations(outcomes)) == [
        ("customers", "", Rule.MISSING_TABLE),
        ("messages", "", Rule.MISSING_TABLE),
    ]
    customers = {"customers": clean_tables["customers"]}
    assert find_violations(customers) == []
    assert find_violations(customers | {"outcomes": empty_table("outcomes")}) == []


def test_find_violations_accepts_rows_at_as_of_and_outcomes_at_once(clean_tables: Frames) -> None:
    messages = clean_tables["messages"]
    clean_tables["outcomes"]["at"] = messages["sent_at"]
    clean_tables["orders"]["delivered_at"] = clean_tables["orders"]["ordered_at"]
    last = max(
        frame[CONTRACTS[name].moment].max()
        for name, frame in clean_tables.items()
        if CONTRACTS[name].moment
    )
    assert find_violations(clean_tables, as_of=last) == []
    late = find_violations(clean_tables, as_of=last - pd.Timedelta(microseconds=1))
    assert {violation.rule for violation in late} == {Rule.FUTURE_ROW}


def test_check_tables_notes_what_it_does_not_know(clean_tables: Frames) -> None:
    clean_tables["customers"]["shoe_size"] = 42
    checked = check_tables(clean_tables | {"weather": pd.DataFrame({"rain": [1]})})
    assert checked.violations == ()
    assert set(checked.notes) == {Note("weather"), Note("customers", "shoe_size")}
    assert list(checked.tables["customers"])[-1] == "shoe_size"
    assert "weather" not in checked.tables


def test_check_tables_refuses_a_naive_as_of(clean_tables: Frames) -> None:
    with pytest.raises(BadInputError, match="as_of=2024-03-01T00:00:00 has no time zone"):
        check_tables(clean_tables, as_of=datetime(2024, 3, 1))


def test_require_valid_lists_every_violation(clean_tables: Frames) -> None:
    backwards = dict(reversed(clean_tables.items()))
    assert list(require_valid(backwards)) == list(CONTRACTS)
    clean_tables["surveys"] = with_cell(clean_tables["surveys"], column="nps", rows=[2], cell=12)
    clean_tables["prices"] = clean_tables["prices"].drop(columns="price_cents")
    with pytest.raises(TablesRefusedError) as refused:
        require_valid(clean_tables)
    assert str(refused.value).splitlines() == [
        "the tables break their contracts in 2 places:",
        "  surveys.nps: out_of_range in 1 row, expected 0 to 10; row 2 (customer_id=c2): nps=12",
        "  prices.price_cents: missing_column, expected a column: whole cents",
    ]


def test_find_violations_counts_all_rows_and_shows_three(clean_tables: Frames) -> None:
    clean_tables["orders"]["amount_cents"] = -1
    (violation,) = find_violations(clean_tables)
    assert violation.n_rows == N_ROWS
    assert violation.examples[0] == "row 0 (order_id=o0): amount_cents=-1"
    assert len(violation.examples) == 3


def test_find_violations_ignores_the_index(clean_tables: Frames) -> None:
    orders = with_cell(clean_tables["orders"], column="amount_cents", rows=[5], cell=-1)
    clean_tables["orders"] = orders.set_axis(["same"] * N_ROWS)
    (violation,) = find_violations(clean_tables)
    assert violation.examples == ("row 5 (order_id=o5): amount_cents=-1",)


def test_find_violations_leaves_its_input_alone(clean_tables: Frames) -> None:
    orders = with_cell(clean_tables["orders"], column="amount_cents", rows=[5], cell="x")
    before = orders.copy(deep=True)
    find_violations(clean_tables | {"orders": orders})
    pd.testing.assert_frame_equal(orders, before)


@pytest.mark.parametrize("make", [np.float64, np.int64, str])
def test_find_violations_tells_all_rows_from_none(
    clean_tables: Frames, make: Callable[[int], object]
) -> None:
    """An empty table of any dtypes breaks no rule: it has the columns and no bad row."""
    columns = [column.name for column in CONTRACTS["orders"].columns]
    clean_tables["orders"] = pd.DataFrame({name: pd.Series([make(1)])[:0] for name in columns})
    assert find_violations(clean_tables) == []


def test_last_moment_of_empty_tables_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="at least one customer"):
        last_moment({"customers": empty_table("customers")})
