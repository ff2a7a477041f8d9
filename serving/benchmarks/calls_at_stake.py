"""How many calls to support could be prevented at most, by how soon and where one writes.

No policy: whoever has a service case in our world is told, whatever it costs, outside quiet hours
(a critical case at once). What is left of the calls is what such messages do not prevent: they were
not seen, or the customer called all the same, or had called before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.vocabulary import Channel, Priority, Trigger
from serving.policy.cases import from_us, to_us
from serving.policy.hours import after_quiet_hours
from serving.policy.settings import PolicySettings, load_policy_settings
from training.benchmarks.rows import BenchRow
from training.world.scenario import scenario_named
from training.world.simulated import SimulatedWorld

CASE: Final = "calls_at_stake"
_SERVICE = [trigger.value for trigger in Trigger if trigger.is_service]
_APART = timedelta(microseconds=1)


@dataclass(frozen=True)
class Notice:
    """How everybody is told.

    Attributes:
        every_hours: How often somebody looks for new cases.
        channels: On all of which each is told.
    """

    every_hours: int
    channels: tuple[Channel, ...]

    @property
    def name(self) -> str:
        """Of the measure."""
        return f"fall_every_{self.every_hours}h_on_{'+'.join(self.channels)}"


_PAIR = (Channel.SMS, Channel.PUSH)
NOTICES: Final = (
    *(Notice(hours, _PAIR) for hours in (24, 6, 3, 1)),
    Notice(1, (Channel.SMS,)),
    Notice(1, tuple(Channel)),
)


def bench_calls_at_stake(
    *,
    scenario: str = "calm",
    seed: int = 0,
    n_customers: int = 3000,
    history_days: int = 180,
    n_days: int = 40,
    notices: Sequence[Notice] = NOTICES,
) -> list[BenchRow]:
    """A row per notice: the share by which calls fall; n is the calls when nobody writes.

    Args:
        scenario: Of our world.
        seed: Of the world.
        n_customers: Customers.
        history_days: Days before.
        n_days: Days.
        notices: How customers are told.
    """
    policy = load_policy_settings()

    def count(notice: Notice | None) -> int:
        world = SimulatedWorld(
            seed=seed,
            n_customers=n_customers,
            days=history_days,
            scenario=scenario_named(scenario),
        )
        return _count_calls(world, notice, n_days=n_days, policy=policy)

    alone = count(None)
    return [
        BenchRow(
            case=f"{CASE}/{scenario}",
            metric=notice.name,
            ours=1.0 - count(notice) / alone if alone else float("nan"),
            low=None,
            high=None,
            reference=None,
            reference_name=None,
            unit="1",
            n=alone,
        )
        for notice in notices
    ]


def _count_calls(
    world: SimulatedWorld, notice: Notice | None, *, n_days: int, policy: PolicySettings
) -> int:
    """Calls about problems within the days, with everybody told like that; None: nobody."""
    end = world.start + timedelta(days=n_days)
    if notice is not None:
        zones = world.tables(world.start)["customers"].set_index("customer_id")["timezone"]
        since = world.start
        while (now := since + timedelta(hours=notice.every_hours)) < end:
            world.advance(now)
            cases = world.conditions()
            new = cases["trigger"].isin(_SERVICE) & (cases["opened_at"] >= since)
            # Who signs up later is left out: a handful.
            known = cases["customer_id"].isin(zones.index)
            world.deliver(_write(cases[new & known], zones, notice, now=now, policy=policy))
            since = now
    world.advance(end)
    tickets = world.tables(end)["tickets"]
    return int(((tickets["opened_at"] >= world.start) & tickets["topic"].isin(_SERVICE)).sum())


def _write(
    cases: pd.DataFrame,
    zones: "pd.Series[str]",
    notice: Notice,
    *,
    now: datetime,
    policy: PolicySettings,
) -> pd.DataFrame:
    """A message on every channel about each case, a microsecond apart: rows of `messages`."""
    awake = after_quiet_hours(
        np.full((len(cases), 1), to_us(now)),
        tuple(zones.loc[cases["customer_id"]]),
        quiet=policy.quiet_hours,
    )[:, 0]
    is_critical = [
        policy.triggers[Trigger(name)].priority is Priority.CRITICAL for name in cases["trigger"]
    ]
    at_us = np.where(is_critical, to_us(now), awake)
    rows = [
        (f"{customer_id}/{trigger}/{now.isoformat()}/{channel}", customer_id, trigger, channel, at)
        for customer_id, trigger, us in zip(
            cases["customer_id"], cases["trigger"], at_us.tolist(), strict=True
        )
        for channel, at in _spread(notice.channels, from_us(us))
    ]
    names = ["message_id", "customer_id", "trigger", "channel", "sent_at"]
    frame = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[:4], "str"))
    return frame.assign(
        sent_at=pd.to_datetime(frame["sent_at"], utc=True).astype("datetime64[us, UTC]"),
        decision_id=frame["message_id"],
        variant=pd.Series([None] * len(frame), dtype="str"),
        arm="learned",
        propensity=1.0,
        cost_cents=0.0,
    )


def _spread(channels: Sequence[Channel], at: datetime) -> list[tuple[str, datetime]]:
    return [(channel.value, at + number * _APART) for number, channel in enumerate(channels)]
