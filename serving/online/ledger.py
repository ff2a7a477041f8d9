"""Taking facts in: into the log once, and into the states of the customers they are about."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from serving.online.accounts import Account, replay_account, running_layout, unpack_account
from serving.online.facts import Fact
from serving.online.rows import merge_facts, read_logged, unpack_facts
from serving.store.kept import Generation, StoredFact
from serving.store.online import OnlineSession

_CUSTOMER: Final = "customer/"
_LINKED: Final = {"messages": ("message", "message_id"), "orders": ("tracking", "tracking_id")}
"""Tables whose rows tell to whom another owner's facts matter, and the column that names it."""


@dataclass(frozen=True)
class TakenFact:
    """What became of one fact.

    Attributes:
        is_new: It was not told before.
        customer_ids: To whom it matters, known or not.
    """

    is_new: bool
    customer_ids: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """What became of some facts.

    Attributes:
        facts: One per fact, in order.
        generation: What histories and states stand on.
        accounts: Everybody who is known and to whom a new fact matters, by customer.
    """

    facts: tuple[TakenFact, ...]
    generation: Generation
    accounts: dict[str, Account]


def owner_of(customer_id: str) -> str:
    """The owner under which a customer's own facts are kept."""
    return f"{_CUSTOMER}{customer_id}"


