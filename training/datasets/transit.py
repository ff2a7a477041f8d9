"""What is known at a moment of orders that are on their way, as numbers.

Everything is computed from tables as they were known before the moment (`known_before`), so nothing
later can be in it, corrections and late rows included.
"""

import hashlib
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.tables import Tables, known_before
from training.measures import Floats
from training.registry.servable import FeatureSignature

LATENESS_FEATURES: Final = (
    "days_since_order",
    "days_to_promise",
    "workdays_to_promise",
    "promise_days",
    "share_elapsed",
    "is_handed_over",
    "days_since_handover",
    "days_until_handover",
    "n_scans",
    "estimate_over_promise_days",
    "order_weekday",
    "weekday",
    "promise_weekday",
    "amount",
    "region_days",
    "region_days_on_road",
    "region_late_share",
    "region_orders",
    "recent_days",
    "recent_days_to_handover",
    "recent_late_share",
    "overdue_share",
    "spare_days",
    "share_slower",
    "share_slower_on_road",
)
"""Columns, in order."""

_FORM = 1
"""Raised when a column comes to mean something else."""

NEEDS: Final = ("customers", "orders", "shipments")
_DAY = pd.Timedelta(days=1)
_HISTORY_DAYS, _RECENT_DAYS = 180, 28
_FEW_ORDERS = 20.0
_NOWHERE = ""


def sign_lateness() -> FeatureSignature:
    """What a model of lateness carries of its features."""
    text = f"lateness {_FORM}: {', '.join(LATENESS_FEATURES)}"
    return FeatureSignature(LATENESS_FEATURES, hashlib.sha256(text.encode()).hexdigest())


def describe_transit(tables: Tables, *, as_of: datetime) -> pd.DataFrame:
    """Orders that are on their way to a promise in the future, as known before the moment.

    Args:
        tables: Conformed tables with `NEEDS`.
        as_of: Aware moment.

    Returns:
        order_id, promised_at, usual_at (when such an order usually arrives) and
        `LATENESS_FEATURES`, null where nothing tells; days are 24 hours.
    """
    now = pd.Timestamp(as_of)
    known = known_before({name: tables[name] for name in NEEDS}, now)
    orders = _join_scans(known)
    is_open = orders["delivered_at"].isna() & (orders["promised_at"] > now)
    rows = orders.loc[is_open].reset_index(drop=True)
    columns = _own_facts(rows, now=now)
    done = orders.loc[orders["delivered_at"] >= now - _HISTORY_DAYS * _DAY]
    columns |= _place_facts(rows, done=done, orders=orders, now=now)
    columns |= _compare_with_others(columns, done=done)
    frame = pd.DataFrame({name: columns[name] for name in LATENESS_FEATURES})
    left = columns["promise_days"] - columns["spare_days"] - columns["days_since_order"]
    usual = now + pd.to_timedelta(np.maximum(left, 0.0), unit="D")
    head = {
        "order_id": rows["order_id"],
        "promised_at": rows["promised_at"],
        "usual_at": pd.Series(usual, dtype="datetime64[us, UTC]"),
    }
    return pd.concat([pd.DataFrame(head), frame], axis=1)


def _join_scans(known: Tables) -> pd.DataFrame:
    """Every order with its region, first scan, number of scans and last estimate."""
    scans = known["shipments"].sort_values("updated_at", kind="stable").groupby("tracking_id")
    parcels = scans.agg(
        handed_at=("updated_at", "first"),
        n_scans=("updated_at", "size"),
        estimated_at=("estimated_at", "last"),
    )
    regions = known["customers"].set_index("customer_id")["region"]
    orders = known["orders"].merge(parcels, left_on="tracking_id", right_index=True, how="left")
    region = orders["customer_id"].map(regions).astype("str").fillna(_NOWHERE)
    return orders.assign(region=region, n_scans=orders["n_scans"].fillna(0))


def _own_facts(rows: pd.DataFrame, *, now: pd.Timestamp) -> dict[str, Floats]:
    """What an order says by itself."""
    since, to_promise = _days(now - rows["ordered_at"]), _days(rows["promised_at"] - now)
    days = rows["promised_at"].dt.tz_localize(None).to_numpy("datetime64[D]")
    today = np.datetime64(now.tz_convert("UTC").tz_localize(None), "D")
    return {
        "days_since_order": since,
        "days_to_promise": to_promise,
        "workdays_to_promise": np.busday_count(today, days).astype(np.float64),
        "promise_days": since + to_promise,
        "share_elapsed": since / (since + to_promise),
        "is_handed_over": rows["handed_at"].notna().to_numpy(np.float64),
        "days_since_handover": _days(now - rows["handed_at"]),
        "days_until_handover": _days(rows["handed_at"] - rows["ordered_at"]),
        "n_scans": rows["n_scans"].to_numpy(np.float64),
        "estimate_over_promise_days": _days(rows["estimated_at"] - rows["promised_at"]),
        "order_weekday": rows["ordered_at"].dt.day_of_week.to_numpy(np.float64),
        "weekday": np.full(len(rows), float(now.weekday())),
        "promise_weekday": rows["promised_at"].dt.day_of_week.to_numpy(np.float64),
        "amount": rows["amount_cents"].to_numpy(np.float64) / 100.0,
    }


