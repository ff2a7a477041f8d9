"""A small shop whose truth is known, and one MLflow store for tests that only add to it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.checks import require_valid
from features.tables import Tables
from training.registry.tracking import Tracking
from training.train import Trainings, train_all

START = datetime(2026, 1, 1, tzinfo=UTC)
N_DAYS = 210
P_OPEN = {"email": 0.2, "sms": 0.2, "push": 0.1}
P_CONVERT = {"email": 0.06, "sms": 0.03, "push": 0.02}


@pytest.fixture(scope="session")
def shop_end() -> datetime:
    """The moment until which the shop is known."""
    return START + timedelta(days=N_DAYS)


@pytest.fixture(scope="session")
def shop_tables() -> Tables:
    """700 customers over 210 days.

    Customers come at their own pace, every other one only in the evening, until they are lost all
    of a sudden: so the same silence means little of a slow one and much of a fast one. Messages
    go to a random channel every ten days, and what comes of them depends on the channel alone
    (`P_OPEN`, `P_CONVERT`), but for opens by SMS of the older half, which are three times as
    likely.
    """
    rng = np.random.default_rng(20260101)
    n = 700
    ids = np.array([f"c{i:04d}" for i in range(n)])
    pace = rng.lognormal(np.log(0.15), 1.3, size=n)
    lost_on = rng.exponential(300.0, size=n)
    is_evening, is_old = np.arange(n) % 2 == 0, np.arange(n) % 4 < 2
    activity = _make_activity(ids, pace, lost_on, is_evening, rng)
    messages, outcomes = _make_messages(ids, is_old, rng)
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "signed_up_at": pd.Timestamp(START)
            - pd.to_timedelta(np.where(is_old, 400, 30), unit="D"),
            "language": "en",
            "timezone": "UTC",
            **{f"consent_{channel}": True for channel in (*P_OPEN, "in_app", "whatsapp")},
        }
    )
    tables = {
        "customers": customers,
        "activity": activity,
        "messages": messages,
        "outcomes": outcomes,
    }
    return require_valid(tables)


def _make_activity(
    ids: npt.NDArray[np.str_],
    pace: npt.NDArray[np.float64],
    lost_on: npt.NDArray[np.float64],
    is_evening: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> pd.DataFrame:
    days = np.arange(N_DAYS)
    p_come = np.where(days < lost_on[:, None], 1 - np.exp(-pace[:, None]), 0.0)
    who, day = np.nonzero(rng.random((len(ids), N_DAYS)) < p_come)
    hour = np.where(is_evening[who], rng.integers(18, 23, len(who)), rng.integers(7, 20, len(who)))
    at = pd.Timestamp(START) + pd.to_timedelta(day * 24 + hour, unit="h")
    return pd.DataFrame({"customer_id": ids[who], "at": at, "kind": "session"})


def _make_messages(
    ids: npt.NDArray[np.str_], is_old: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    n_each = N_DAYS // 10
    who = np.repeat(np.arange(len(ids)), n_each)
    day = np.tile(np.arange(n_each) * 10, len(ids))
    channel = rng.choice(list(P_OPEN), size=len(who))
    message_id = np.array([f"m{i}" for i in range(len(who))])
    sent_at = pd.Timestamp(START) + pd.to_timedelta(day * 24 + 10, unit="h")
    messages = pd.DataFrame(
        {
            "message_id": message_id,
            "decision_id": message_id,
            "customer_id": ids[who],
            "trigger": "inactivity",
            "channel": channel,
            "variant": "plain",
            "sent_at": sent_at,
            "arm": "random",
            "propensity": 1 / 3,
            "cost_cents": 1.0,
        }
    )
    tripled = np.where(is_old[who] & (channel == "sms"), 3.0, 1.0)
    p_open = np.array([P_OPEN[c] for c in channel]) * tripled
    p_convert = np.array([P_CONVERT[c] for c in channel])
    parts = []
    for outcome, p in (("opened", p_open), ("converted", p_convert)):
        had = rng.random(len(who)) < p
        parts.append(
            pd.DataFrame(
                {
                    "message_id": message_id[had],
                    "outcome": outcome,
                    "at": (sent_at + pd.to_timedelta(rng.exponential(12, len(who)), unit="h"))[had],
                    "value_cents": pd.array(
                        [2000 if outcome == "converted" else None] * int(had.sum()), dtype="Int64"
                    ),
                    "machine": False,
                }
            )
        )
    return messages, pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an MLflow database just made: making one takes seconds, copying it none."""
    folder = tmp_path_factory.mktemp("empty_store")
    Tracking(f"sqlite:///{folder / 'mlflow.db'}", artifact_root="file:///nowhere", experiment="x")
    return folder


@pytest.fixture
def make_tracking(empty_store: Path, tmp_path: Path) -> Callable[[], Tracking]:
    """Makes a fresh store of its own in the test's folder; called again, opens the same one."""

    def make() -> Tracking:
        database = tmp_path / "mlflow.db"
        if not database.exists():
            shutil.copy(empty_store / "mlflow.db", database)
        return Tracking.in_folder(tmp_path)

    return make


@pytest.fixture(scope="session")
def trained_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the store of `shop_summary`."""
    folder = tmp_path_factory.mktemp("trained_store")
    shutil.copy(empty_store / "mlflow.db", folder)
    return folder


@pytest.fixture(scope="session")
def shop_summary(trained_store: Path, shop_tables: Tables, shop_end: datetime) -> Trainings:
    """Every model of the shop, trained once."""
    tracking = Tracking.in_folder(trained_store)
    return train_all(shop_tables, known_until=shop_end, tracking=tracking, seed=1)


@pytest.fixture
def trained_tracking(trained_store: Path, shop_summary: Trainings, tmp_path: Path) -> Tracking:
    """The shop's challengers in a store that the test may change."""
    shutil.copy(trained_store / "mlflow.db", tmp_path)
    return Tracking.in_folder(tmp_path)
