"""The log of facts, and what is made of it: histories, states, and what was served from them.

Facts and rows pass as text and bytes here; what is in them is known to `serving.online`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, delete, func, insert, select, update

from features.errors import ConflictError
from serving.store.engine import insert_into
from serving.store.kept import (
    Generation,
    LogCounts,
    LoggedFact,
    ServedFeatures,
    ServedLot,
    StoredFact,
    StoredState,
)
from serving.store.lots import in_lots
from serving.store.schema import facts, generations, histories, links, states
from serving.store.served import ServedLog

_EVENTS = select(facts.c.table_name, facts.c.event_id).where(
    facts.c.event_id.in_(bindparam("keys", expanding=True))
)
_LAST_OF_IDENTITY = select(facts.c.identity, facts.c.digest).where(
    facts.c.seq.in_(
        select(func.max(facts.c.seq))
        .where(facts.c.identity.in_(bindparam("keys", expanding=True)))
        .group_by(facts.c.identity)
    )
)
_FACTS_OF = (
    select(facts.c.table_name, facts.c.row, facts.c.known_us, facts.c.event_id, facts.c.seq)
    .where(facts.c.owner.in_(bindparam("keys", expanding=True)))
    .order_by(facts.c.seq)
)
_ALL_FACTS = (
    select(facts.c.table_name, facts.c.row, facts.c.known_us, facts.c.event_id, facts.c.seq)
    .where(facts.c.seq > bindparam("after"))
    .order_by(facts.c.seq)
    .limit(bindparam("most"))
)
_LAST_KNOWN = select(func.max(facts.c.known_us))
_OWNERS_AFTER = select(facts.c.owner).where(facts.c.seq > bindparam("after")).distinct()
_LAST_SEQ = select(func.coalesce(func.max(facts.c.seq), 0))
_NEWEST_GENERATION = select(func.coalesce(func.max(generations.c.generation), 0))
_CURRENT = select(generations).where(generations.c.current.is_(True))
_HISTORIES = select(histories.c.owner, histories.c.rows).where(
    histories.c.generation == bindparam("generation"),
    histories.c.owner.in_(bindparam("keys", expanding=True)),
)
_STATES = select(
    states.c.customer_id, states.c.layout, states.c.profile, states.c.tail, states.c.state
).where(
    states.c.generation == bindparam("generation"),
    states.c.customer_id.in_(bindparam("keys", expanding=True)),
)
_STATE_IDS = select(states.c.customer_id).where(states.c.generation == bindparam("generation"))
_LINKS = select(links.c.owner, links.c.customer_id).where(
    links.c.owner.in_(bindparam("keys", expanding=True))
)
_ADD_FACTS = insert(facts)


# Built once per database: building a statement costs more than running it.
@cache
def _put_states(dialect: str) -> Insert:
    put = insert_into(dialect, states)
    news = {name: put.excluded[name] for name in ("layout", "profile", "tail", "state")}
    return put.on_conflict_do_update(index_elements=["generation", "customer_id"], set_=news)


@cache
def _add_links(dialect: str) -> Insert:
    return insert_into(dialect, links).on_conflict_do_nothing()


class OnlineSession:
    """The part of a transaction that is about facts and states."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection
        self._served = ServedLog(connection)

    # ------------------------------------------------------------ the log

    def last_known_us(self) -> int | None:
        """When the last fact was told; None before the first."""
        moment: int | None = self._connection.execute(_LAST_KNOWN).scalar()
        return moment

    def append(self, posted: Sequence[StoredFact]) -> list[bool]:
        """Add facts in their order; whether each was new. What was told before is not added."""
        events = self._find_events([f.event_id for f in posted if f.event_id is not None])
        last = self._find_last([f.identity for f in posted if f.identity is not None])
        new: list[bool] = []
        rows: list[dict[str, object]] = []
        for fact in posted:
            is_again = fact.event_id is not None and (fact.table, fact.event_id) in events
            if fact.identity is not None and fact.identity in last:
                is_again |= fact.is_told_once or last[fact.identity] == fact.digest
            new.append(not is_again)
            if is_again:
                continue
            if fact.event_id is not None:
                events.add((fact.table, fact.event_id))
            if fact.identity is not None:
                last[fact.identity] = fact.digest
            rows.append(_fact_row(fact))
        if rows:
            self._connection.execute(_ADD_FACTS, rows)
        return new

    def _find_events(self, keys: list[str]) -> set[tuple[str, str]]:
        return {
            (table, event_id)
            for lot in in_lots(keys)
            for table, event_id in self._connection.execute(_EVENTS, {"keys": lot})
        }

    def _find_last(self, keys: list[str]) -> dict[str, str]:
        return {
            identity: digest
            for lot in in_lots(keys)
            for identity, digest in self._connection.execute(_LAST_OF_IDENTITY, {"keys": lot})
        }

    def read_facts(self, owners: Iterable[str]) -> list[LoggedFact]:
        """Facts of some owners in the order of the log."""
        found = [
            LoggedFact(*row)
            for lot in in_lots(list(dict.fromkeys(owners)))
            for row in self._connection.execute(_FACTS_OF, {"keys": lot})
        ]
        return sorted(found, key=lambda fact: fact.seq)

    def read_log(self, *, after: int, most: int) -> list[LoggedFact]:
        """The next facts of everybody after a place in the log."""
        rows = self._connection.execute(_ALL_FACTS, {"after": after, "most": most})
        return [LoggedFact(*row) for row in rows]

    def last_seq(self) -> int:
        """The last place in the log; 0 before the first."""
        return int(self._connection.execute(_LAST_SEQ).scalar_one())

    def owners_after(self, seq: int) -> list[str]:
        """Whose facts came after a place in the log."""
        return list(self._connection.execute(_OWNERS_AFTER, {"after": seq}).scalars())

    def tables_in_log(self) -> frozenset[str]:
        """Tables that facts were posted of."""
        return frozenset(self._connection.execute(select(facts.c.table_name).distinct()).scalars())

    # ------------------------------------------------------------ links between owners

    def add_links(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember to whom the facts of an owner matter: (owner, customer_id)."""
        rows = [
            {"owner": owner, "customer_id": customer} for owner, customer in dict.fromkeys(pairs)
        ]
        if rows:
            self._connection.execute(_add_links(self._connection.dialect.name), rows)

    def find_linked(self, owners: Iterable[str]) -> dict[str, list[str]]:
        """Customers to whom the facts of these owners matter, by owner."""
        found: dict[str, list[str]] = {}
        for lot in in_lots(list(dict.fromkeys(owners))):
            for owner, customer_id in self._connection.execute(_LINKS, {"keys": lot}):
                found.setdefault(owner, []).append(customer_id)
        return found

    # ------------------------------------------------------------ generations

    def current_generation(self) -> Generation | None:
        """What states and histories stand on; None where nothing was ever rebuilt or posted."""
        row = self._connection.execute(_CURRENT).first()
        if row is None:
            return None
        number, as_of_us, tables, layout, n_customers, _ = row
        return Generation(number, as_of_us, frozenset(json.loads(tables)), layout, n_customers)

    def begin_generation(self, *, as_of_us: int, tables: Iterable[str], layout: str) -> int:
        """A new generation that nobody reads yet; what others left unfinished is cleared away."""
        current = self.current_generation()
        kept = 0 if current is None else current.number
        newest = self._connection.execute(_NEWEST_GENERATION).scalar_one()
        for table in (states, histories, generations):
            self._connection.execute(delete(table).where(table.c.generation != kept))
        number = int(newest) + 1
        row = {
            "generation": number,
            "as_of_us": as_of_us,
            "tables": json.dumps(sorted(tables)),
            "layout": layout,
            "n_customers": 0,
            "current": False,
        }
        self._connection.execute(insert(generations), row)
        return number

    def make_current(self, number: int) -> int:
        """Let everybody read this generation, and drop the others; how many states it has.

        Raises:
            ConflictError: Another rebuild began after this one, and cleared it away.
        """
        n_customers = int(
            self._connection.execute(
                select(func.count()).select_from(states).where(states.c.generation == number)
            ).scalar_one()
        )
        done = self._connection.execute(
            update(generations)
            .where(generations.c.generation == number)
            .values(current=True, n_customers=n_customers)
        )
        if done.rowcount == 0:
            raise ConflictError("another rebuild began after this one; that one counts")
        for table in (states, histories, generations):
            self._connection.execute(delete(table).where(table.c.generation != number))
        return n_customers

    def add_tables(self, generation: Generation, tables: Iterable[str]) -> Generation:
        """Note that facts of these tables are known now, where that is news."""
        all_of_them = generation.tables | set(tables)
        if all_of_them == generation.tables:
            return generation
        self._connection.execute(
            update(generations)
            .where(generations.c.generation == generation.number)
            .values(tables=json.dumps(sorted(all_of_them)))
        )
        return Generation(
            generation.number,
            generation.as_of_us,
            frozenset(all_of_them),
            generation.layout,
            generation.n_customers,
        )

    # ------------------------------------------------------------ histories and states

    def put_histories(self, generation: int, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep packed rows by owner."""
        packed = [{"generation": generation, "owner": o, "rows": b} for o, b in rows]
        if packed:
            self._connection.execute(insert(histories), packed)

    def find_histories(self, generation: int, owners: Iterable[str]) -> dict[str, bytes]:
        """Packed rows by owner."""
        return {
            owner: rows
            for lot in in_lots(list(dict.fromkeys(owners)))
            for owner, rows in self._connection.execute(
                _HISTORIES, {"generation": generation, "keys": lot}
            )
        }

    def put_states(self, generation: int, kept: Iterable[StoredState]) -> None:
        """Keep states; a customer's earlier one is replaced."""
        rows = [
            {
                "generation": generation,
                "customer_id": state.customer_id,
                "layout": state.layout,
                "profile": state.profile,
                "tail": state.tail,
                "state": state.state,
            }
            for state in kept
        ]
        if not rows:
            return
        self._connection.execute(_put_states(self._connection.dialect.name), rows)

    def find_states(self, generation: int, customer_ids: Iterable[str]) -> dict[str, StoredState]:
        """States by customer."""
        return {
            row[0]: StoredState(*row)
            for lot in in_lots(list(dict.fromkeys(customer_ids)))
            for row in self._connection.execute(_STATES, {"generation": generation, "keys": lot})
        }

    def state_ids(self, generation: int) -> list[str]:
        """Everybody who has a state."""
        return list(self._connection.execute(_STATE_IDS, {"generation": generation}).scalars())

    # ------------------------------------------------------------ what was served

    def add_served(self, lot: ServedLot) -> None:
        """Keep the features of decisions."""
        self._served.add(lot)

    def read_served(self, *, since_us: int, until_us: int) -> Iterator[ServedFeatures]:
        """What was served as of moments in `since <= as_of < until`."""
        return self._served.read(since_us=since_us, until_us=until_us)

    def count_served(self, *, since_us: int) -> int:
        """How many decisions were served features of this moment or a later one."""
        return self._served.count(since_us=since_us)

    def count(self) -> LogCounts:
        """How many facts, states and served features there are."""
        n_facts, n_states = (
            int(self._connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in (facts, states)
        )
        n_served = self._served.count(since_us=0)
        return LogCounts(n_facts, n_states, n_served, self.last_known_us())


def _fact_row(fact: StoredFact) -> dict[str, object]:
    return {
        "owner": fact.owner,
        "table_name": fact.table,
        "event_id": fact.event_id,
        "identity": fact.identity,
        "digest": fact.digest,
        "known_us": fact.known_us,
        "row": fact.row,
    }
