"""The table of the outbox. Moments are integer UTC microseconds."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table

from serving.store.schema import metadata


def list_claim_columns() -> list[Column[Any]]:
    """Where something is that is handed over once (`serving.store.claims`)."""
    return [
        Column("state", String, nullable=False),
        Column("due_at_us", BigInteger, nullable=False),
        Column("n_attempts", Integer, nullable=False),
        Column("fence", Integer, nullable=False),
        Column("reason", String, nullable=True),
        Column("settled_at_us", BigInteger, nullable=True),
        Column("is_begun", Boolean, nullable=True),
        Column("n_earlier", Integer, nullable=True),
    ]


outbox = Table(
    "outbox",
    metadata,
    Column("lane", String, primary_key=True),
    Column("message_id", ForeignKey("messages.message_id"), primary_key=True),
    Column("decision_id", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("planned_at_us", BigInteger, nullable=False),
    *list_claim_columns(),
    Index("outbox_by_due", "lane", "state", "due_at_us"),
    Index("outbox_by_customer", "lane", "customer_id", "settled_at_us"),
)
"""Messages that are due, by lane: a rehearsal of the delivery is a lane of its own."""

outbox_lanes = Table(
    "outbox_lanes",
    metadata,
    Column("lane", String, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
)
"""Since when a lane is there: what was planned before is none of its business."""

delivery_rates = Table(
    "delivery_rates",
    metadata,
    Column("bucket", String, primary_key=True),
    Column("empty_at_us", BigInteger, nullable=False),
)
"""How far each limit of a rate is used up (`serving.store.rates`)."""
