"""The store's tables. Moments are integer UTC microseconds, which every database keeps alike."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("idempotency_key", String, unique=True, nullable=True),
    Column("request_digest", String, nullable=True),
    Column("customer_id", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("decided_at_us", BigInteger, nullable=False),
    Column("arm", String, nullable=False),
    Column("send", Boolean, nullable=False),
    Column("reason", String, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("record", Text, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("message_id", String, primary_key=True),
    Column("decision_id", ForeignKey("decisions.decision_id"), nullable=False),
    Column("customer_id", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("variant", String, nullable=False),
    Column("sent_at_us", BigInteger, nullable=False),
    Column("arm", String, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("p_variant", Float, nullable=False),
    Column("cost_cents", Float, nullable=False),
    Index("messages_by_customer", "customer_id", "sent_at_us"),
    Index("messages_by_time", "sent_at_us"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("outcome_id", Integer, primary_key=True),
    Column("message_id", ForeignKey("messages.message_id"), nullable=False),
    Column("outcome", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("value_cents", BigInteger, nullable=True),
    Column("machine", Boolean, nullable=False),
    UniqueConstraint("message_id", "outcome", "at_us", "machine", name="outcome_once"),
)
