"""Olist's orders (a Brazilian marketplace, 2016 to 2018) as tables of ours.

The public data set says of every order when it was bought, handed to the carrier and delivered, and
until when it was promised: what a prediction of late deliveries needs. Its licence (CC BY-NC-SA)
forbids commercial use, so it is read where it lies and never comes with the project.
"""

from pathlib import Path
from typing import Final

import pandas as pd

from features.checks import require_valid
from features.errors import BadInputError, SourceUnreadableError
from features.sources.adapted import Adapted, paragraphs
from features.vocabulary import Channel

TIME_ZONE: Final = "America/Sao_Paulo"

_ORDERS: Final = (
    *("order_id", "customer_id", "order_status", "order_purchase_timestamp"),
    *("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"),
    "order_estimated_delivery_date",
)
_CUSTOMERS: Final = ("customer_id", "customer_unique_id", "customer_city", "customer_state")
_GIVEN_UP: Final = ("canceled", "unavailable")

ASSUMPTIONS = paragraphs(
    f"""
    Times: the files give times without a zone. They are taken as {TIME_ZONE}; an hour that
    the clock skipped is moved forward, one that it showed twice is the second.

    Promise: the estimated date means by the end of that day.

    Amounts: the file of orders has none; they are 0.

    Shipments: the moment of the handover to the carrier is the only scan; its estimate is the
    promise, as the data knows no later one. Orders never handed over have no scan.

    Canceled: the data does not say when an order was canceled or found unavailable. Such orders are
    left out, as is one without a customer.

    Odd times: a handover before the purchase or after the delivery is left out; a delivery before
    the purchase makes the order be left out.

    Customers: known from their first order on; language Portuguese, region the state, the city in
    an extra column. Consent: unknown, which is no consent. Nobody in these files can be written to.
    """
)
"""What the data does not say, one paragraph for each point."""


def read_olist(folder: Path) -> Adapted:
    """The orders in a folder as customers, orders and shipments.

    Args:
        folder: With one file `*orders*.csv` and one `*customers*.csv`, plain or gzipped, columns as
            Olist publishes them.

    Raises:
        SourceUnreadableError: A file is missing, or there are several, or one is no CSV.
        BadInputError: A column is missing or holds something else than times.
    """
    raw = _read(folder, "orders", columns=_ORDERS)
    people = _read(folder, "customers", columns=_CUSTOMERS).drop_duplicates("customer_id")
    rows = raw.drop_duplicates("order_id").merge(people, on="customer_id")
    rows = rows.loc[~rows["order_status"].isin(_GIVEN_UP)].reset_index(drop=True)
    bought_at = _times(rows, "order_purchase_timestamp")
    promised_at = _times(rows, "order_estimated_delivery_date") + pd.Timedelta(days=1, seconds=-1)
    orders = pd.DataFrame(
        {
            "order_id": rows["order_id"],
            "customer_id": rows["customer_unique_id"],
            "tracking_id": rows["order_id"],
            "ordered_at": bought_at,
            "promised_at": promised_at.where(promised_at >= bought_at),
            "delivered_at": _times(rows, "order_delivered_customer_date"),
            "amount_cents": 0,
            "handed_at": _times(rows, "order_delivered_carrier_date"),
            "city": rows["customer_city"],
            "region": rows["customer_state"],
        }
    )
    orders = orders.loc[~(orders["delivered_at"] < orders["ordered_at"])]
    tables = {
        "customers": _make_customers(orders),
        "orders": orders.drop(columns=["handed_at", "city", "region"]),
        "shipments": _make_shipments(orders),
    }
    return Adapted(require_valid(tables), ASSUMPTIONS)


def _read(folder: Path, what: str, *, columns: tuple[str, ...]) -> pd.DataFrame:
    found = sorted({*folder.glob(f"*{what}*.csv"), *folder.glob(f"*{what}*.csv.gz")})
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise SourceUnreadableError(f"{folder}: expected one file *{what}*.csv[.gz], found {names}")
    try:
        raw = pd.read_csv(found[0], dtype="str")
    except (OSError, ValueError) as error:
        raise SourceUnreadableError(f"{found[0]}: cannot be read: {error}") from error
    missing = [column for column in columns if column not in raw]
    if missing:
        expected = ", ".join(columns)
        raise BadInputError(f"{found[0]}: lacks {', '.join(missing)}; expected {expected}")
    return raw


def _times(rows: pd.DataFrame, column: str) -> "pd.Series[pd.Timestamp]":
    """Wall-clock times of a column as UTC moments."""
    times = pd.to_datetime(rows[column], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    unreadable = times.isna() & rows[column].notna()
    if unreadable.any():
        first = rows.loc[unreadable].iloc[0]
        raise BadInputError(
            f"order_id={first['order_id']}: {column}={first[column]!r}, expected a time such as "
            f"2018-05-01 09:30:00; {int(unreadable.sum())} such rows"
        )
    wall = times.dt.tz_localize(TIME_ZONE, ambiguous=False, nonexistent="shift_forward")
    return wall.dt.tz_convert("UTC").dt.as_unit("us")


def _make_customers(orders: pd.DataFrame) -> pd.DataFrame:
    first = orders.sort_values("ordered_at", kind="stable").drop_duplicates("customer_id")
    return pd.DataFrame(
        {
            "customer_id": first["customer_id"],
            "signed_up_at": first["ordered_at"],
            "language": "pt",
            "timezone": TIME_ZONE,
            "region": first["region"],
            **{f"consent_{channel}": pd.NA for channel in Channel},
            "city": first["city"],
        }
    ).reset_index(drop=True)


def _make_shipments(orders: pd.DataFrame) -> pd.DataFrame:
    handed = orders["handed_at"]
    usable = handed.notna() & (handed >= orders["ordered_at"]) & orders["promised_at"].notna()
    usable &= ~(handed > orders["delivered_at"])
    rows = orders.loc[usable]
    return pd.DataFrame(
        {
            "tracking_id": rows["tracking_id"],
            "updated_at": rows["handed_at"],
            "estimated_at": rows["promised_at"],
            "status": "handed to the carrier",
        }
    ).reset_index(drop=True)
