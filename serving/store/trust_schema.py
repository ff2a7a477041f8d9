"""Tables of the corridor and of the log. Moments are integer UTC microseconds."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
)

from serving.store.schema import SEQUENCE, metadata

corridor_actions = Table(
    "corridor_actions",
    metadata,
    Column("action_id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("is_reversible", Boolean, nullable=False),
    Column("vendor", String, nullable=True),
    Column("customer", String, nullable=True),
    Column("branch", String, nullable=True),
    Column("state", String, nullable=False),
    Column("needs_approval", Boolean, nullable=False),
    Column("on_silence", String, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
    Column("due_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("actor", String, nullable=True),
    Column("settled_cents", BigInteger, nullable=True),
    Index("corridor_actions_by_state", "state", "expires_at_us"),
    Index("corridor_actions_by_subject", "subject"),
    CheckConstraint("amount_cents >= 0", name="amount_not_below_zero"),
    CheckConstraint("settled_cents <= amount_cents", name="settled_within_hold"),
)
"""What somebody wants to do, each once; where it stands."""

corridor_takes = Table(
    "corridor_takes",
    metadata,
    Column("action_id", ForeignKey("corridor_actions.action_id"), primary_key=True),
    Column("account", String, primary_key=True),
    Index("corridor_takes_by_account", "account"),
)
"""The accounts that each action takes from."""

corridor_accounts = Table(
    "corridor_accounts",
    metadata,
    Column("account", String, primary_key=True),
    Column("held_cents", BigInteger, nullable=False),
    Column("spent_cents", BigInteger, nullable=False),
    Column("n_held", BigInteger, nullable=False),
    Column("n_spent", BigInteger, nullable=False),
    CheckConstraint("held_cents >= 0 AND spent_cents >= 0", name="cents_not_below_zero"),
    CheckConstraint("n_held >= 0 AND n_spent >= 0", name="actions_not_below_zero"),
)
"""What is held and spent by day, kind, vendor, subject and in all."""

corridor_words = Table(
    "corridor_words",
    metadata,
    Column("word_id", SEQUENCE, primary_key=True),
    Column("action_id", ForeignKey("corridor_actions.action_id"), nullable=False),
    Column("word", String, nullable=False),
    Column("by", String, nullable=False),
    Column("role", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=True),
    Index("corridor_words_by_action", "action_id"),
)
"""Approvals, with the moment from which they count no more, and vetoes."""

corridor_switches = Table(
    "corridor_switches",
    metadata,
    Column("scope", String, primary_key=True),
    Column("is_stopped", Boolean, nullable=False),
    Column("by", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
"""Kill switches: of everything (`all`) and of a branch (`branch/north`)."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("by", String, nullable=False),
    Column("words", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
    Index("audit_log_by_subject", "subject", "seq"),
)
"""What was seen, thought, decided, done and said; each row holds the hash of the one before."""
