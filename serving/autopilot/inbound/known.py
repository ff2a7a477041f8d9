"""What the tables say of those who write and of what is wrong already."""

from collections.abc import Sequence

import pandas as pd

from features.point_in_time.spine import to_micros
from features.tables import Tables
from serving.autopilot.detection.links import KnownDelay, KnownDisruption
from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.story import KnownFacts


def assume_known(messages: Sequence[InboundMessage]) -> KnownFacts:
    """Where there are no tables: everybody with an identity is a customer, and nothing is wrong."""
    who = {one.customer_id for one in messages if one.customer_id is not None}
    return KnownFacts(KnownCustomers(dict.fromkeys(who), {}))


def read_known(tables: Tables) -> KnownFacts:
    """Customers with language and region, disruptions, and orders past their promise.

    An order counts as late from its promised moment on, if it was not delivered by then: that is
    known without any estimate. It is late until it is delivered.
    """
    customers = tables["customers"]
    ids = customers["customer_id"].astype(str)
    return KnownFacts(
        customers=KnownCustomers(
            languages={
                who: None if pd.isna(code) else str(code)
                for who, code in zip(ids, customers["language"], strict=True)
            },
            regions=_read_column(customers, "region"),
            first_names=_read_column(customers, "first_name"),
        ),
        disruptions=_read_disruptions(tables),
        delays=_read_delays(tables),
    )


def _read_column(customers: pd.DataFrame, name: str) -> dict[str, str]:
    """A column of texts by customer, where it is there and says something."""
    if name not in customers:
        return {}
    return {
        str(who): str(value)
        for who, value in zip(customers["customer_id"], customers[name], strict=True)
        if not pd.isna(value)
    }


def _read_disruptions(tables: Tables) -> tuple[KnownDisruption, ...]:
    if "disruptions" not in tables:
        return ()
    frame = tables["disruptions"]
    return tuple(
        KnownDisruption(
            disruption_id=str(disruption_id),
            region=str(region),
            service=str(service),
            starts_at_us=to_micros(starts_at),
            ends_at_us=None if pd.isna(ends_at) else to_micros(ends_at),
        )
        for disruption_id, region, service, starts_at, ends_at in zip(
            frame["disruption_id"],
            frame["region"],
            frame["service"],
            frame["starts_at"],
            frame["ends_at"] if "ends_at" in frame else pd.Series(pd.NaT, frame.index),
            strict=True,
        )
    )


def _read_delays(tables: Tables) -> tuple[KnownDelay, ...]:
    if "orders" not in tables or "promised_at" not in tables["orders"]:
        return ()
    orders = tables["orders"]
    delivered = orders.get("delivered_at", pd.Series(pd.NaT, orders.index))
    late = orders[orders["promised_at"].notna() & ~(delivered <= orders["promised_at"])]
    return tuple(
        KnownDelay(
            order_id=str(order_id),
            customer_id=str(customer_id),
            began_at_us=to_micros(promised_at),
            ended_at_us=None if pd.isna(delivered_at) else to_micros(delivered_at),
        )
        for order_id, customer_id, promised_at, delivered_at in zip(
            late["order_id"],
            late["customer_id"],
            late["promised_at"],
            delivered[late.index],
            strict=True,
        )
    )
