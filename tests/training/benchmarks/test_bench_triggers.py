"""The benches of triggers and of lateness, small."""

from pathlib import Path

import pytest

from features.sources import read_olist
from features.vocabulary import Trigger
from training.benchmarks.olist import build_dataset, judge_lateness
from training.benchmarks.triggers import bench_triggers
from training.lateness import BASELINE, RULE


def test_bench_triggers_finds_cases_of_every_trigger() -> None:
    rows = {row.metric: row for row in bench_triggers(n_customers=30_000)}
    found = {name.removeprefix("cases/") for name in rows if name.startswith("cases/")}
    assert found == set(Trigger) - {Trigger.CHURN_RISK, Trigger.INCIDENT_UPDATE}
    assert rows["cases"].ours == sum(
        row.ours for name, row in rows.items() if name.startswith("cases/")
    )
    assert rows["seconds"].reference is None  # the limit is one of a million customers


def test_olist_is_read_as_it_is(shared_data: Path) -> None:
    tables = read_olist(shared_data / "olist_sample").tables
    orders = tables["orders"]
    assert len(orders) == 22_691
    assert (orders["delivered_at"] > orders["promised_at"]).mean() == pytest.approx(
        0.066, abs=0.002
    )
    assert set(tables["shipments"]["tracking_id"]) <= set(orders["order_id"])


@pytest.mark.slow
def test_lateness_is_foretold_better_than_by_the_promise(shared_data: Path) -> None:
    dataset = build_dataset(read_olist(shared_data / "olist_sample").tables)
    gains = [row for row in judge_lateness(dataset, seed=0) if row.metric == "auc_gain"]
    assert {row.reference_name for row in gains} == {BASELINE, RULE}
    assert all(row.low is not None and row.low > 0 for row in gains)
