"""Cases of a simulated world as they begin, with the true value of a message on every channel."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.tables import Tables
from features.vocabulary import Outcome
from serving.policy.cases import Floats, to_us
from serving.policy.hours import after_quiet_hours
from serving.policy.settings import CHANNELS, QuietHours
from training.world.simulated import SimulatedWorld

N_ROUNDS: Final = 20
EVERY: Final = timedelta(hours=12)
_BY_NIGHT: Final = QuietHours(from_hour=21, to_hour=9)


@dataclass(frozen=True)
class Occasions:
    """Cases that are decided, n rows.

    Attributes:
        reasons: customer_id, trigger, as_of, send_at, segment, language, timezone.
        allowed: Channels that the customer agreed to and has not left, (n, 5), one at least.
        true_cents: True value of a message on every channel, (n, 5).
        constant_cents: Its expectation by what stays the same, (n, 5).
    """

    reasons: pd.DataFrame
    allowed: npt.NDArray[np.bool_]
    true_cents: Floats
    constant_cents: Floats


def collect_occasions(
    world: SimulatedWorld, tables: Tables, *, customer_ids: frozenset[str], n_rounds: int = N_ROUNDS
) -> Occasions:
    """Cases of these customers as they begin, while the world lives on without messages.

    Args:
        world: The world; it is moved on by twelve hours a round.
        tables: What was known of it before.
        customer_ids: Customers of the tables whose cases are wanted.
        n_rounds: How often to look.
    """
    about = tables["customers"]
    about = about[about["customer_id"].isin(customer_ids)].set_index("customer_id")
    reasons, true_cents, constant_cents = [], [], []
    for _ in range(n_rounds):
        found = _find_new(world, about)
        candidates = found.assign(variant=pd.Series([None] * len(found), dtype="str"))
        by_channel = [world.true_value(candidates.assign(channel=channel)) for channel in CHANNELS]
        reasons.append(found)
        true_cents.append(np.column_stack(by_channel))
        constant_cents.append(world.value_channels(found))
        world.advance(world.now + EVERY)
    joined = pd.concat(reasons, ignore_index=True)
    allowed = _find_allowed(world.tables(world.now), joined)
    some = allowed.any(axis=1)
    return Occasions(
        reasons=joined.take(np.flatnonzero(some)).reset_index(drop=True),
        allowed=allowed[some],
        true_cents=np.concatenate(true_cents)[some],
        constant_cents=np.concatenate(constant_cents)[some],
    )


def _find_new(world: SimulatedWorld, about: pd.DataFrame) -> pd.DataFrame:
    """Cases that began since the last look, and when a message about them would go out."""
    now: datetime = world.now
    conditions = world.conditions()
    is_new = conditions["opened_at"] >= pd.Timestamp(now - EVERY)
    chosen = conditions.loc[is_new, ["customer_id", "trigger"]]
    found = chosen.merge(
        about[["segment", "language", "timezone"]], left_on="customer_id", right_index=True
    ).reset_index(drop=True)
    now_us = np.full((len(found), 1), to_us(now), dtype=np.int64)
    send_us = after_quiet_hours(now_us, tuple(found["timezone"]), quiet=_BY_NIGHT)[:, 0]
    return found.assign(as_of=now, send_at=pd.to_datetime(send_us, unit="us", utc=True))


def _find_allowed(tables: Tables, reasons: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Channels that each customer agreed to and had not left by then, (n, 5)."""
    consents = [f"consent_{channel}" for channel in CHANNELS]
    about = tables["customers"].set_index("customer_id")[consents]
    agreed = about.reindex(reasons["customer_id"]).fillna(False).to_numpy(dtype=bool)
    outcomes, messages = tables["outcomes"], tables["messages"]
    left = outcomes.loc[outcomes["outcome"] == Outcome.UNSUBSCRIBED, ["message_id", "at"]].merge(
        messages[["message_id", "customer_id", "channel"]], on="message_id"
    )
    for at, channel in enumerate(CHANNELS):
        mine = left[left["channel"] == channel].groupby("customer_id")["at"].min()
        left_at = mine.reindex(reasons["customer_id"]).reset_index(drop=True)
        agreed[:, at] &= ~(left_at < reasons["as_of"].reset_index(drop=True)).to_numpy(dtype=bool)
    return agreed
