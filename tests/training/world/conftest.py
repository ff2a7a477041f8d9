"""One small world to look at, and copies of it to live on in."""

import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from training.world.simulated import SimulatedWorld


@pytest.fixture(scope="session")
def history() -> SimulatedWorld:
    """500 customers after 70 days; to be looked at, never advanced."""
    return SimulatedWorld(seed=11, n_customers=500, days=70)


@pytest.fixture
def world(history: SimulatedWorld) -> SimulatedWorld:
    """A copy to live on in."""
    return copy.deepcopy(history)


@pytest.fixture(scope="session")
def make_messages() -> Callable[..., pd.DataFrame]:
    """Makes messages about conditions: every channel and variant in turn, within so many hours."""

    def make(conditions: pd.DataFrame, *, now: pd.Timestamp, hours: int, tag: str) -> pd.DataFrame:
        number = np.arange(len(conditions))
        channels = np.array(["email", "sms", "push", "in_app", "whatsapp"])
        variants = np.array([None, "a", "b.warm", "c"], dtype=object)
        return pd.DataFrame(
            {
                "message_id": [f"{tag}{n}" for n in number],
                "decision_id": [f"{tag}{n}" for n in number],
                "customer_id": conditions["customer_id"].to_numpy(),
                "trigger": conditions["trigger"].to_numpy(),
                "channel": channels[number % 5],
                "variant": pd.Series(variants[number % 4], dtype="str"),
                "sent_at": now + pd.to_timedelta(number * 7919 % (60 * hours), unit="min"),
                "arm": "learned",
                "propensity": 0.5,
                "cost_cents": 1.0,
            }
        )

    return make
