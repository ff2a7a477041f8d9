from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables
from training.monitoring.columns import ColumnProfile
from training.monitoring.missing import (
    TableProfile,
    find_nulls,
    find_silence,
    find_thinning,
    profile_tables,
)
from training.monitoring.status import Status

MADE = datetime(2026, 5, 1, tzinfo=UTC)
NOW = MADE + timedelta(days=30)


def make_tickets(*, until: datetime, per_day: int = 20, seed: int = 1) -> Tables:
    rng = np.random.default_rng(seed)
    n_days = 180 + (until - MADE).days
    hours = np.sort(rng.uniform(0, 24 * n_days, size=per_day * n_days))
    at = pd.Timestamp(MADE - timedelta(days=180)) + pd.to_timedelta(hours, unit="h").as_unit("us")
    return {"tickets": pd.DataFrame({"opened_at": at.as_unit("us")})}


@pytest.fixture
def profile() -> TableProfile:
    (found,) = profile_tables(make_tickets(until=MADE), names=["tickets", "usage"], until=MADE)
    return found


def test_table_that_stopped_is_an_alarm_with_the_age_of_its_last_row(profile: TableProfile) -> None:
    stopped = make_tickets(until=NOW - timedelta(days=12))
    found = find_silence(profile, stopped, as_of=NOW)

    assert found.status is Status.ALARM
    assert found.subject == "tickets"
    assert found.value == pytest.approx(12.0, abs=0.5)
    assert "12." in found.words or "11." in found.words


def test_table_that_is_gone_is_an_alarm(profile: TableProfile) -> None:
    assert find_silence(profile, {}, as_of=NOW).status is Status.ALARM


def test_table_that_was_silent_all_the_time_may_go_on_so() -> None:
    rows = make_tickets(until=MADE)["tickets"]
    old = {"tickets": rows[rows["opened_at"] < pd.Timestamp(MADE - timedelta(days=150))]}
    (silent,) = profile_tables(old, names=["tickets"], until=MADE)

    assert silent.longest_gap_days == pytest.approx(150.0, abs=0.5)
    assert find_silence(silent, old, as_of=NOW).status is Status.OK


@pytest.mark.parametrize("seed", range(5))
def test_table_that_keeps_coming_is_fine(profile: TableProfile, seed: int) -> None:
    tables = make_tickets(until=NOW, seed=seed)
    thin = find_thinning(profile, tables, as_of=NOW)

    assert find_silence(profile, tables, as_of=NOW).status is Status.OK
    assert thin is not None
    assert thin.status is Status.OK


def test_table_that_brings_a_third_of_its_rows_is_an_alarm(profile: TableProfile) -> None:
    rows = make_tickets(until=NOW)["tickets"]
    late = (rows["opened_at"] >= MADE) & (np.arange(len(rows)) % 3 > 0)
    found = find_thinning(profile, {"tickets": rows[~late]}, as_of=NOW)

    assert found is not None
    assert found.status is Status.ALARM


def test_small_table_is_not_called_thin() -> None:
    tables = make_tickets(until=MADE, per_day=1)
    (small,) = profile_tables(tables, names=["tickets"], until=MADE)

    assert find_thinning(small, tables, as_of=NOW) is None


@pytest.mark.parametrize(
    ("share", "status"), [(0.10, Status.OK), (0.18, Status.WATCH), (0.6, Status.ALARM)]
)
def test_nulls_beyond_those_of_any_block_are_found(share: float, status: Status) -> None:
    rng = np.random.default_rng(6)
    blocks = np.repeat(np.arange(8), 1_000)
    before = np.where(rng.random(8_000) < 0.1, np.nan, 1.0)
    profile = ColumnProfile.of("nps", before, blocks=blocks)
    now = np.where(np.arange(2_000) < share * 2_000, np.nan, 1.0)

    found = find_nulls(profile, now, stretched=1.0)
    assert found.status is status
    assert "nps" in found.words
