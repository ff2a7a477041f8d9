"""From rules to cases: run them, leave out what was told before, write the evidence."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

import duckdb
import pandas as pd

from features.evidence import FACTS, Evidence, FactKind, Scalar, find_evidence_faults
from features.point_in_time.facts import open_known_facts
from features.point_in_time.hours import find_zone
from features.point_in_time.spine import to_micros, to_moment
from features.schemas import pa
from features.tables import Tables
from features.triggers.marketing import MARKETING_RULES
from features.triggers.rules import TriggerRule
from features.triggers.service import SERVICE_RULES
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger, Urgency

RULES: Final = (*SERVICE_RULES, *MARKETING_RULES)

CASES: Final = pa.DataFrameSchema(
    {
        "customer_id": pa.Column("str"),
        "trigger": pa.Column("str", pa.Check.isin(list(Trigger))),
        "found_at": pa.Column("datetime64[us, UTC]"),
        "subject": pa.Column("str"),
        "urgency": pa.Column("str", pa.Check.isin(list(Urgency)), nullable=True),
        "evidence": pa.Column("str"),
    },
    strict=True,
    ordered=True,
    unique=["customer_id", "trigger", "subject"],
)
"""Cases: one row per customer, trigger and problem; evidence is JSON, `{}` where a fact lacks."""

_DEFAULTS = TriggerSettings()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ = (
    *("customers", "activity", "orders", "shipments", "subscriptions", "usage"),
    *("prices", "disruptions", "messages"),
)

_SHARED = """
CREATE TEMP VIEW purchases AS
    SELECT customer_id, t FROM activity WHERE kind = 'purchase'
    UNION ALL SELECT customer_id, t FROM orders;
CREATE TEMP VIEW subscription_now AS
    SELECT s.* FROM subscriptions s
    JOIN (SELECT customer_id, MAX(t) AS t FROM subscriptions GROUP BY customer_id) l
    ON l.customer_id = s.customer_id AND l.t = s.t;
"""

_NOT_TOLD = """
WITH found AS ({sql}), untold AS (
    SELECT f.*, k.timezone,
        ROW_NUMBER() OVER (
            PARTITION BY f.customer_id ORDER BY f.preference DESC, f.subject
        ) AS place
    FROM found f JOIN customers k ON k.customer_id = f.customer_id
    WHERE NOT EXISTS (
        SELECT 1 FROM messages m WHERE m.customer_id = f.customer_id
            AND m."trigger" = '{trigger}' AND m.t >= f.began_at
    )
)
SELECT * FROM untold WHERE place <= {most} ORDER BY customer_id, place
"""


class _Case(NamedTuple):
    customer_id: str
    trigger: Trigger
    subject: str
    urgency: str | None
    evidence: str


def find_triggers(
    tables: Tables, *, as_of: datetime, settings: TriggerSettings = _DEFAULTS
) -> pd.DataFrame:
    """Every problem or occasion that a customer has at a moment and was not yet written to about.

    Only what was known strictly before the moment counts. A case is left out when a message of its
    trigger went to the customer since the problem began. Consent, quiet hours and every other
    guard are not asked here: they belong to the decision.

    Args:
        tables: Conformed frames by name; `customers` is required, triggers of absent ones are
            silent.
        as_of: Aware moment.
        settings: Thresholds.

    Returns:
        A frame that `CASES` accepts, by trigger and customer: customer_id, trigger, found_at (the
        moment), subject (order, item, place, disruption, or the UTC day on which the problem
        began), urgency (of late deliveries, else null) and evidence (JSON of the facts in
        `features.evidence`; days and moments in the customer's time zone).

    Raises:
        BadInputError: `as_of` is naive, or a customer's time zone does not exist.
    """
    at = to_micros(as_of)
    with open_known_facts(tables, names=_READ, before=at) as facts:
        facts.execute(_SHARED)
        cases = [
            case
            for rule in RULES
            if all(name in tables for name in rule.needs)
            for case in _run_rule(facts, rule=rule, at=at, settings=settings)
        ]
    frame = pd.DataFrame(cases, columns=_Case._fields).astype("str")
    moments = pd.Series(to_moment(as_of), index=frame.index, dtype="datetime64[us, UTC]")
    frame.insert(2, "found_at", moments)
    return CASES.validate(frame)


def _run_rule(
    facts: duckdb.DuckDBPyConnection, *, rule: TriggerRule, at: int, settings: TriggerSettings
) -> Iterator[_Case]:
    most = 1 if rule.one_per_customer else sys.maxsize
    text = _NOT_TOLD.format(sql=rule.sql(at, settings), trigger=rule.trigger, most=most)
    found = facts.execute(text)
    names = [column[0] for column in found.description or ()]
    for values in found.fetchall():
        row = dict(zip(names, values, strict=True))
        yield _Case(
            customer_id=row["customer_id"],
            trigger=rule.trigger,
            subject=row["subject"] or _to_local(row["began_at"], zone=UTC).date().isoformat(),
            urgency=row["urgency"],
            evidence=json.dumps(_gather_evidence(row, rule=rule), ensure_ascii=False),
        )


def _gather_evidence(row: Mapping[str, Scalar | None], *, rule: TriggerRule) -> Evidence:
    """The rule's facts; none at all where one of them is null or unfit (a blank item)."""
    zone = find_zone(str(row["timezone"]))
    evidence: dict[str, Scalar] = {}
    for fact in FACTS[rule.trigger]:
        value = row[fact.name]
        if value is None:
            return {}
        in_zone = UTC if fact.name in rule.whole_days else zone
        evidence[fact.name] = _write_fact(value, kind=fact.kind, zone=in_zone)
    return {} if find_evidence_faults(rule.trigger, evidence) else evidence


def _write_fact(value: Scalar, *, kind: FactKind, zone: tzinfo) -> Scalar:
    if kind is FactKind.DATE:
        return _to_local(int(value), zone=zone).date().isoformat()
    if kind is FactKind.MOMENT:
        return _to_local(int(value), zone=zone).isoformat(timespec="seconds")
    return value


def _to_local(micros: int, *, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=micros)).astimezone(zone)
