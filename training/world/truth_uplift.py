"""What could be written to whom while a world lives on, and what it would truly change."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from features.vocabulary import Channel, Trigger
from training.measures import Floats
from training.world.simulated import SimulatedWorld

_EVERY = timedelta(hours=6)
_SEND_HOURS = (2, 8, 14, 20)
_URGENT_HOURS = (1, 2, 4, 5)
_URGENT = frozenset({Trigger.SERVICE_DISRUPTION.value, Trigger.ACCOUNT_ANOMALY.value})
"""What the policy of the history sends within six hours, and not within a day."""


@dataclass(frozen=True)
class TrueEffects:
    """Every new case with every channel that its customer agrees to.

    Attributes:
        pairs: customer_id, trigger, channel, decided_at; one row each.
        uplift: P(that one message brings an order or prevents a call), (n,), mean over hours at
            which the policy of the history sends: of the next day, or the next six where a
            message is urgent.
    """

    pairs: pd.DataFrame
    uplift: Floats


def watch_effects(world: SimulatedWorld, *, days: int, triggers: frozenset[Trigger]) -> TrueEffects:
    """Let the world live on, undisturbed, and ask for the truth of every case that opens.

    Every six hours, as the policy of the history decides: one case of each customer.

    Args:
        world: At the end of its history; it is moved forward.
        days: For how long.
        triggers: Of which cases.
    """
    parts = []
    for _ in range(days * 4):
        world.advance(world.now + _EVERY)
        parts.append(_ask(world, triggers))
    found = pd.concat(parts, ignore_index=True)
    return TrueEffects(found.drop(columns="uplift"), found["uplift"].to_numpy(dtype=np.float64))


def _ask(world: SimulatedWorld, triggers: frozenset[Trigger]) -> pd.DataFrame:
    now = pd.Timestamp(world.now)
    cases = world.conditions()
    fresh = (cases["opened_at"] >= now - _EVERY) & cases["trigger"].isin(list(triggers))
    cases = cases[fresh].drop_duplicates("customer_id").reset_index(drop=True)
    customers = world.tables(world.now)["customers"].set_index("customer_id")
    parts = []
    for channel in Channel:
        agreed = customers[f"consent_{channel}"].reindex(cases["customer_id"]).fillna(value=False)
        mine = cases[agreed.to_numpy(dtype=bool)].reset_index(drop=True)
        null = pd.Series([None] * len(mine), dtype="str")
        asked = mine.assign(channel=channel.value, variant=null)
        is_urgent = asked["trigger"].isin(list(_URGENT)).to_numpy(dtype=bool)
        hours = [
            world.true_uplift(
                asked.assign(send_at=now + pd.to_timedelta(np.where(is_urgent, soon, late), "h"))
            )
            for late, soon in zip(_SEND_HOURS, _URGENT_HOURS, strict=True)
        ]
        pair = asked[["customer_id", "trigger", "channel"]]
        parts.append(pair.assign(decided_at=now, uplift=np.mean(hours, axis=0)))
    return pd.concat(parts, ignore_index=True)
