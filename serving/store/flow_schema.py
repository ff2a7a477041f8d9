"""Tables of the workflows. Moments are integer UTC microseconds."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from serving.store.schema import SEQUENCE, metadata

flows = Table(
    "flows",
    metadata,
    Column("workflow_id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("given", Text, nullable=False),
    Column("spec", Text, nullable=True),
    Column("state", String, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("step", String, nullable=True),
    Column("due_at_us", BigInteger, nullable=True),
    Column("topics", Text, nullable=False),
    Column("why", Text, nullable=True),
    Column("asked_at_us", BigInteger, nullable=False),
    Column("started_at_us", BigInteger, nullable=True),
    Column("ended_at_us", BigInteger, nullable=True),
    Index("flows_by_state", "state", "due_at_us"),
)
"""Workflows that were asked for, each once; where each stands and what it waits for.

`spec` is what it was started with, and `turn` counts how often it was woken.
"""

flow_results = Table(
    "flow_results",
    metadata,
    Column("workflow_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("result", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""What each effect of a workflow came to, kept with the effect itself."""

flow_signals = Table(
    "flow_signals",
    metadata,
    Column("signal_id", SEQUENCE, primary_key=True),
    Column("workflow_id", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("key", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("read_at_us", BigInteger, nullable=True),
    Index("flow_signals_unread", "read_at_us", "workflow_id"),
    UniqueConstraint("workflow_id", "key", name="signal_once"),
)
"""What workflows are told, each once per key; read by the workflow that waits for its topic."""
