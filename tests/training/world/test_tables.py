from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.checks import require_valid
from features.contracts import CONTRACTS, DTYPES
from features.sources import write_tables
from features.tables import Tables
from features.triggers import find_triggers
from training.world.simulated import SimulatedWorld


@pytest.fixture(scope="module")
def tables(history: SimulatedWorld) -> Tables:
    return history.tables(history.start)


def test_every_table_keeps_its_contract(history: SimulatedWorld, tables: Tables) -> None:
    assert list(tables) == list(CONTRACTS)
    require_valid(tables, as_of=history.start)
    for name, frame in tables.items():
        assert len(frame) > 0, name
        wanted = {column.name: DTYPES[column.kind] for column in CONTRACTS[name].columns}
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == wanted, name


def test_tables_are_in_order_of_becoming_known(tables: Tables) -> None:
    for name, frame in tables.items():
        known_at = CONTRACTS[name].moment
        assert not known_at or frame[known_at].is_monotonic_increasing, name


def test_tables_survive_being_written(tables: Tables, tmp_path: Path) -> None:
    write_tables(tables, tmp_path)
    again = {name: pd.read_parquet(tmp_path / f"{name}.parquet") for name in tables}
    for name, frame in require_valid(again).items():
        pd.testing.assert_frame_equal(frame, tables[name], obj=name)


def test_activity_is_of_a_moderate_volume(tables: Tables) -> None:
    per_month = len(tables["activity"]) / len(tables["customers"]) / 70 * 30
    assert 15 < per_month < 40
    kinds = {"login", "session", "feature_use", "page_view", "cart_add", "purchase"}
    assert set(tables["activity"]["kind"]) == kinds | {"onboarding_step"}


def test_customers_differ_in_zone_language_and_consent(tables: Tables) -> None:
    customers = tables["customers"]
    assert customers["timezone"].nunique() >= 6
    assert set(customers["language"]) == {"ru", "kk", "en"}
    for channel in ("email", "sms", "push", "in_app", "whatsapp"):
        consent = customers[f"consent_{channel}"]
        assert consent.eq(False).any()
        assert 0 < consent.isna().mean() < 0.1


def test_scanners_click_every_link_at_once_and_people_do_not(tables: Tables) -> None:
    clicks = tables["outcomes"].query("outcome == 'clicked'")
    delay = (clicks["at"] - clicks["message_id"].map(_sent_at(tables))).dt.total_seconds()
    machine = clicks["machine"]
    assert machine.any()
    assert delay[machine].max() < 60
    assert (clicks[machine].groupby("message_id").size() == 3).all()
    assert delay[~machine].median() > 3_600


def test_rules_find_what_is_true_in_the_world(world: SimulatedWorld) -> None:
    n_found, n_true = {}, {}
    for _ in range(4):
        world.advance(world.now + timedelta(hours=13))
        tables = world.tables(world.now)
        last = tables["subscriptions"].drop_duplicates("customer_id", keep="last")
        present = set(last.query("status == 'active'")["customer_id"])
        true = set(zip(*_pairs(world.conditions()), strict=True))
        found = find_triggers(tables, as_of=world.now)
        # Strange logins of the world come from new places; nights are nobody's there.
        found = found[~found["evidence"].str.contains('"signs": "odd hour"')]
        for who, trigger in zip(*_pairs(found[found["customer_id"].isin(present)]), strict=True):
            n_found[trigger] = n_found.get(trigger, 0) + 1
            n_true[trigger] = n_true.get(trigger, 0) + ((who, trigger) in true)
    assert set(n_found) >= {
        "delivery_delay", "payment_failure_risk", "service_disruption", "subscription_limit",
        "order_shipped", "abandoned_cart", "browse_abandonment", "price_drop", "inactivity",
    }  # fmt: skip
    marketing = ("abandoned_cart", "browse_abandonment", "price_drop", "inactivity")
    for trigger in marketing:
        assert n_true[trigger] > 0.95 * n_found[trigger], trigger
    # Problems that have led to a call already are over in the world, not in the tables.
    for trigger in set(n_found) - set(marketing):
        assert n_true[trigger] >= 0.4 * n_found[trigger], trigger


def test_dissatisfaction_shows_before_customers_leave(tables: Tables) -> None:
    subscriptions, end = tables["subscriptions"], pd.Timestamp("2026-03-16", tz="UTC")
    left_at = subscriptions.query("status == 'canceled'").set_index("customer_id")["valid_from"]
    left_at = left_at[left_at > end - pd.Timedelta(days=40)]
    sessions = tables["activity"].query("kind == 'session'")
    before = sessions["customer_id"].map(left_at) - sessions["at"]
    last_week = (before < pd.Timedelta(days=7)).sum()
    weeks_before = ((before > pd.Timedelta(days=35)) & (before < pd.Timedelta(days=42))).sum()
    assert last_week < 0.7 * weeks_before
    worst = tables["surveys"].groupby("customer_id")["nps"].min()
    leaves = worst.index.isin(subscriptions.query("status == 'canceled'")["customer_id"])
    assert worst[leaves].mean() < worst[~leaves].mean() - 1


def _sent_at(tables: Tables) -> pd.Series:
    return tables["messages"].set_index("message_id")["sent_at"]


def _pairs(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    return frame["customer_id"].tolist(), frame["trigger"].tolist()
