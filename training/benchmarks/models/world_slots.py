"""Sending now against waiting, in the simulated world: the slots of the next three days.

Cases that are open now, about which a message fades as they age. A choice takes one of the hours
from now on, up to 72, that lie between 9:00 and 21:00 local time; what it is worth is the world's
true value of that message. The best choice knows what stays: the customer's true week and how fast
the trigger's cases fade, but not moods, load or what becomes of the case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables
from features.vocabulary import Channel, Trigger
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, N_WEEK_HOURS, SendTimeModel
from training.send_time.sent import find_week_hours
from training.send_time.weeks import read_segments
from training.world.codes import TRIGGERS
from training.world.mail.response import FADE_HOURS
from training.world.simulated import SimulatedWorld

OURS, BEST, AT_ONCE, PRESENCE_ALONE, EVENLY = (
    "ours",
    "best",
    "at once",
    "presence alone",
    "evenly",
)
N_HOURS = 72
BY_DAY: Bools = (np.arange(N_WEEK_HOURS) % 24 >= 9) & (np.arange(N_WEEK_HOURS) % 24 < 21)
"""Hours of the week that are not quiet."""

_CHANNEL = Channel.PUSH
_FADING = (Trigger.ABANDONED_CART, Trigger.BROWSE_ABANDONMENT, Trigger.PRICE_DROP)
_FRESH_HOURS = 24.0


@dataclass(frozen=True)
class Slots:
    """Slots of n cases of one trigger.

    Attributes:
        trigger: The trigger.
        customers: customer_id of each case, n of them.
        week_hours: Local hour of the week of each slot, (n, 73).
        waited_hours: From now on, (n, 73).
        allowed: Slots by day, (n, 73).
        value: True cents of a message there, (n, 73).
    """

    trigger: Trigger
    customers: Sequence[str]
    week_hours: Integers
    waited_hours: Floats
    allowed: Bools
    value: Floats


def choose_slots(
    world: SimulatedWorld, tables: Tables, *, model: SendTimeModel
) -> dict[str, float]:
    """Mean true cents of each way to choose a slot, and of the best that knows what stays."""
    chosen: dict[str, list[Floats]] = {}
    for trigger in _FADING:
        slots = find_slots(world, tables, trigger=trigger)
        for name, score in _score(world, tables, slots, model=model).items():
            best = np.where(slots.allowed, score, -np.inf).argmax(axis=1)
            chosen.setdefault(name, []).append(slots.value[np.arange(len(best)), best])
        evenly = (slots.value * slots.allowed).sum(axis=1) / slots.allowed.sum(axis=1)
        chosen.setdefault(EVENLY, []).append(evenly)
    return {name: float(np.concatenate(each).mean()) for name, each in chosen.items()}


def find_slots(world: SimulatedWorld, tables: Tables, *, trigger: Trigger) -> Slots:
    """Slots of the trigger's cases of the last day whose customers take such messages."""
    cases, customers = world.conditions(), tables["customers"].set_index("customer_id")
    agreed = customers.index[customers[f"consent_{_CHANNEL}"].fillna(False).astype(bool)]
    is_new = cases["opened_at"] >= pd.Timestamp(world.start) - pd.Timedelta(hours=_FRESH_HOURS)
    mine = (cases["trigger"] == trigger) & is_new & cases["customer_id"].isin(agreed)
    ids = cases.loc[mine, "customer_id"].tolist()
    waited = np.arange(N_HOURS + 1, dtype=np.float64)
    frame = pd.DataFrame(
        {
            "customer_id": np.repeat(ids, len(waited)),
            "trigger": trigger.value,
            "channel": _CHANNEL.value,
            "send_at": pd.Timestamp(world.start)
            + pd.to_timedelta(np.tile(waited, len(ids)), unit="h"),
            "variant": pd.Series([None] * (len(ids) * len(waited)), dtype="str"),
        }
    )
    zone = customers["timezone"].reindex(frame["customer_id"]).to_numpy()
    shape = (len(ids), len(waited))
    sent = frame.assign(zone=zone, sent_at=frame["send_at"])
    week_hours = find_week_hours(sent).reshape(shape)
    return Slots(
        trigger=trigger,
        customers=ids,
        week_hours=week_hours,
        waited_hours=np.broadcast_to(waited, shape),
        allowed=BY_DAY[week_hours],
        value=world.true_value(frame).reshape(shape),
    )


def _score(
    world: SimulatedWorld, tables: Tables, slots: Slots, *, model: SendTimeModel
) -> Mapping[str, Floats]:
    """What each way of choosing goes by, (n, 73)."""
    fade_hours = float(FADE_HOURS[TRIGGERS.index(slots.trigger)])
    ids = pd.Series(slots.customers)
    counts = count_hours_of_week(tables, make_spine(ids, as_of=world.start))

    def foretell(one: SendTimeModel) -> Floats:
        timing = one.timing(
            counts,
            week_hours=slots.week_hours,
            waited_hours=slots.waited_hours,
            half_life_hours=fade_hours * np.log(2.0),
            segments=read_segments(tables, ids, at=world.start) or None,
        )
        of_channel: Floats = timing[:, CHANNELS.index(_CHANNEL)]
        return of_channel

    p_seen = world.p_seen_by_hour(slots.customers, trigger=slots.trigger, channel=_CHANNEL)
    fresh = np.exp(-slots.waited_hours / fade_hours)
    return {
        BEST: np.take_along_axis(p_seen, slots.week_hours, axis=1) * fresh,
        OURS: foretell(model),
        PRESENCE_ALONE: foretell(replace(model, responses={})),
        AT_ONCE: -slots.waited_hours,
    }
