from pathlib import Path

import numpy as np
import pytest

from training.benchmarks.models import world_send_time
from training.benchmarks.models.open_hours import read_opens, split_opens
from training.benchmarks.models.world_send_time import ChosenHours, bench_world_send_time


def test_shares_are_of_the_best_value_and_of_the_best_gain() -> None:
    chosen = ChosenHours(
        best=np.array([0.3, 0.5]),
        even=np.array([0.1, 0.3]),
        by_choice={"half": np.array([0.2, 0.4]), "none": np.array([0.1, 0.3])},
    )
    assert chosen.share_of_value("half") == pytest.approx(0.75)
    assert chosen.share_of_gain("half", over=chosen.even) == pytest.approx(0.5)
    assert chosen.share_of_gain("none", over=chosen.even) == pytest.approx(0.0)
    assert chosen.share_of_value("half", weights=np.array([1.0, 0.0])) == pytest.approx(2 / 3)


def test_world_bench_puts_ours_before_the_naive_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_send_time, "N_CUSTOMERS", 600)
    monkeypatch.setattr(world_send_time, "DAYS", 120)
    rows = {row.metric: row for row in bench_world_send_time(seeds=[1])}
    assert {row.case for row in rows.values()} == {"world_send_time"}
    assert all(row.reference == 1.0 for row in rows.values() if row.unit == "share")
    assert rows["slots.cents_ours"].ours > rows["slots.cents_evenly"].ours
    value = rows["value_share"]
    assert value.low is not None
    assert value.high is not None
    assert value.low < value.ours < value.high < 1.0
    assert value.ours > rows["value_share_customer_only"].ours
    assert value.ours > rows["value_share_population_only"].ours
    gain = rows["gain_over_even_share"]
    assert gain.ours > rows["gain_over_even_share_customer_only"].ours


def test_opens_of_dito_are_those_of_its_readme_and_split_by_recipient(shared_data: Path) -> None:
    opens = read_opens(shared_data / "dito_email_opens")
    assert len(opens) == 85_505
    learned, judged = split_opens(opens, rng=np.random.default_rng(1))
    assert not set(learned.customers) & set(judged.customers)
    total = sum(week.before.sum() + week.after.sum() for week in (learned, judged))
    assert total == 85_505
    assert learned.before.sum() / total == pytest.approx(0.25, abs=0.02)
