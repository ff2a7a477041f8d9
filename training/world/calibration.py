"""Figures that say whether a world is plausible and leaves room to do better than rules."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.tables import Tables
from features.vocabulary import Outcome
from training.world.clock import HOUR, hour_of_week, to_micros
from training.world.codes import CHANNELS, TRIGGERS
from training.world.mail.history import EVERY_HOURS, STYLES
from training.world.mail.rules import RULE_HOURS, RULE_RANK
from training.world.people.places import ZONES
from training.world.simulated import SimulatedWorld

_SLOTS = (1, 2, 4, 7, 11, 16, 21, 25, 30, 35)
_CENSORED_DAYS = 20


@dataclass(frozen=True)
class Calibration:
    """What a world looks like from outside, and what there is to win in it.

    Attributes:
        delays: Share of opens (no machines) within 1, 6.4, 24 and 168 hours of sending.
        open_rates: Share of messages opened (no machines) by trigger and channel.
        rates: Churn per 30 days, rows per customer and month, messages per customer and week, ...
        conditions: By trigger, share of customers for whom it is true, and becomes true in a day.
        values: Mean true value by trigger and channel, of messages about what has just become true.
        room: By trigger, mean true value of the rules' message and of the best one or none, and the
            share of cases in which some message is better than none; last row: all.
    """

    delays: pd.Series
    open_rates: pd.DataFrame
    rates: pd.Series
    conditions: pd.DataFrame
    values: pd.DataFrame
    room: pd.DataFrame


def calibrate(world: SimulatedWorld, *, days: int, runs: int = 8) -> Calibration:
    """Measure a world at the end of its history of so many days; lives on 6 hours per run."""
    tables = world.tables(world.start)
    n_present = len(tables["customers"]) - int(
        (tables["subscriptions"]["status"] == "canceled").sum()
    )
    stock = world.conditions().groupby("trigger").size() / n_present
    fresh = _fresh_candidates(world, runs=runs)
    flow = fresh.groupby("trigger")["case"].nunique() * 24 / EVERY_HOURS / runs / n_present
    return Calibration(
        delays=_delays(tables),
        open_rates=_open_rates(tables, before=world.start - timedelta(days=_CENSORED_DAYS)),
        rates=_rates(tables, days=days),
        conditions=pd.DataFrame({"true_now": stock, "new_a_day": flow}).fillna(0.0),
        values=fresh.pivot_table(index="trigger", columns="channel", values="value"),
        room=_room(fresh),
    )


def _opens(tables: Tables) -> pd.DataFrame:
    outcomes = tables["outcomes"]
    human = outcomes[(outcomes["outcome"] == Outcome.OPENED) & ~outcomes["machine"]]
    return human.merge(tables["messages"], on="message_id")


def _delays(tables: Tables) -> pd.Series:
    opens = _opens(tables)
    hours = (opens["at"] - opens["sent_at"]).dt.total_seconds() / 3_600
    return pd.Series({limit: float((hours <= limit).mean()) for limit in (1.0, 6.4, 24.0, 168.0)})


def _open_rates(tables: Tables, *, before: datetime) -> pd.DataFrame:
    messages = tables["messages"]
    old = messages[messages["sent_at"] < pd.Timestamp(before)]
    opened = old["message_id"].isin(_opens(tables)["message_id"])
    return old.assign(opened=opened).pivot_table(
        index="trigger", columns="channel", values="opened", aggfunc="mean"
    )


def _rates(tables: Tables, *, days: int) -> pd.Series:
    n, months = len(tables["customers"]), days / 30
    canceled = (tables["subscriptions"]["status"] == "canceled").sum()
    outcomes, messages = tables["outcomes"], tables["messages"]
    share = outcomes[~outcomes["machine"]].groupby("outcome").size() / len(messages)
    return pd.Series(
        {
            "churn_per_30_days": canceled / n / months,
            "activity_per_customer_month": len(tables["activity"]) / n / months,
            "orders_per_customer_month": len(tables["orders"]) / n / months,
            "tickets_per_customer_month": len(tables["tickets"]) / n / months,
            "messages_per_customer_week": len(messages) / n / days * 7,
            "late_share_of_parcels": _late_share(tables),
            **{f"{name}_per_message": share.get(name, 0.0) for name in Outcome},
        }
    )


def _late_share(tables: Tables) -> float:
    last = tables["shipments"].groupby("tracking_id")["estimated_at"].max()
    orders = tables["orders"].dropna(subset=["tracking_id"])
    late = orders["tracking_id"].map(last) - orders["promised_at"] >= pd.Timedelta(days=1)
    return float(late.mean())


def _fresh_candidates(world: SimulatedWorld, *, runs: int) -> pd.DataFrame:
    """Every permitted message about what became true in the last six hours, at several moments."""
    parts = []
    for _ in range(runs):
        world.advance(world.now + timedelta(hours=EVERY_HOURS))
        cases = world.conditions()
        recent = cases["opened_at"] >= pd.Timestamp(world.now) - pd.Timedelta(hours=EVERY_HOURS)
        candidates = _permitted(world, cases[recent].reset_index(drop=True))
        parts.append(candidates.assign(value=world.true_value(candidates)))
    return pd.concat(parts, ignore_index=True)


def _permitted(world: SimulatedWorld, cases: pd.DataFrame) -> pd.DataFrame:
    """Channels with consent x hours that are not quiet x styles; `by_rule` marks the rules' own."""
    customers = world.tables(world.now)["customers"]
    cases = cases.merge(customers, on="customer_id")
    cases["case"] = cases["customer_id"] + cases["trigger"] + cases["opened_at"].astype("str")
    grid = pd.MultiIndex.from_product(
        [range(len(cases)), CHANNELS, _SLOTS, STYLES], names=["row", "channel", "slot", "style"]
    ).to_frame(index=False)
    c = grid.join(cases, on="row")
    next_hour = to_micros(world.now) // HOUR * HOUR
    sent_at = next_hour + c["slot"].to_numpy() * HOUR
    zone = pd.Index(ZONES).get_indexer(pd.Index(c["timezone"]))
    local = hour_of_week(sent_at, zone=np.asarray(zone), zones=ZONES) % 24
    quiet = ((local < 9) | (local >= 21)) & (c["trigger"] != "service_disruption").to_numpy()
    consent = np.zeros(len(c), dtype=np.bool_)
    for channel in CHANNELS:
        given = c[f"consent_{channel}"].fillna(False).to_numpy(np.bool_)
        consent |= (c["channel"] == channel).to_numpy() & given
    c["send_at"] = pd.to_datetime(sent_at, unit="us", utc=True)
    c["variant"] = c["trigger"] + "." + c["channel"].astype("str") + "." + c["style"]
    c = c[~quiet & consent]
    return c.assign(by_rule=_by_rule(c))


