"""Small companies of one customer each, and what is found in them."""

from collections.abc import Mapping

import pandas as pd
import pytest

from features.contracts import CONTRACTS
from features.triggers import find_triggers
from tests.features.triggers.scenes import NOW, FindEach, MakeTable, MakeTables, Row, Rows

_NAMES = ("item", "order_id", "tracking_id", "disruption_id", "region", "message_id")


@pytest.fixture(scope="session")
def make_tables(make_table: MakeTable) -> MakeTables:
    """Conformed tables; every row is customer `a`'s where the table has customers."""

    def make(rows: Rows, **customer: object) -> dict[str, pd.DataFrame]:
        tables = {"customers": make_table("customers", {"customer_id": "a", "region": "north"})}
        if customer:
            tables["customers"] = tables["customers"].assign(**customer)
        for name, given in rows.items():
            owned = any(column.name == "customer_id" for column in CONTRACTS[name].columns)
            own = {"customer_id": "a"} if owned else {}
            tables[name] = make_table(name, *({**own, **row} for row in given))
        return tables

    return make


@pytest.fixture(scope="session")
def find_each(make_table: MakeTable) -> FindEach:
    """The cases of every scenario, found in one run: each has a customer and names of its own."""

    def find(scenarios: Mapping[str, Rows], *, timezone: str = "UTC") -> dict[str, pd.DataFrame]:
        frames: dict[str, list[Row]] = {"customers": []}
        for n, rows in enumerate(scenarios.values()):
            own = {"customer_id": f"@{n}", "region": f"north@{n}", "timezone": timezone}
            frames["customers"].append(own)
            for name, given in rows.items():
                columns = {column.name for column in CONTRACTS[name].columns}
                who = {"customer_id": f"@{n}"} if "customer_id" in columns else {}
                for row in given:
                    named = {k: f"{row[k]}@{n}" for k in _NAMES if row.get(k) is not None}
                    frames.setdefault(name, []).append({**who, **row, **named})
        tables = {name: make_table(name, *rows) for name, rows in frames.items()}
        cases = find_triggers(tables, as_of=NOW)
        texts = ["subject", "evidence"]
        each = {}
        for n, label in enumerate(scenarios):
            own_cases = cases.loc[cases["customer_id"] == f"@{n}"].reset_index(drop=True)
            own_cases[texts] = own_cases[texts].replace(f"@{n}", "", regex=True)
            each[label] = own_cases
        return each

    return find