def find_links(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """To whom the facts of messages and parcels matter: (owner, customer_id)."""
    return [
        (f"{kind}/{fact.row[column]}", str(fact.row["customer_id"]))
        for fact in facts
        if fact.table in _LINKED
        for kind, column in [_LINKED[fact.table]]
        if column in fact.row
    ]


def take_facts(online: OnlineSession, told: Sequence[tuple[Fact, int]]) -> Taken:
    """Add facts to the log and apply the new ones, in the transaction of the session.

    Args:
        online: An open transaction that holds the write lock.
        told: Facts with the moments at which they were told, in UTC microseconds, in order; none
            before the last fact of the log.
    """
    facts = [fact for fact, _ in told]
    is_new = online.append([_stored(fact, told_us) for fact, told_us in told])
    news = [pair for pair, new in zip(told, is_new, strict=True) if new]
    generation = require_generation(online)
    generation = online.add_tables(generation, {fact.table for fact, _ in news})
    links = find_links(fact for fact, _ in news)
    online.add_links(links)
    whose = _find_customers(online, facts)
    touched = {c for new, ids in zip(is_new, whose, strict=True) if new for c in ids}
    now_us = max((told_us for _, told_us in told), default=0)
    stored = load_accounts(online, generation, touched)
    early = _find_early_outcomes(online, links, facts=[fact for fact, _ in news])
    for (fact, told_us), new, ids in zip(told, is_new, whose, strict=True):
        for customer_id in ids if new else ():
            if (account := stored.get(customer_id)) is not None:
                account.apply(fact, told_us=told_us)
    for customer_id, fact in early:
        if (account := stored.get(customer_id)) is not None:
            account.apply(fact, told_us=now_us)
    # The log holds the new facts already, so that what is replayed from it is complete.
    replayed = replay_accounts(online, generation, touched - stored.keys())
    accounts = {**stored, **replayed}
    online.put_states(generation.number, [account.pack() for account in accounts.values()])
    results = tuple(TakenFact(n, tuple(ids)) for n, ids in zip(is_new, whose, strict=True))
    return Taken(results, generation, accounts)


def require_generation(online: OnlineSession) -> Generation:
    """The current generation; an empty one is begun where nothing was rebuilt yet."""
    generation = online.current_generation()
    if generation is None:
        layout = running_layout().digest
        number = online.begin_generation(as_of_us=0, tables=(), layout=layout)
        online.make_current(number)
        return Generation(number, 0, frozenset(), layout, 0)
    return generation


def load_accounts(
    online: OnlineSession, generation: Generation, customer_ids: Iterable[str]
) -> dict[str, Account]:
    """Accounts that are kept in the running layout."""
    found = online.find_states(generation.number, customer_ids)
    layout = running_layout().digest
    return {
        customer_id: unpack_account(stored)
        for customer_id, stored in found.items()
        if stored.layout == layout
    }


def replay_accounts(
    online: OnlineSession, generation: Generation, customer_ids: Iterable[str]
) -> dict[str, Account]:
    """Accounts made anew from history and log, of those who are known; not stored yet."""
    made = (
        (customer_id, replay_account(customer_id, facts))
        for customer_id, facts in read_customers(online, generation, customer_ids).items()
    )
    return {customer_id: account for customer_id, account in made if account is not None}


def read_customers(
    online: OnlineSession, generation: Generation, customer_ids: Iterable[str]
) -> dict[str, list[Fact]]:
    """Everything known of each customer: their own rows, what came of messages, where parcels are.

    Returns:
        Facts of history and log by customer, each row once.
    """
    ids = list(dict.fromkeys(customer_ids))
    packed = online.find_histories(generation.number, map(owner_of, ids))
    history = {
        customer_id: unpack_facts(packed[owner])
        if (owner := owner_of(customer_id)) in packed
        else []
        for customer_id in ids
    }
    log = group_log(read_logged(online.read_facts(map(owner_of, ids))))
    links: dict[str, list[str]] = {}
    for customer_id in ids:
        own = (*history[customer_id], *log.get(owner_of(customer_id), ()))
        links[customer_id] = [owner for owner, _ in find_links(own)]
    others = [owner for owners in links.values() for owner in owners]
    linked = group_log(read_logged(online.read_facts(others)))
    unlinked = read_histories(online, generation, others)
    return {
        customer_id: merge_facts(
            [
                *history[customer_id],
                *(fact for owner in links[customer_id] for fact in unlinked.get(owner, ())),
            ],
            [
                *log.get(owner_of(customer_id), ()),
                *(fact for owner in links[customer_id] for fact in linked.get(owner, ())),
            ],
        )
        for customer_id in ids
    }


def read_histories(
    online: OnlineSession, generation: Generation, owners: Iterable[str]
) -> dict[str, list[Fact]]:
    """Rows of the tables by owner."""
    packed = online.find_histories(generation.number, owners)
    return {owner: unpack_facts(rows) for owner, rows in packed.items()}


def group_log(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """Facts by owner."""
    grouped: dict[str, list[Fact]] = {}
    for fact in facts:
        grouped.setdefault(fact.owner, []).append(fact)
    return grouped


def _find_customers(online: OnlineSession, facts: Sequence[Fact]) -> list[list[str]]:
    """To whom each fact matters."""
    owners = [fact.owner for fact in facts]
    linked = online.find_linked(o for o in owners if o.startswith(("message/", "tracking/")))
    return [
        [owner.removeprefix(_CUSTOMER)] if owner.startswith(_CUSTOMER) else linked.get(owner, [])
        for owner in owners
    ]


def _find_early_outcomes(
    online: OnlineSession, links: Sequence[tuple[str, str]], *, facts: Sequence[Fact]
) -> list[tuple[str, Fact]]:
    """Outcomes that were told before the messages which are told now, with the customers."""
    customer_of = {owner: customer for owner, customer in links if owner.startswith("message/")}
    if not customer_of:
        return []
    told = {fact.identity for fact in facts if fact.table == "outcomes"}
    return [
        (customer_of[fact.owner], fact)
        for fact in read_logged(online.read_facts(customer_of))
        if fact.identity not in told
    ]


def _stored(fact: Fact, told_us: int) -> StoredFact:
    return StoredFact(
        owner=fact.owner,
        table=fact.table,
        row=json.dumps(fact.row, ensure_ascii=False),
        known_us=told_us,
        event_id=fact.event_id,
        identity=fact.identity,
        is_told_once=fact.is_told_once,
        digest=fact.digest,
    )
