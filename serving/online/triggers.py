"""Triggers of a few customers, found in their histories and the log by the same SQL as in batch."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import pandas as pd

from features.engines.duckdb import DuckDBEngine
from features.triggers import find_triggers
from serving.online.facts import Fact
from serving.online.ledger import group_log, read_customers, read_histories
from serving.online.records import FoundTrigger
from serving.online.rows import merge_facts, read_logged, tables_of
from serving.store.kept import Generation
from serving.store.online import OnlineSession

_SHARED: Final = {"activity": ("item", "item"), "customers": ("region", "region")}
"""Columns that name whose prices and disruptions matter."""

_FEW_ROWS: Final = DuckDBEngine(threads=1)
"""Several threads for a handful of rows would only wait for each other."""

_ALWAYS: Final = frozenset({"customers", "activity"})
"""Tables that mean something without rows too: a trigger of any other needs rows of it."""


def find_online(
    online: OnlineSession, generation: Generation, customer_ids: Collection[str], *, as_of: datetime
) -> list[FoundTrigger]:
    """Everything that these customers should hear as of a moment and were not told yet."""
    if not customer_ids:
        return []
    facts = [
        fact
        for known in read_customers(online, generation, customer_ids).values()
        for fact in known
    ]
    shared = _read_shared(online, generation, _name_shared(facts))
    tables = tables_of([*facts, *shared], names=generation.tables & _ALWAYS)
    return list_found(find_triggers(tables, as_of=as_of, engine=_FEW_ROWS))


def list_found(cases: pd.DataFrame) -> list[FoundTrigger]:
    """Cases as they are answered."""
    columns = ("customer_id", "trigger", "subject", "urgency", "evidence", "key", "expires_at")
    return [
        FoundTrigger(
            customer_id=customer_id,
            trigger=trigger,
            subject=subject,
            urgency=None if pd.isna(urgency) else urgency,
            evidence=json.loads(evidence),
            idempotency_key=key,
            expires_at=None if pd.isna(expires_at) else expires_at.to_pydatetime(),
        )
        for customer_id, trigger, subject, urgency, evidence, key, expires_at in zip(
            *(cases[column] for column in columns), strict=True
        )
    ]


def _name_shared(facts: Iterable[Fact]) -> list[str]:
    """Owners of the prices and disruptions that can matter to these customers."""
    owners = {
        f"{kind}/{fact.row[column]}"
        for fact in facts
        if fact.table in _SHARED
        for kind, column in [_SHARED[fact.table]]
        if column in fact.row
    }
    return sorted(owners)


def _read_shared(
    online: OnlineSession, generation: Generation, owners: Collection[str]
) -> list[Fact]:
    history = read_histories(online, generation, owners)
    log = group_log(read_logged(online.read_facts(owners)))
    return [
        fact for owner in owners for fact in merge_facts(history.get(owner, []), log.get(owner, []))
    ]
