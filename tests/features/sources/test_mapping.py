"""Their tables through a mapping: what is wrong with it, and what comes out."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.checks import Rule
from features.errors import ConfigurationError, SourceUnreadableError, TablesRefusedError
from features.sources import check_source, fetch_to_files, open_source, read_tables
from features.sources.mapping import read_mapping

CUSTOMERS = (
    "id,created,lang,tz,channels\n"
    '1,2024-01-01 10:00:00,en,Asia/Almaty,"email,sms"\n'
    "2,2024-03-31 02:30:00,ru,Europe/Berlin,push\n"
    "3,2024-10-27 02:30:00,kk,Europe/Berlin,\n"
)
CUSTOMERS_MAPPING = """
zone: Europe/Berlin
tables:
  customers:
    from: users
    columns:
      customer_id: id
      signed_up_at: created
      language: lang
      timezone: tz
      consent_email: {from: channels, has: email}
      consent_sms: {from: channels, has: sms}
      consent_push: {from: channels, has: push}
      consent_in_app: {value: false}
      consent_whatsapp: {from: channels, has: whatsapp, missing: false}
"""


def make_folder(folder: Path, mapping: str, *, customers: bool = True, **files: str) -> Path:
    """A folder of CSV files of theirs with a mapping."""
    text = mapping
    if customers:
        (folder / "users.csv").write_text(CUSTOMERS)
        text = CUSTOMERS_MAPPING + mapping
    (folder / "opportune.yaml").write_text(text)
    for name, rows in files.items():
        (folder / f"{name}.csv").write_text(rows)
    return folder


def test_read_tables_reads_customers_through_the_mapping_of_the_folder(tmp_path: Path) -> None:
    customers = read_tables(make_folder(tmp_path, ""))["customers"]
    assert customers["customer_id"].to_list() == ["1", "2", "3"]
    # The clock of Berlin has no 2:30 on the last Sunday of March, and two in October.
    assert [moment.isoformat() for moment in customers["signed_up_at"]] == [
        "2024-01-01T09:00:00+00:00",
        "2024-03-31T01:00:00+00:00",
        "2024-10-27T01:30:00+00:00",
    ]
    consents = customers.filter(regex="^consent_").astype("object").to_numpy().tolist()
    assert consents[0] == [True, True, False, False, False]
    assert consents[1] == [False, False, True, False, False]
    assert consents[2] == [pd.NA, pd.NA, pd.NA, False, False]


def test_read_mapping_names_every_fault_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(
        "zone: Mars/Olympus\n"  # 1
        "tabels: {}\n"
        "rates: {USD: {2024-01-01: -1}}\n"
        "tables:\n"
        "  order:\n"  # 5
        "    from: shop_orders\n"
        "  orders:\n"
        "    columns:\n"
        "      orderid: id\n"
        "      ordered_at: {from: at, unit: fortnights}\n"  # 10
        "      amount_cents: {from: total, mony: units}\n"
        "      tracking_id: {from: t, unit: seconds}\n"
        "      delivered_at: {from: a, value: b}\n"
        "  tickets:\n"
        "    columns:\n"  # 15
        "      escalated: 7\n"
    )
    with pytest.raises(ConfigurationError) as wrong:
        read_mapping(path)
    faults = [line.removeprefix(f"  {path}:") for line in str(wrong.value).splitlines()[1:]]
    assert [fault.split(": ", 2)[:2] for fault in faults] == [
        ["1", "zone"],
        ["2", "tabels"],
        ["3", "rates"],
        ["5", "tables.order"],
        ["9", "tables.orders.columns.orderid"],
        ["10", "tables.orders.columns.ordered_at.unit"],
        ["11", "tables.orders.columns.amount_cents.mony"],
        ["12", "tables.orders.columns.tracking_id.unit"],
        ["13", "tables.orders.columns.delivered_at"],
        ["16", "tables.tickets.columns.escalated"],
    ]
    assert "did you mean tables?" in faults[1]
    assert "did you mean orders?" in faults[3]
    assert "did you mean order_id?" in faults[4]
    assert "did you mean money?" in faults[6]
    assert "has no meaning for tracking_id, which is of kind text" in faults[7]
    assert "either `from`, a column of theirs, or `value`" in faults[8]
    assert "7: expected a name, or words such as {from: name}" in faults[9]


def test_open_source_names_every_column_of_theirs_that_is_not_there(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path,
        "  orders:\n    from: Orders\n  usage: {columns: {used: ussed, at: when}}\n",
        orders="order_id\n1\n",
        usage="customer_id,at,used\n",
    )
    with pytest.raises(SourceUnreadableError) as missing:
        open_source(folder)
    assert str(missing.value).splitlines()[1:] == [
        "  tables.orders: no table Orders; did you mean orders?",
        "  tables.usage.columns.used: usage has no column ussed; did you mean used?",
        "  tables.usage.columns.at: usage has no column when; there is customer_id, at, used",
    ]


TIMES = [
    ("{from: t, unit: seconds}", "1704103200", "2024-01-01T10:00:00+00:00"),
    ("{from: t, unit: seconds}", "1704103200.5", "2024-01-01T10:00:00.500000+00:00"),
    ("{from: t, unit: milliseconds}", "1704103200001", "2024-01-01T10:00:00.001000+00:00"),
    ("{from: t, unit: microseconds}", "1704103200000001", "2024-01-01T10:00:00.000001+00:00"),
    ("{from: t, unit: nanoseconds}", "1704103200000001999", "2024-01-01T10:00:00.000001+00:00"),
    ("{from: t, format: '%d.%m.%Y %H:%M'}", "01.02.2024 10:00", "2024-02-01T09:00:00+00:00"),
    ("{from: t, format: '%d.%m.%Y %H:%M %z'}", "01.02.2024 10:00 +0500",
     "2024-02-01T05:00:00+00:00"),
    ("{from: t, zone: Asia/Almaty}", "2024-01-01T10:00:00", "2024-01-01T04:00:00+00:00"),
    ("{from: t, zone: Asia/Almaty}", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00+00:00"),
    ("{from: t, end_of_day: true}", "2024-01-05", "2024-01-05T22:59:59.999999+00:00"),
    ("{from: t, values: {never: '2024-01-01T00:00Z'}}", "never", "2024-01-01T00:00:00+00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "cell", "moment"), TIMES)
def test_read_tables_reads_times_as_the_mapping_says(
    tmp_path: Path, words: str, cell: str, moment: str
) -> None:
    mapping = f"  usage: {{columns: {{customer_id: c, at: {words}}}}}\n"
    folder = make_folder(tmp_path, mapping, usage=f"c,t,used\n1,{cell},5\n")
    assert read_tables(folder)["usage"]["at"][0].isoformat() == moment


def test_check_source_shows_what_a_mapping_could_not_read(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path,
        "  usage: {columns: {at: {from: at, format: '%d.%m.%Y'}, used: {from: u, decimal: ','}}}\n",
        usage='customer_id,at,u\n1,32.01.2024,"1,5"\n1,01.02.2024,much\n',
    )
    violations = check_source(open_source(folder)).violations
    assert [(v.column, v.rule, v.examples) for v in violations] == [
        ("at", Rule.WRONG_TYPE, ("row 0 (customer_id=1): at=32.01.2024",)),
        (
            "used",
            Rule.WRONG_TYPE,
            ("row 1 (customer_id=1, at=2024-01-31T23:00:00+00:00): used=much",),
        ),
    ]


MONEY = """
currency: EUR
rates:
  USD: {2024-01-01: 0.9, 2024-01-10: 0.8}
