"""Who was really there: a visit on record, at that branch, shortly before the complaint."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from serving.autopilot.acting.settings import CompensationRules
from serving.corridor.stop_files import fold_name
from serving.online.facts import Fact
from serving.online.ledger import group_log, owner_of, read_customers
from serving.online.rows import read_logged
from serving.policy.cases import to_us
from serving.store.bursts import Affected
from serving.store.store import StoreSession


def find_visitors(
    session: StoreSession, affected: Sequence[Affected], *, branch: str, rules: CompensationRules
) -> list[str]:
    """Of those who complained, who has a visit on record.

    A visit is a row of `activity` of a kind that counts, with the branch as its location, from
    `hours_before` the customer's first complaint until their last one. Rows come from the tables
    (`opportune online rebuild`) and from `/events`; one that became known only after the last
    complaint does not count, so that nobody can be there after the fact.
    """
    facts = _read_facts(session, [one.customer_id for one in affected])
    before = timedelta(hours=rules.hours_before)
    return [
        one.customer_id
        for one in affected
        if any(
            _is_visit(
                fact,
                branch=fold_name(branch),
                rules=rules,
                since=one.first_at - before,
                until=one.last_at,
            )
            for fact in facts.get(one.customer_id, ())
        )
    ]


def _is_visit(
    fact: Fact, *, branch: str, rules: CompensationRules, since: datetime, until: datetime
) -> bool:
    if fact.table != "activity" or fact.row.get("kind") not in rules.visit_kinds:
        return False
    where = fact.row.get("location")
    is_there = isinstance(where, str) and fold_name(where) == branch
    return is_there and to_us(since) <= fact.moment_us and fact.knowable_us <= to_us(until)


def _read_facts(session: StoreSession, customer_ids: Sequence[str]) -> dict[str, list[Fact]]:
    """Everything known of each customer; where nothing was rebuilt, what was posted."""
    generation = session.online.current_generation()
    if generation is not None:
        return read_customers(session.online, generation, customer_ids)
    logged = group_log(read_logged(session.online.read_facts(map(owner_of, customer_ids))))
    return {one: logged.get(owner_of(one), []) for one in customer_ids}
