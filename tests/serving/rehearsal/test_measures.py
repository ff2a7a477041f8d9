"""Figures of made-up days: what is compared, and what there is none of."""

import pandas as pd
import pytest

from features.vocabulary import Arm
from serving.cli.rows import show_rows
from serving.rehearsal.days import COUNTS, PolicyDays
from serving.rehearsal.measures import group_worlds, make_rows
from training.benchmarks.rows import BenchRow

N_DAYS, LAST_DAYS = 4, 2
N_IN_ARM = 10


def _days(policy: str, *, cents: float, messages: float, calls: float = 0.0) -> PolicyDays:
    """The same on every day and in every arm; nothing counts on the first days but a burst."""
    arms = [arm.value for arm in Arm]
    index = pd.MultiIndex.from_product([range(N_DAYS), arms], names=["day", "arm"])
    daily = pd.DataFrame(0.0, index=index, columns=["customers", *COUNTS])
    daily["customers"] = N_IN_ARM
    daily["value_cents"], daily["messages"], daily["support_calls"] = cents, messages, calls
    daily.loc[0, "value_cents"] = 1e6  # of no day that ratios are about
    customers = pd.DataFrame(
        {
            "everybody": 100.0,
            "could_be_lost": 50.0,
            "retained": 40.0,
            "calls": 100.0 * calls,
            "calls_squared": 100.0 * calls * (calls + 1.0),
        },
        index=arms,
    )
    customers.index.name = "arm"
    return PolicyDays(policy, "shop", 0, daily, customers, 1.0)


def _rows(*found: PolicyDays) -> dict[str, BenchRow]:
    (worlds,) = group_worlds(found, last_days=LAST_DAYS)
    return {row.metric: row for row in make_rows(worlds)}


def test_make_rows_compares_the_last_days() -> None:
    rows = _rows(
        _days("learned", cents=17.0, messages=1.0),
        _days("rules", cents=10.0, messages=20.0),
        _days("oracle", cents=20.0, messages=2.0),
    )

    assert rows["net_value"].ours == pytest.approx(1.7)
    assert rows["ratio_to_rules"].ours == pytest.approx(1.7)
    assert rows["ratio_to_oracle"].ours == pytest.approx(0.85)
    assert rows["regret_to_oracle"].ours == pytest.approx(0.3)
    assert rows["messages"].ratio == pytest.approx(0.05)


def test_make_rows_has_no_ratio_to_a_policy_that_loses(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _rows(
        _days("learned", cents=-1.0, messages=1.0),
        _days("rules", cents=-30.0, messages=20.0),
    )
    show_rows("rehearse", list(rows.values()), as_json=False)
    shown = capsys.readouterr().out

    assert rows["net_value"].ratio is None
    assert rows["gain_over_rules"].ours == pytest.approx(2.9)
    assert rows["ratio_to_rules"].n == 0
    assert "none" in shown
    assert "nan" not in shown


def test_make_rows_sets_calls_beside_nobody_and_holdout() -> None:
    learned = _days("learned", cents=1.0, messages=1.0, calls=3.0)
    learned.customers.loc[Arm.HOLDOUT.value, ["calls", "calls_squared"]] = [400.0, 1900.0]
    rows = _rows(learned, _days("nobody", cents=0.0, messages=0.0, calls=4.0))

    assert rows["fall_of_support_calls"].ours == pytest.approx(0.25)
    against = rows["fall_of_support_calls_against_holdout"]
    assert against.ours == pytest.approx(0.25)
    assert against.low is not None
    assert against.high is not None
    assert against.low < 0.25 < against.high