def _place_facts(
    rows: pd.DataFrame, *, done: pd.DataFrame, orders: pd.DataFrame, now: pd.Timestamp
) -> dict[str, Floats]:
    """How deliveries went: in the order's region, and everywhere of late."""
    total, road = _days(done["delivered_at"] - done["ordered_at"]), _road_days(done)
    late = _flags(done["delivered_at"] > done["promised_at"])
    recent = (done["delivered_at"] >= now - _RECENT_DAYS * _DAY).to_numpy()
    waiting = orders["delivered_at"].isna() & (orders["ordered_at"] >= now - _HISTORY_DAYS * _DAY)
    overdue = _flags(orders.loc[waiting, "promised_at"] < now)
    handing = _days(done["handed_at"] - done["ordered_at"])
    everywhere = {
        "recent_days": _mean(total[recent]),
        "recent_days_to_handover": _mean(handing[recent]),
        "recent_late_share": _mean(late[recent]),
        "overdue_share": _mean(overdue),
    }
    regions = done["region"].to_numpy(object)
    count = pd.Series(regions).value_counts()
    return {
        "region_days": _shrink(total, regions=regions, wanted=rows["region"]),
        "region_days_on_road": _shrink(road, regions=regions, wanted=rows["region"]),
        "region_late_share": _shrink(late, regions=regions, wanted=rows["region"]),
        "region_orders": _floats(rows["region"].map(count).fillna(0)),
        **{name: np.full(len(rows), value) for name, value in everywhere.items()},
    }


def _compare_with_others(columns: dict[str, Floats], *, done: pd.DataFrame) -> dict[str, Floats]:
    """Days to spare if all goes as usual in the region, and who needed longer than is left.

    The shares are of orders that had come as far: that many of those still under way after as many
    days (of what is usual in their region) took longer than this one may.
    """
    by_order = columns["region_days"] - columns["days_since_order"]
    by_road = columns["region_days_on_road"] - columns["days_since_handover"]
    left = np.where(columns["is_handed_over"] == 1.0, by_road, by_order)
    on_road_until = columns["days_since_handover"] + columns["days_to_promise"]
    regions = done["region"].to_numpy(object)
    total, road = _days(done["delivered_at"] - done["ordered_at"]), _road_days(done)
    usual = _shrink(total, regions=regions, wanted=done["region"])
    usual_road = _shrink(road, regions=regions, wanted=done["region"])
    return {
        "spare_days": columns["days_to_promise"] - np.maximum(left, 0.0),
        "share_slower": _share_slower(
            total / usual,
            than=columns["promise_days"] / columns["region_days"],
            among=columns["days_since_order"] / columns["region_days"],
        ),
        "share_slower_on_road": _share_slower(
            road / usual_road,
            than=on_road_until / columns["region_days_on_road"],
            among=columns["days_since_handover"] / columns["region_days_on_road"],
        ),
    }


def _share_slower(durations: Floats, *, than: Floats, among: Floats) -> Floats:
    """Of the durations above `among`, the share above `than`, with half a one more of each kind."""
    ordered = np.sort(durations[~np.isnan(durations)])
    n_slower = len(ordered) - np.searchsorted(ordered, than, side="right")
    n_left = len(ordered) - np.searchsorted(ordered, among, side="right")
    share: Floats = np.where(np.isnan(than), np.nan, (n_slower + 0.5) / (n_left + 1.0))
    return share


def _shrink(
    values: Floats, *, regions: npt.NDArray[np.object_], wanted: "pd.Series[str]"
) -> Floats:
    """Mean by region, drawn to that of all where it has few; null where there is nothing."""
    given = ~np.isnan(values)
    overall = _mean(values)
    groups = pd.Series(values[given]).groupby(regions[given])
    mean = (groups.sum() + _FEW_ORDERS * overall) / (groups.size() + _FEW_ORDERS)
    return _floats(wanted.map(mean).fillna(overall))


def _road_days(orders: pd.DataFrame) -> Floats:
    return _days(orders["delivered_at"] - orders["handed_at"])


def _mean(values: Floats) -> float:
    given = values[~np.isnan(values)]
    return float(given.mean()) if len(given) else float("nan")


def _days(times: "pd.Series[pd.Timedelta]") -> Floats:
    return _floats(times / _DAY)


def _flags(happened: "pd.Series[bool]") -> Floats:
    return np.asarray(happened.to_numpy(), dtype=np.float64)


def _floats(numbers: "pd.Series[float] | pd.Series[int]") -> Floats:
    return np.asarray(numbers.to_numpy(), dtype=np.float64)