tables:
  orders:
    columns:
      order_id: id
      ordered_at: at
      amount_cents: {from: total, money: units, currency: {from: cur}}
"""


def money_folder(folder: Path, orders: str, mapping: str = MONEY) -> Path:
    head, _, tables = mapping.partition("tables:\n")
    text = CUSTOMERS_MAPPING.replace("tables:\n", f"{head}tables:\n", 1) + tables
    return make_folder(folder, text, customers=False, users=CUSTOMERS, orders=orders)


def test_read_tables_converts_money_exactly_half_to_even(tmp_path: Path) -> None:
    orders = (
        "id,customer_id,at,total,cur\n"
        "1,1,2024-01-01T05:00Z,1.005,EUR\n"  # 100.5 cents
        "2,1,2024-01-01T05:00Z,1.015,EUR\n"  # 101.5 cents
        "3,1,2024-01-02T05:00Z,10.05,USD\n"  # 904.5 cents
        "4,1,2024-01-10T05:00Z,10.05,USD\n"  # the new rate: 804 cents
        "5,1,2024-01-17T05:00Z,0.29,USD\n"  # the seventh day of it
    )
    read = read_tables(money_folder(tmp_path, orders))["orders"]
    assert read["amount_cents"].to_list() == [100, 102, 904, 804, 23]


def test_check_source_names_rows_without_a_rate(tmp_path: Path) -> None:
    orders = (
        "id,customer_id,at,total,cur\n"
        "1,1,2023-12-31T05:00Z,1,USD\n"  # before the first rate
        "2,1,2024-01-09T05:00Z,1,USD\n"  # the eighth day of it
        "3,1,2024-01-02T05:00Z,12.50,KZT\n"
        "4,1,2024-01-02T05:00Z,1,USD\n"
        "5,1,2024-01-02T05:00Z,1,\n"
    )
    (violation,) = check_source(open_source(money_folder(tmp_path, orders))).violations
    assert (violation.column, violation.rule, violation.n_rows) == (
        "amount_cents",
        Rule.WRONG_TYPE,
        4,
    )
    assert violation.examples == (
        "row 0 (order_id=1): amount_cents=1 USD of 2023-12-31",
        "row 1 (order_id=2): amount_cents=1 USD of 2024-01-09",
        "row 2 (order_id=3): amount_cents=12.50 KZT of 2024-01-02",
    )
    assert violation.hint == "the mapping's rates have none for USD on 2023-12-31"


def test_check_source_refuses_several_currencies_without_rates(tmp_path: Path) -> None:
    mapping = MONEY.replace("rates:\n  USD: {2024-01-01: 0.9, 2024-01-10: 0.8}\n", "")
    orders = (
        "id,customer_id,at,total,cur\n1,1,2024-01-02T05:00Z,1,EUR\n2,1,2024-01-02T05:00Z,1,USD\n"
    )
    (violation,) = check_source(open_source(money_folder(tmp_path, orders, mapping))).violations
    assert violation.examples == ("row 1 (order_id=2): amount_cents=1 USD of 2024-01-02",)


def test_read_tables_takes_rates_from_a_file(tmp_path: Path) -> None:
    mapping = MONEY.replace(
        "rates:\n  USD: {2024-01-01: 0.9, 2024-01-10: 0.8}\n", "rates: fx.csv\n"
    )
    (tmp_path / "fx.csv").write_text("currency,day,rate\nUSD,2024-01-01,0.5\n")
    orders = "id,customer_id,at,total,cur\n1,1,2024-01-02T05:00Z,3,USD\n"
    assert read_tables(money_folder(tmp_path, orders, mapping))["orders"]["amount_cents"][0] == 150


SUBSCRIPTIONS = """
  subscriptions:
    from: contracts
    ended_at: {from: until}
    columns:
      customer_id: customer
      valid_from: since
      plan: product
      mrr_cents: {from: price, money: units}
      upsell_shown: {value: false}
