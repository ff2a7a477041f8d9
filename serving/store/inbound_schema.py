"""Tables of messages from customers and of bursts. Moments are integer UTC microseconds."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
)

from serving.store.schema import SEQUENCE, metadata

inbound = Table(
    "inbound",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("inbound_id", String, nullable=False, unique=True),
    Column("at_us", BigInteger, nullable=False),
    Column("arrived_us", BigInteger, nullable=False),
    Column("customer_id", String, nullable=True),
    Column("source", String, nullable=False),
    Column("branch", String, nullable=True),
    Column("text", Text, nullable=True),  # null once it was forgotten
    Column("digest", String, nullable=True),  # likewise: short texts can be guessed from it
    Index("inbound_by_arrival", "arrived_us"),
)
"""Messages as they came in, in their order; a text is forgotten after a while, its row stays."""

inbound_readings = Table(
    "inbound_readings",
    metadata,
    Column("seq", ForeignKey("inbound.seq"), primary_key=True, autoincrement=False),
    Column("topic", String, nullable=False),
    Column("is_complaint", Boolean, nullable=False),
    Column("severity", String, nullable=False),
    Column("language", String, nullable=True),
    Column("by", String, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("taken", String, nullable=True),
    Column("is_known", Boolean, nullable=False),
    Column("read_us", BigInteger, nullable=False),
)
"""What the watcher made of each message, and whether it counted; kept when the text is gone."""

inbound_labels = Table(
    "inbound_labels",
    metadata,
    Column("inbound_id", String, primary_key=True),
    Column("topic", String, nullable=False),
    Column("text", Text, nullable=False),  # without personal data of a known form
    Column("by", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""Topics that a person has said; triage learns from them."""

bursts = Table(
    "bursts",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("burst_id", String, nullable=False, unique=True),
    Column("branch", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("state", String, nullable=False),
    Column("state_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("n_usual", Float, nullable=False),
    Column("per_day", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("alarms_per_week", Float, nullable=False),
    Column("is_assumed", Boolean, nullable=False),
    Column("links", Text, nullable=False),
    Column("ended_us", BigInteger, nullable=True),
    Column("end_reason", String, nullable=True),
    Column("report", Text, nullable=False),
    Index("bursts_by_moment", "seen_us"),
)
"""Incidents: more complaints about one topic in one branch than chance brings."""

burst_complaints = Table(
    "burst_complaints",
    metadata,
    Column("incident_id", ForeignKey("bursts.incident_id"), primary_key=True),
    Column("inbound_id", ForeignKey("inbound.inbound_id"), primary_key=True),
    Column("customer_id", String, nullable=True),  # null: of nobody who is known
    Column("language", String, nullable=True),
    Column("severity", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""Complaints of each incident, those of strangers among them."""

watch_place = Table(
    "watch_place",
    metadata,
    Column("name", String, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("version", String, nullable=False),
    Column("deferred", Text, nullable=False),
)
"""Where the watcher is: up to which message it has read, but for those that it put off."""

watch_streams = Table(
    "watch_streams",
    metadata,
    Column("branch", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("state", LargeBinary, nullable=False),
)
"""What the detector remembers of each stream."""
