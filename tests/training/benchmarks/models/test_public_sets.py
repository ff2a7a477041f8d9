from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError, SourceUnreadableError
from features.sources.telco import read_telco
from training.benchmarks.models import bank_marketing, cdnow, complete_journey, telco
from training.benchmarks.models.judging import judge_parts, pool_parts
from training.measures import make_auc, make_calibration_error


def draw_calls(n: int = 2_500) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    words = {name: rng.choice(["a", "b"], n) for name in bank_marketing._WORDS}
    numbers = {name: rng.integers(0, 9, n) for name in bank_marketing._NUMBERS}
    economy = {name: np.arange(n) // 100 * 1.0 for name in bank_marketing._ECONOMY}
    p = np.where(words["contact"] == "a", 0.4, 0.1)
    y = np.where(rng.random(n) < p, "yes", "no")
    return pd.DataFrame({**words, **numbers, **economy, "duration": rng.random(n), "y": y})


def test_telco_is_better_than_logistic_regression_where_it_was_published(
    shared_data: Path,
) -> None:
    path = shared_data / telco.FOLDER / "telco_customer_churn.csv.gz"
    parts = telco.judge_shuffles(telco.encode_telco(read_telco(path).tables), seed=0)
    auc = judge_parts(parts, make=make_auc, rng=np.random.default_rng(0))
    assert auc.other.value == pytest.approx(0.849, abs=0.002)  # the published split and figure
    assert auc.ours.value >= 0.849
    assert auc.difference.low > 0
    pooled = pool_parts(parts)
    assert make_calibration_error(pooled.ours, pooled.labels)(np.ones(len(pooled.labels))) < 0.02


def test_telco_columns_say_what_the_customer_had_and_not_whether_they_left(
    shared_data: Path,
) -> None:
    path = shared_data / telco.FOLDER / "telco_customer_churn.csv.gz"
    data = telco.encode_telco(read_telco(path).tables)
    assert data.X.shape == (7_043, len(data.names))
    assert data.labels.sum() == 1_869
    assert {"tenure_days", "mrr_cents", "plan_Two year"} <= set(data.names)
    assert not any("status" in name or "churn" in name.lower() for name in data.names)


def test_calls_are_encoded_without_their_duration() -> None:
    calls = bank_marketing.encode_calls(draw_calls())
    assert not any("duration" in name or name == "y" for name in calls.names)
    assert {"contact_a", "contact_b", "nr.employed"} <= set(calls.names)


def test_plan_is_chosen_without_the_last_fifth() -> None:
    calls = bank_marketing.encode_calls(draw_calls())
    known = np.arange(2_000)
    labels = calls.labels.copy()
    labels[2_000:] = ~labels[2_000:]
    other = bank_marketing.Calls(calls.X, labels, calls.names)
    chosen = bank_marketing.choose_plan(calls, known, seed=0)
    assert chosen in bank_marketing.PLANS
    assert chosen == bank_marketing.choose_plan(other, known, seed=0)


def test_bank_marketing_names_what_a_file_lacks(tmp_path: Path) -> None:
    folder = tmp_path / bank_marketing.FOLDER
    folder.mkdir()
    with pytest.raises(SourceUnreadableError, match="bank-additional-full"):
        bank_marketing.bench_bank_marketing(tmp_path, seeds=[0])
    lacking = draw_calls().drop(columns=["poutcome", "y"])
    lacking.to_csv(folder / "bank-additional-full.csv.gz", sep=";", index=False)
    with pytest.raises(BadInputError, match="lacks poutcome, y"):
        bank_marketing.bench_bank_marketing(tmp_path, seeds=[0])


def test_cdnow_becomes_orders_a_day_and_weekly_histories(tmp_path: Path) -> None:
    path = tmp_path / "master.txt"
    path.write_text(
        " customer_id date cds dollars\n"
        " 00001 19970101 1 11.77\n 00001 19970101 2 1.23\n 00001 19970115 1 5.00\n"
        " 00002 19970108 1 12.00\n 00002 19971105 1 9.00\n"
    )
    tables = cdnow.read_cdnow(path)
    assert tables["orders"]["amount_cents"].tolist() == [1300, 500, 1200, 900]
    moment = datetime(1997, 1, 29, tzinfo=UTC)
    known = cdnow.summarise_purchases(tables, moment=moment)
    np.testing.assert_allclose(known.frequency, [1, 0])
    np.testing.assert_allclose(known.recency, [2, 0])
    np.testing.assert_allclose(known.age, [4, 3])
    ids = ["00001", "00002"]
    within = timedelta(weeks=40)
    assert cdnow._buys(tables, ids, moment=moment, within=within).tolist() == [False, False]
    later = within + timedelta(days=1)
    assert cdnow._buys(tables, ids, moment=moment, within=later).tolist() == [False, True]


def test_cdnow_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadableError, match="CDNOW_master"):
        cdnow.bench_cdnow(tmp_path, seeds=[0])


def test_weekly_baskets_count_a_week_once_and_nothing_from_the_moment_on() -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-20", "2026-02-01"]
    orders = pd.DataFrame(
        {"customer_id": ["a"] * 4, "ordered_at": pd.to_datetime(days, utc=True).as_unit("us")}
    )
    weeks = complete_journey.summarise_weeks(
        {"orders": orders}, moment=np.datetime64("2026-02-01", "us")
    )
    assert weeks.loc["a"].to_dict() == {"frequency": 1.0, "recency": 3.0, "age": 4.0}