"""


def test_read_tables_makes_periods_rows_that_hold_from_a_moment_on(tmp_path: Path) -> None:
    contracts = (
        "customer,since,until,product,price,status\n"
        "1,2024-01-01T00:00Z,2024-02-01T00:00Z,small,9.99,ended\n"  # goes on as the next
        "1,2024-02-01T00:00Z,2024-03-01T00:00Z,large,19.99,ended\n"  # canceled
        "2,2024-01-01T00:00Z,9999-12-31T00:00Z,small,9.99,running\n"  # for ever
        "3,2024-01-01T00:00Z,2024-06-01T00:00Z,small,9.99,running\n"  # not yet ended
    )
    folder = make_folder(tmp_path, SUBSCRIPTIONS, contracts=contracts)
    read = read_tables(folder, until=datetime(2024, 5, 1, tzinfo=UTC))["subscriptions"]
    rows = read[["customer_id", "valid_from", "plan", "mrr_cents", "status"]]
    assert [
        (row.customer_id, row.valid_from.strftime("%m-%d"), row.plan, row.mrr_cents, row.status)
        for row in rows.itertuples()
    ] == [
        ("1", "01-01", "small", 999, "active"),
        ("1", "02-01", "large", 1999, "active"),
        ("2", "01-01", "small", 999, "active"),
        ("3", "01-01", "small", 999, "active"),
        ("1", "03-01", "large", 1999, "canceled"),
    ]


def test_read_tables_ends_nobody_who_has_another_subscription(tmp_path: Path) -> None:
    contracts = (
        "customer,since,until,product,price\n"
        "1,2024-01-01T00:00Z,2024-02-01T00:00Z,small,1\n"
        "1,2024-01-15T00:00Z,,large,2\n"  # begins before the other ends
        "2,2024-01-01T00:00Z,2024-03-01T00:00Z,small,1\n"
        "2,2024-01-15T00:00Z,2024-03-01T00:00Z,large,2\n"  # both end: one cancellation
    )
    read = read_tables(make_folder(tmp_path, SUBSCRIPTIONS, contracts=contracts))["subscriptions"]
    canceled = read[read["status"] == "canceled"]
    assert canceled[["customer_id", "plan"]].to_numpy().tolist() == [["2", "large"]]


def test_an_end_that_is_no_time_or_too_early_is_refused_by_its_value(tmp_path: Path) -> None:
    contracts = (
        "customer,since,until,product,price\n"
        "1,2024-01-05T00:00Z,05.02.2024,small,1\n"  # 5 February or 2 May
        "2,2024-01-05T00:00Z,Feb 3rd-ish,small,1\n"
        "3,2024-01-05T00:00Z,2024-01-01T00:00Z,small,1\n"
    )
    checked = check_source(open_source(make_folder(tmp_path, SUBSCRIPTIONS, contracts=contracts)))
    (violation,) = checked.violations
    assert (violation.column, violation.rule) == ("valid_from", Rule.WRONG_TYPE)
    assert [text.rsplit("valid_from=", 1)[1] for text in violation.examples] == [
        "05.02.2024",
        "Feb 3rd-ish",
        "2024-01-01 00:00:00+00:00, before it began",
    ]


def test_a_subscription_that_ended_when_it_began_is_none(tmp_path: Path) -> None:
    contracts = (
        "customer,since,until,product,price\n"
        "1,2024-01-05T00:00Z,2024-01-05T00:00Z,small,1\n"
        "2,2024-01-01T00:00Z,,large,1\n"
        "2,2024-01-05T00:00Z,2024-01-05T00:00Z,small,1\n"  # the other goes on
    )
    read = read_tables(make_folder(tmp_path, SUBSCRIPTIONS, contracts=contracts))["subscriptions"]
    assert read[["customer_id", "plan", "status"]].to_numpy().tolist() == [
        ["2", "large", "active"],
        ["1", "small", "canceled"],
    ]


def test_an_amount_beyond_all_reckoning_is_named_as_it_is(tmp_path: Path) -> None:
    orders = "id,customer_id,at,total,cur\n1,1,2024-01-02T05:00Z,1e30,EUR\n"
    (violation,) = check_source(open_source(money_folder(tmp_path, orders))).violations
    assert violation.examples == ("row 0 (order_id=1): amount_cents=1e30",)


@pytest.mark.parametrize(
    ("live", "values"),
    [
        ([True, False], "{true: active, false: canceled}"),
        (["True", "FALSE"], "{true: active, false: canceled}"),
        ([1.0, 2.0], "{1: active, 2: canceled}"),
    ],
)
def test_values_are_found_however_a_cell_writes_them(
    live: list[object], values: str, tmp_path: Path
) -> None:
    mapping = f"""
  subscriptions:
    from: contracts
    columns:
      valid_from: since
      plan: {{value: small}}
      mrr_cents: {{value: 100}}
      status: {{from: live, values: {values}}}
      upsell_shown: {{value: false}}
