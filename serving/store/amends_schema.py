"""Tables of what the autopilot did about incidents. Moments are integer UTC microseconds."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from serving.store.schema import metadata

vendor_asks = Table(
    "vendor_asks",
    metadata,
    Column("ask_id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("vendor_id", String, nullable=False),
    Column("vendor_name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("asked_at_us", BigInteger, nullable=False),
    Column("answered_at_us", BigInteger, nullable=True),
    Column("price_cents", BigInteger, nullable=True),
    Column("eta_minutes", BigInteger, nullable=True),
    UniqueConstraint("subject", "vendor_id", name="a_vendor_is_asked_once"),
    Index("vendor_asks_by_subject", "subject", "asked_at_us"),
)
"""Vendors that were asked to come, and what they said."""

given_credits = Table(
    "given_credits",
    metadata,
    Column("credit_id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("code", String, nullable=False, unique=True),
    Column("amount_cents", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("issued_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("revoked_at_us", BigInteger, nullable=True),
    UniqueConstraint("subject", "customer_id", name="once_per_customer"),
    CheckConstraint("amount_cents > 0", name="credit_of_something"),
)
"""What customers were given; the company's own system honours the code."""

confirmed_causes = Table(
    "confirmed_causes",
    metadata,
    Column("subject", String, primary_key=True),
    Column("cause", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""Why it was so, as a human confirmed it."""

asked_closings = Table(
    "asked_closings",
    metadata,
    Column("subject", String, primary_key=True),
    Column("by", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""Incidents that a human wants to see closed, whether complaints are over or not."""

incident_letters = Table(
    "incident_letters",
    metadata,
    Column("subject", String, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("customer_id", String, primary_key=True),
    Column("action_id", String, nullable=False),
    Column("request", Text, nullable=True),
    Column("decision_id", String, nullable=True),
    Column("reason", String, nullable=True),
    Index("incident_letters_by_action", "action_id"),
)
"""Who is to be told what about an incident, by which action; the request and its decision."""
