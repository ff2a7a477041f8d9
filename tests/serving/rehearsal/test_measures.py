"""Figures of made-up days: what is compared, and what there is none of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.vocabulary import Arm, Trigger
from serving.cli.rows import show_rows
from serving.rehearsal.days import CALLS, COUNTS, PolicyDays
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
    return PolicyDays(policy, "shop", 0, daily, _customers(calls), 1.0)


def _customers(calls: float) -> pd.DataFrame:
    """A hundred of each arm; half could be lost, four fifths of them are retained."""
    number = np.arange(100 * len(Arm))
    in_arm = number % 100
    frame = pd.DataFrame(
        {
            "arm": [list(Arm)[n // 100].value for n in number],
            "could_be_lost": in_arm < 50,
            "retained": in_arm < 40,
        },
        index=[f"c{n}" for n in number],
    )
    frame[CALLS] = 0.0
    frame[Trigger.ORDER_SHIPPED.value] = calls
    return frame


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
    held = learned.customers["arm"] == Arm.HOLDOUT.value
    learned.customers.loc[held, Trigger.ORDER_SHIPPED.value] = [3.0, 5.0] * 50
    rows = _rows(learned, _days("nobody", cents=0.0, messages=0.0, calls=4.0))

    everywhere = rows["fall_of_support_calls"]
    assert (everywhere.ours, everywhere.low, everywhere.high) == pytest.approx((0.25,) * 3)
    assert rows["fall_of_calls_about_order_shipped"].ours == pytest.approx(0.25)
    assert "fall_of_calls_about_delivery_delay" not in rows
    assert rows["fall_of_support_calls_of_holdout"].ours == pytest.approx(0.0)
    for name in ("", "_paired"):
        against = rows[f"fall_of_support_calls_against_holdout{name}"]
        assert against.ours == pytest.approx(0.25)
        assert against.n == 200
        assert against.low is not None
        assert against.high is not None
        assert against.low < 0.25 < against.high


def test_make_rows_sets_retained_customers_beside_themselves() -> None:
    learned = _days("learned", cents=1.0, messages=1.0)
    first = learned.customers.index[learned.customers["arm"] == Arm.LEARNED.value][0]
    learned.customers.loc[first, "retained"] = False
    rows = _rows(
        learned,
        _days("rules", cents=1.0, messages=1.0),
        _days("nobody", cents=0.0, messages=0.0),
    )

    assert rows["gain_of_retained_of_rules"].ours == 0.0
    assert rows["retained"].ours == pytest.approx(0.78)
    assert rows["retained"].reference == pytest.approx(0.8)
    gain = rows["gain_of_retained"]
    assert (gain.ours, gain.n) == (pytest.approx(-0.02), 50)
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low < -0.02 < gain.high


def test_make_rows_pools_the_customers_of_all_worlds() -> None:
    """The same names in two worlds are different customers."""
    found = [
        replace(_days(policy, cents=1.0, messages=1.0, calls=calls), seed=seed)
        for seed, left in ((0, 3.0), (1, 1.0))
        for policy, calls in (("learned", left), ("nobody", 4.0))
    ]
    fall = _rows(*found)["fall_of_support_calls"]

    assert fall.ours == pytest.approx(0.5)
    assert fall.n == 200
    assert fall.low is not None
    assert fall.low < 0.48