"""
    folder = make_folder(tmp_path, mapping)
    since = pd.to_datetime(["2024-01-02T05:00Z"] * 2)
    frame = pd.DataFrame({"customer_id": ["1", "2"], "since": since, "live": live})
    frame.to_parquet(folder / "contracts.parquet")
    assert read_tables(folder)["subscriptions"]["status"].to_list() == ["active", "canceled"]


def test_read_tables_reads_versions_as_corrections(tmp_path: Path) -> None:
    mapping = """
  orders:
    from: order_history
    columns: {order_id: id, ordered_at: at, amount_cents: cents, known_at: updated_at}
"""
    history = (
        "id,customer_id,at,cents,updated_at\n"
        "7,1,2024-01-02T05:00Z,100,2024-01-02T05:00Z\n"
        "7,1,2024-01-02T05:00Z,80,2024-01-09T05:00Z\n"
    )
    orders = read_tables(make_folder(tmp_path, mapping, order_history=history))["orders"]
    assert orders["amount_cents"].to_list() == [100, 80]


def test_read_tables_reads_flags_ids_and_marks_of_thousands(tmp_path: Path) -> None:
    mapping = """
  tickets:
    columns: {ticket_id: n, escalated: {from: e, missing: no, values: {yes: true, ja: true}}}
  usage: {columns: {at: t, used: {from: used, thousands: ' ', decimal: ','}}}
