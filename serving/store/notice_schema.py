"""Tables of notices: messages to those who work here or with us. Moments as in the schema."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text

from serving.store.outbox_schema import list_claim_columns
from serving.store.schema import metadata

notices = Table(
    "notices",
    metadata,
    Column("notice_key", String, primary_key=True),
    Column("party_kind", String, nullable=False),
    Column("party_name", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("language", String, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
    Column("not_before_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=True),
    Column("is_urgent", Boolean, nullable=False),
    Column("reply_topic", String, nullable=True),
    Column("workflow_id", String, nullable=True),
    Index("notices_by_time", "not_before_us"),
    Index("notices_by_workflow", "workflow_id"),
)
"""What somebody is to be told, each once; nothing is ever changed in it."""

notice_handovers = Table(
    "notice_handovers",
    metadata,
    Column("lane", String, primary_key=True),
    Column("handover_id", String, primary_key=True),
    Column("notice_key", ForeignKey("notices.notice_key"), nullable=False),
    Column("way", String, nullable=False),
    *list_claim_columns(),
    Index("notice_handovers_by_due", "lane", "state", "due_at_us"),
    Index("notice_handovers_by_notice", "lane", "notice_key"),
)
"""Each way on which a notice goes, by lane: one that fails holds up no other."""
