"""From a rule to the query of its cases: what was told is left out, what is left gets its key.

The rows have the same columns for every trigger, so that those of all can be written to one place:
`RAW_COLUMNS`, then every fact of any trigger as `fact_<name>`, null where it is not the trigger's.
"""

from collections.abc import Mapping
from typing import Final

from features.evidence import FACTS, FactKind
from features.triggers.rules import TriggerRule
from features.triggers.settings import TriggerSettings

RAW_COLUMNS: Final[Mapping[str, str]] = {
    "customer_id": "STRING",
    "about": "STRING",
    "subject": "STRING",
    "urgency": "STRING",
    "began_at": "BIGINT",
    "expires_at": "BIGINT",
    "stem": "STRING",
    "timezone": "STRING",
}
"""Columns of a case before its facts are written, and their types."""

STEM_LENGTH: Final = 32
"""Characters of a key that stand for customer, trigger and subject: an MD5 in hexadecimal."""

_TEXTS = (FactKind.TEXT,)

FACT_TYPES: Final[Mapping[str, str]] = {
    fact.name: "STRING" if fact.kind in _TEXTS else "BIGINT"
    for facts in FACTS.values()
    for fact in facts
}
"""Every fact of any trigger, and its type in SQL."""

_CASES = """
WITH found AS ({found}), named AS (
    SELECT f.*, k.timezone AS zone, md5(CONCAT('{trigger}/', CAST(LENGTH(f.customer_id) AS STRING),
        '/', f.customer_id, '/', COALESCE(f.subject, ''))) AS stem
    FROM found f JOIN customers k ON k.customer_id = f.customer_id
), told AS (
    SELECT customer_id, {of_subject} AS of_subject, MAX(t) AS last_at
    FROM messages WHERE about = '{trigger}' GROUP BY customer_id, {of_subject}
), told_of AS (
    SELECT customer_id, MAX(last_at) AS last_at FROM told WHERE of_subject = ''
    GROUP BY customer_id
), untold AS (
    SELECT n.*, {place} AS place
    FROM named n LEFT JOIN told_of m ON m.customer_id = n.customer_id
        LEFT JOIN told s ON s.customer_id = n.customer_id AND s.of_subject = n.stem
    WHERE (m.last_at IS NULL OR m.last_at < n.began_at)
        AND (s.last_at IS NULL OR s.last_at < n.began_at)
)
SELECT customer_id, '{trigger}' AS about, subject, urgency, began_at, expires_at, stem,
    zone AS timezone, {facts}
FROM untold WHERE place <= 1
"""

_PLACE = (
    "ROW_NUMBER() OVER (PARTITION BY n.customer_id"
    " ORDER BY n.preference DESC, COALESCE(n.subject, ''))"
)


def write_query(rule: TriggerRule, *, at: int, settings: TriggerSettings) -> str:
    """The cases of one trigger at a moment that nobody was told of; see the module.

    Args:
        rule: The trigger.
        at: The moment, in UTC microseconds.
        settings: Thresholds.
    """
    own = {fact.name for fact in FACTS[rule.trigger]}
    facts = ", ".join(
        f"CAST({name if name in own else 'NULL'} AS {kind}) AS fact_{name}"
        for name, kind in FACT_TYPES.items()
    )
    # A message without a key does not say what it was about: it tells of everything.
    of_subject = (
        f"SUBSTR(COALESCE(case_key, ''), 1, {STEM_LENGTH})" if rule.told_by_subject else "''"
    )
    return _CASES.format(
        found=rule.sql(at, settings),
        trigger=rule.trigger,
        of_subject=of_subject,
        facts=facts,
        place=_PLACE if rule.one_per_customer else "1",
    )