def _by_rule(c: pd.DataFrame) -> pd.Series:
    """The rules' channel, the first permitted hour after their delay, the style `clear`."""
    trigger = pd.Index(TRIGGERS).get_indexer(pd.Index(c["trigger"]))
    wait = RULE_HOURS[trigger]
    rank = RULE_RANK[trigger, pd.Index(CHANNELS).get_indexer(pd.Index(c["channel"]))]
    fits = (c["slot"] >= wait) & (c["style"] == STYLES[0]) & (rank < len(CHANNELS))
    order = c[fits].assign(rank=rank[fits]).sort_values(["row", "rank", "slot"])
    first = order.groupby("row").head(1).index
    return pd.Series(c.index.isin(first), index=c.index)


def _room(candidates: pd.DataFrame) -> pd.DataFrame:
    best = candidates.groupby(["trigger", "case"])["value"].max()
    rules = candidates[candidates["by_rule"]].groupby(["trigger", "case"])["value"].max()
    cases = pd.DataFrame(
        {
            "rules": rules.reindex(best.index).fillna(0.0),
            "best": best.clip(lower=0.0),
            "worth_sending": best > 0.0,
        }
    )
    by_trigger = cases.groupby(level="trigger").mean()
    by_trigger["n_cases"] = cases.groupby(level="trigger").size()
    by_trigger.loc["all"] = [*cases.mean(), len(cases)]
    return by_trigger.assign(ratio=by_trigger["best"] / by_trigger["rules"])
