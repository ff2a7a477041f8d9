"""The store's tables. Moments are integer UTC microseconds, which every database keeps alike."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
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
    Column("record", Text, nullable=False),  # empty where the record is a row of a lot
    Column("experiment", String, nullable=True),
    Column("lot_id", Integer, nullable=True),
    Column("lot_row", Integer, nullable=True),
)

decision_lots = Table(
    "decision_lots",
    metadata,
    Column("lot_id", Integer, primary_key=True),
    Column("packed", LargeBinary, nullable=False),
)
"""Records of many decisions in columns (`serving.lots.packing`)."""

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
    # What the variant was chosen by: the learner needs no features.
    Column("language", String, nullable=True),
    Column("segment", String, nullable=True),
    Column("context", Text, nullable=True),
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

# ---------------------------------------------------------------- what guards must know

budget_accounts = Table(
    "budget_accounts",
    metadata,
    Column("account", String, primary_key=True),
    Column("spent", BigInteger, nullable=False),
)
"""Millionths booked by budget and period: `sms-daily/2026-06-10`."""

reservations = Table(
    "reservations",
    metadata,
    Column("message_id", ForeignKey("messages.message_id"), primary_key=True),
    Column("account", String, primary_key=True),
    Column("decision_id", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("is_shared", Boolean, nullable=False),
    Index("reservations_by_decision", "decision_id"),
)
"""What each message took of which account; a contact is shared by the messages of its notice."""

cancellations = Table(
    "cancellations",
    metadata,
    Column("message_id", ForeignKey("messages.message_id"), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("is_in_time", Boolean, nullable=False),
)
"""Messages that are not to be sent; in time where they cannot have been sent before."""

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("region", String, nullable=True),
    Column("starts_at_us", BigInteger, nullable=False),
    Column("ends_at_us", BigInteger, nullable=True),
)
"""Something is wrong for a region, or for customers one by one: their marketing rests."""

incident_customers = Table(
    "incident_customers",
    metadata,
    Column("incident_id", ForeignKey("incidents.incident_id"), primary_key=True),
    Column("customer_id", String, primary_key=True),
)

disruptions = Table(
    "followed_disruptions",
    metadata,
    Column("disruption_id", String, primary_key=True),
    Column("region", String, nullable=False),
    Column("starts_at_us", BigInteger, nullable=False),
    Column("ends_at_us", BigInteger, nullable=True),
)
"""What was told last of each disruption that an incident follows."""

clock = Table(
    "clock",
    metadata,
    Column("name", String, primary_key=True),
    Column("latest_us", BigInteger, nullable=False),
)
"""The latest moment the store was ever told: clocks may go back, what was sent stays sent."""

# ---------------------------------------------------------------- customers online
# An owner names whose facts belong together: `customer/c1`, `message/m1`, `tracking/t1`,
# `item/tea`, `region/north`, or `other`.

SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""Numbers that rows get as they come; SQLite counts those of this type alone."""

facts = Table(
    "facts",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("owner", String, nullable=False),
    Column("table_name", String, nullable=False),
    Column("event_id", String, nullable=True),
    Column("identity", String, nullable=True),
    Column("digest", String, nullable=False),
    Column("known_us", BigInteger, nullable=False),
    Column("row", Text, nullable=False),
    Index("facts_by_owner", "owner", "seq"),
    Index("facts_by_identity", "identity", "seq"),
    UniqueConstraint("table_name", "event_id", name="event_once"),
)
"""The log: rows as they were posted, in their order; nothing is ever changed in it."""

generations = Table(
    "generations",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("as_of_us", BigInteger, nullable=False),
    Column("tables", Text, nullable=False),
    Column("layout", String, nullable=False),
    Column("n_customers", Integer, nullable=False),
    Column("current", Boolean, nullable=False),
)
"""What was rebuilt from the tables, and when; one generation is current."""

histories = Table(
    "histories",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("owner", String, primary_key=True),
    Column("rows", LargeBinary, nullable=False),
)
"""Rows of the tables by owner, as they were known at the rebuild."""

states = Table(
    "states",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("customer_id", String, primary_key=True),
    Column("layout", String, nullable=False),
    Column("profile", Text, nullable=False),
    Column("tail", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
"""What features are read from: history and log of one customer, folded."""

links = Table(
    "links",
    metadata,
    Column("owner", String, primary_key=True),
    Column("customer_id", String, primary_key=True),
)
"""Customers to whom the facts of another owner matter: of a message, a parcel."""

served = Table(
    "served",
    metadata,
    Column("decision_id", ForeignKey("decisions.decision_id"), primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("as_of_us", BigInteger, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("features", String, nullable=False),
    Column("numbers", LargeBinary, nullable=False),
    Index("served_by_time", "as_of_us"),
)
"""The features that a decision's models read, where few were decided at once."""

served_lots = Table(
    "served_lots",
    metadata,
    Column("served_lot_id", Integer, primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    Index("served_lots_by_time", "last_us"),
)
"""The features that the models of many decisions read; both are compared with the tables."""

# ---------------------------------------------------------------- words that were written

copy_variants = Table(
    "copy_variants",
    metadata,
    Column("variant_id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("language", String, nullable=False),
    Column("segment", String, nullable=True),
    Column("draft", Text, nullable=False),
    Column("faults", Text, nullable=False),
    Column("source", String, nullable=False),
    Column("model", String, nullable=True),
    Column("prompt_name", String, nullable=True),
    Column("brief_digest", ForeignKey("copy_briefs.brief_digest"), nullable=False),
    Column("cell_key", String, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("score", Float, nullable=True),
    Column("prior_shift", Float, nullable=True),
    Column("prior_left", Float, nullable=True),
    Column("version", Integer, nullable=False),
    Index("copy_variants_by_state", "state"),
)
"""Drafts beside those that ship; one is an arm once somebody has approved it."""

copy_briefs = Table(
    "copy_briefs",
    metadata,
    Column("brief_digest", String, primary_key=True),
    Column("brief", Text, nullable=False),
)
"""What was asked for, each once."""

copy_events = Table(
    "copy_events",
    metadata,
    Column("event_id", SEQUENCE, primary_key=True),
    Column("variant_id", ForeignKey("copy_variants.variant_id"), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    Column("what", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("changes_served", Boolean, nullable=False),
    Index("copy_events_by_variant", "variant_id", "event_id"),
    Index("copy_events_by_change", "changes_served", "event_id"),
)
"""Who did what to which variant, and when; nothing is ever changed in it."""

copy_cells = Table(
    "copy_cells",
    metadata,
    Column("asked_id", SEQUENCE, primary_key=True),
    Column("cell_key", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("outcome", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("model", String, nullable=True),
    Column("prompt_name", String, nullable=True),
    Column("cost_usd", Float, nullable=False),
    Column("n_drafts", Integer, nullable=False),
    Index("copy_cells_by_key", "cell_key"),
)
"""Every asking for drafts, what came of it and what it cost."""
