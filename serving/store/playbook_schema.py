"""Tables of the churn playbooks. Moments are integer UTC microseconds."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table, Text, text

from serving.store.schema import metadata

playbook_cases = Table(
    "playbook_cases",
    metadata,
    Column("case_id", String, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("source", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("arm", String, nullable=False),
    Column("p_arm", Float, nullable=False),
    Column("factor", String, nullable=True),
    Column("factors", Text, nullable=False),
    Column("p_churn", Float, nullable=False),
    Column("mrr_cents", BigInteger, nullable=True),
    Column("value_cents", Float, nullable=True),
    Column("uplift_group", String, nullable=True),
    Column("language", String, nullable=False),
    Column("playbook", String, nullable=False),
    Column("model_version", String, nullable=True),
    Column("opened_at_us", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("exit_reason", String, nullable=True),
    Column("closed_at_us", BigInteger, nullable=True),
    Column("p_churn_at_close", Float, nullable=True),
    Column("brief", Text, nullable=True),
    Column("judge", String, nullable=True),
    Column("n_refused", BigInteger, nullable=True),
    Column("segment", String, nullable=True),
    Index("playbook_cases_by_customer", "customer_id", "opened_at_us"),
    Index("playbook_cases_by_state", "state", "opened_at_us"),
    Index(
        "playbook_case_once",
        "customer_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)
"""A customer at risk of leaving, and what came of it; one at a time is open."""

playbook_offers = Table(
    "playbook_offers",
    metadata,
    Column("customer_id", String, primary_key=True),
    Column("offer", String, primary_key=True),
    Column("case_id", ForeignKey("playbook_cases.case_id"), nullable=False),
    Column("state", String, nullable=False),
    Column("cost_cents", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("saved_share", Float, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("playbook_offers_by_case", "case_id"),
    Index("playbook_offers_by_time", "at_us"),
)
"""Offers by customer: the key is why nobody gets one twice."""

playbook_tasks = Table(
    "playbook_tasks",
    metadata,
    Column("task_id", String, primary_key=True),
    Column("case_id", String, nullable=True),
    Column("customer_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("title", String, nullable=False),
    Column("brief", Text, nullable=False),
    Column("owner", String, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
    Column("due_at_us", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("taken_by", String, nullable=True),
    Column("settled_at_us", BigInteger, nullable=True),
    Column("outcome", String, nullable=True),
    Column("note", Text, nullable=False),
    Index("playbook_tasks_by_due", "state", "due_at_us"),
    Index("playbook_tasks_by_case", "case_id"),
)
"""What people are asked to do about a case, by when, and what came of it."""

risk_levels = Table(
    "risk_levels",
    metadata,
    Column("customer_id", String, primary_key=True),
    Column("tier", String, nullable=True),
    Column("p_churn", Float, nullable=True),
    Column("at_us", BigInteger, nullable=False),
)
"""The tier that was last seen of a customer, where it changed; null: they were gone."""
