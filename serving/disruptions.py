"""From facts about disruptions to incidents: what is posted, and what tables say."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pandas as pd

from features.engines import DUCKDB, Engine
from features.point_in_time.facts import open_known_facts
from features.point_in_time.spine import to_micros
from features.tables import Tables
from serving.online.facts import Fact
from serving.policy.cases import DAY_US
from serving.policy.settings import DisruptionSettings
from serving.store.disruptions import Disruption
from serving.store.store import Store, StoreSession

_TABLE = "disruptions"
_KNOWN = f"SELECT disruption_id, region, t, ends_at FROM {_TABLE} ORDER BY t"


def follow_posted(
    session: StoreSession, facts: Iterable[Fact], *, now_us: int, settings: DisruptionSettings
) -> None:
    """Let incidents follow the disruptions among facts that have just been taken in."""
    told = [_read(fact) for fact in facts if fact.table == _TABLE]
    if settings.pause_marketing and told:
        session.disruptions.follow(told, now_us=now_us, longest_us=_longest_us(settings))


def follow_tables(
    store: Store,
    tables: Tables,
    *,
    as_of: datetime,
    settings: DisruptionSettings,
    engine: Engine = DUCKDB,
) -> None:
    """Let incidents follow what tables say of disruptions.

    Tables know of no moment that is still to come, so that an end which was posted for later stays.
    """
    if not settings.pause_marketing or _TABLE not in tables:
        return
    at = to_micros(as_of)
    with open_known_facts(tables, names=(_TABLE,), before=at, engine=engine) as facts:
        found = facts.query(_KNOWN)
    told = [
        Disruption(disruption_id, region, starts_us, None if pd.isna(ends_us) else int(ends_us))
        for disruption_id, region, starts_us, ends_us in zip(
            *(found[name].tolist() for name in ("disruption_id", "region", "t", "ends_at")),
            strict=True,
        )
    ]
    with store.transaction() as session:
        before = session.disruptions.find_told(one.disruption_id for one in told)
        known = [_with_later_end(one, before.get(one.disruption_id), now_us=at) for one in told]
        session.disruptions.follow(known, now_us=at, longest_us=_longest_us(settings))


def _read(fact: Fact) -> Disruption:
    ends_at = fact.row.get("ends_at")
    return Disruption(
        str(fact.row["disruption_id"]),
        str(fact.row["region"]),
        fact.moment_us,
        None if ends_at is None else int(ends_at),
    )


def _with_later_end(one: Disruption, before: Disruption | None, *, now_us: int) -> Disruption:
    ends_us = None if before is None else before.ends_at_us
    if one.ends_at_us is None and ends_us is not None and ends_us > now_us:
        return replace(one, ends_at_us=ends_us)
    return one


def _longest_us(settings: DisruptionSettings) -> int:
    return round(settings.at_most_days * DAY_US)