"""
    folder = make_folder(
        tmp_path,
        mapping,
        tickets="n,customer_id,opened_at,e\n 01 ,1,2024-01-02T05:00Z,Y\n2,1,2024-01-02T05:00Z,0\n"
        "3,1,2024-01-02T05:00Z,\n4,1,2024-01-02T05:00Z,ja\n",
        usage='customer_id,t,used\n1,2024-01-02T05:00Z,"1 234,5"\n',
    )
    tables = read_tables(folder)
    assert tables["tickets"]["ticket_id"].to_list() == ["01", "2", "3", "4"]
    assert tables["tickets"]["escalated"].to_list() == [True, False, False, True]
    assert tables["usage"]["used"].to_list() == [1234.5]


def test_read_tables_reads_whole_floats_as_ids(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "  usage: {columns: {customer_id: who}}\n")
    at = pd.to_datetime(["2024-01-02T05:00Z"] * 2)
    frame = pd.DataFrame({"who": [1.0, 3.0], "at": at, "used": [1, 2]})
    frame.to_parquet(tmp_path / "usage.parquet")
    assert read_tables(folder)["usage"]["customer_id"].to_list() == ["1", "3"]


def test_read_tables_reads_whole_floats_of_texts_as_ids(tmp_path: Path) -> None:
    usage = "who,at,used\n1.0,2024-01-02T05:00Z,1\n3.0,2024-01-02T05:00Z,2\n"
    folder = make_folder(tmp_path, "  usage: {columns: {customer_id: who}}\n", usage=usage)
    assert read_tables(folder)["usage"]["customer_id"].to_list() == ["1", "3"]


def test_fetch_to_files_writes_what_the_mapping_reads(tmp_path: Path) -> None:
    contracts = (
        "customer,since,until,product,price\n1,2024-01-01T00:00Z,2024-03-01T00:00Z,small,1\n"
    )
    folder = make_folder(tmp_path, SUBSCRIPTIONS, contracts=contracts)
    files = fetch_to_files(open_source(folder), tmp_path / "out")
    whole = read_tables(folder)
    assert set(files) == set(whole) == {"customers", "subscriptions"}
    read = read_tables(tmp_path / "out")
    for name in whole:
        ours = [column for column in whole[name] if column in read[name]]
        pd.testing.assert_frame_equal(read[name], whole[name][ours])


def test_fetch_to_files_leaves_nothing_where_tables_are_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "", usage="customer_id,at,used\n9,2024-01-02T05:00Z,1\n")
    with pytest.raises(TablesRefusedError, match=r"usage\.customer_id: unknown_reference"):
        fetch_to_files(open_source(folder), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
