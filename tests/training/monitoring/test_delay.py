from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables
from training.monitoring.delay import (
    DelayProfile,
    find_slowness,
    profile_delays,
    read_delays,
    share_pending,
)
from training.monitoring.status import Status

MADE = datetime(2026, 5, 1, tzinfo=UTC)
NOW = MADE + timedelta(days=40)


def make_log(seed: int, *, times: float) -> Tables:
    """Forty messages a day, a third opened after about five hours; `times` that since MADE."""
    rng = np.random.default_rng(seed)
    n = 40 * 160
    sent = pd.Timestamp(NOW) - pd.to_timedelta(rng.uniform(0, 160 * 24, n), unit="h")
    hours = rng.lognormal(np.log(5.0), 1.2, n) * np.where(sent >= MADE, times, 1.0)
    ids = np.array([f"m{i}" for i in range(n)])
    opened = (np.arange(n) % 3 == 0) & (sent + pd.to_timedelta(hours, unit="h") < NOW)
    at = (sent + pd.to_timedelta(hours, unit="h")).as_unit("us")
    return {
        "messages": pd.DataFrame({"message_id": ids, "sent_at": sent.as_unit("us")}),
        "outcomes": pd.DataFrame(
            {
                "message_id": ids[opened],
                "outcome": "opened",
                "at": at[opened],
                "machine": False,
            }
        ),
    }


def profile_of(tables: Tables) -> DelayProfile:
    (profile,) = profile_delays(tables, until=MADE)
    return profile


@pytest.mark.parametrize("seed", range(6))
def test_doubled_delays_are_found_and_usual_ones_are_not(seed: int) -> None:
    since = NOW - timedelta(days=28)
    usual, doubled = make_log(seed, times=1.0), make_log(seed, times=2.0)
    profile = profile_of(usual)

    fine = find_slowness(profile, read_delays(usual, since=since, until=NOW))
    slow = find_slowness(profile, read_delays(doubled, since=since, until=NOW))
    assert fine is not None
    assert fine.status is Status.OK
    assert slow is not None
    assert slow.status is Status.ALARM
    assert "slower" in slow.words


def test_delays_of_messages_whose_window_is_open_do_not_count() -> None:
    tables = make_log(7, times=1.0)
    delays = read_delays(tables, since=NOW - timedelta(days=28), until=NOW)
    everything = tables["outcomes"].merge(tables["messages"], on="message_id")
    recent = everything[everything["sent_at"] >= NOW - timedelta(days=2)]
    quick = (recent["at"] - recent["sent_at"]).dt.total_seconds() / 3600

    assert delays["sent_at"].max() <= pd.Timestamp(NOW - timedelta(days=7))
    assert quick.median() < 0.9 * delays["hours"].median()  # what the naive way would report


def test_pending_are_young_messages_of_which_nothing_was_heard() -> None:
    tables = make_log(8, times=1.0)
    pending = share_pending(tables, as_of=NOW)

    assert pending is not None
    assert 0.13 < pending < 0.2  # two thirds of a quarter: the others were opened
    assert share_pending({}, as_of=NOW) is None
