"""Histories and states of every customer made anew: from the tables, with the log on top.

What is made is a new generation that nobody reads until it is whole; who asks meanwhile is answered
from the one before. Facts that arrive meanwhile are in the log, and the states that they concern
are made once more before the switch.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS
from features.online import replay
from features.point_in_time.spine import to_moment
from features.tables import Tables, find_known
from serving.online.accounts import Account, running_layout, versions_in
from serving.online.facts import OWNERS, Fact
from serving.online.ledger import find_links, replay_accounts
from serving.online.rows import facts_of, pack_facts
from serving.policy.cases import to_us
from serving.store.kept import Generation
from serving.store.online import OnlineSession
from serving.store.store import Store

_CUSTOMER: Final = "customer/"
_LOT: Final = 2_000  # owners at once, to bound memory
_LINK_DAYS: Final = 120  # outcomes and parcels come within weeks


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild made.

    Attributes:
        generation: Its number.
        n_customers: Customers with a state.
        n_replayed: Those among them of whom the log knows more than the tables.
    """

    generation: int
    n_customers: int
    n_replayed: int


def rebuild_online(store: Store, tables: Tables, *, as_of: datetime) -> Rebuilt:
    """Make histories and states anew from what was known before a moment, and from the whole log.

    Args:
        store: Where log, histories and states are.
        tables: Conformed frames by name, every version of every row.
        as_of: Aware moment.

    Raises:
        ConflictError: Another rebuild began meanwhile; that one counts.
    """
    owned = [
        _own(name, frame, customer_of=customer_of)
        for customer_of in [_find_customers(tables)]
        for name, frame in _known_before(tables, as_of).items()
    ]
    layout = running_layout().digest
    with store.transaction() as session:
        number = session.online.begin_generation(
            as_of_us=to_us(as_of), tables=tables.keys(), layout=layout
        )
    generation = Generation(number, to_us(as_of), frozenset(tables), layout, 0)
    for lot in _in_lots(owned):
        _put_lot(store, generation, lot, as_of=as_of)
    with store.reading() as session:
        seen = session.online.last_seq()
        touched = sorted(_customers_of(session.online, after=0))
    n_replayed = 0
    for start in range(0, len(touched), _LOT):
        with store.transaction() as session:
            ids = touched[start : start + _LOT]
            n_replayed += _replay(session.online, generation, ids)
    with store.transaction() as session:
        _replay(session.online, generation, _customers_of(session.online, after=seen))
        session.online.add_tables(generation, session.online.tables_in_log())
        n_customers = session.online.make_current(number)
    return Rebuilt(number, n_customers, n_replayed)


def _put_lot(store: Store, generation: Generation, lot: "_Lot", *, as_of: datetime) -> None:
    accounts = _make_accounts(lot, as_of=as_of)
    with store.transaction() as session:
        session.online.put_histories(generation.number, _pack(lot))
        session.online.put_states(generation.number, [account.pack() for account in accounts])
        session.online.add_links(_recent_links(lot, as_of=as_of))


def _replay(online: OnlineSession, generation: Generation, customer_ids: Collection[str]) -> int:
    """Make states of history and log together; how many."""
    accounts = replay_accounts(online, generation, customer_ids)
    online.put_states(generation.number, [account.pack() for account in accounts.values()])
    return len(accounts)


@dataclass(frozen=True)
class _OwnedTable:
    """A table sorted by owner.

    Attributes:
        name: Its name.
        frame: Its rows.
        owners: The owner of each row, sorted.
    """

    name: str
    frame: pd.DataFrame
    owners: "pd.Series[str]"

    def part(self, first: str, last: str) -> "_OwnedTable":
        """The rows of the owners from the first to the last."""
        values = self.owners.to_numpy(dtype=object)
        begin = int(np.searchsorted(values, first, side="left"))
        end = int(np.searchsorted(values, last, side="right"))
        return _OwnedTable(self.name, self.frame.iloc[begin:end], self.owners.iloc[begin:end])


_Lot = Sequence[_OwnedTable]


def _known_before(tables: Tables, as_of: datetime) -> dict[str, pd.DataFrame]:
    """Every version of every row that was known before a moment."""
    moment = to_moment(as_of)
    return {
        name: frame.loc[find_known(frame, contract) < moment]
        for name, contract in CONTRACTS.items()
        if contract.moment and name in tables
        for frame in [tables[name]]
    }


def _find_customers(tables: Tables) -> Mapping[str, "pd.Series[str]"]:
    """Customers of messages and parcels, by kind of owner: a series by identity."""
    found: dict[str, pd.Series[str]] = {}
    for kind, table, column in (
        ("message", "messages", "message_id"),
        ("tracking", "orders", "tracking_id"),
    ):
        if table in tables:
            named = tables[table].dropna(subset=column).drop_duplicates(column, keep="last")
            found[kind] = named.set_index(column)["customer_id"]
    return found


def _own(
    name: str, frame: pd.DataFrame, *, customer_of: Mapping[str, "pd.Series[str]"]
) -> _OwnedTable:
    """The table sorted by owner: the customer where there is one, else what the rows are about."""
    kind, column = OWNERS.get(name, ("customer", "customer_id"))
    owners = (f"{kind}/" + frame[column]).where(frame[column].notna(), "other")
    if kind in customer_of:
        ids = frame[column].map(customer_of[kind])
        owners = (_CUSTOMER + ids).where(ids.notna(), owners)
    order = np.argsort(owners.to_numpy(dtype=object), kind="stable")
    return _OwnedTable(name, frame.iloc[order], owners.iloc[order])


def _in_lots(owned: Sequence[_OwnedTable]) -> Iterator[_Lot]:
    """All rows of some owners at once, and then of the next."""
    everybody = pd.unique(pd.concat([table.owners for table in owned], ignore_index=True))
    owners = sorted(str(owner) for owner in everybody)
    for start in range(0, len(owners), _LOT):
        lot = owners[start : start + _LOT]
        yield [table.part(lot[0], lot[-1]) for table in owned]


def _make_accounts(lot: _Lot, *, as_of: datetime) -> list[Account]:
    """Accounts of the customers of a lot."""
    tables = {
        table.name: table.frame.loc[table.owners.str.startswith(_CUSTOMER).to_numpy()]
        for table in lot
    }
    if tables["customers"].empty:
        return []
    facts = facts_of(tables["customers"], "customers")
    rows: dict[str, list[Fact]] = {}
    for fact in facts:
        rows.setdefault(str(fact.row["customer_id"]), []).append(fact)
    return [
        Account.of_state(state, versions_in(rows[state.customer_id]))
        for state in replay(tables, layout=running_layout(), before=as_of)
        if state.customer_id in rows
    ]


def _pack(lot: _Lot) -> list[tuple[str, bytes]]:
    """Histories of the owners of a lot."""
    facts: dict[str, list[Fact]] = {}
    for table in lot:
        for owner, fact in zip(table.owners, facts_of(table.frame, table.name), strict=True):
            facts.setdefault(owner, []).append(fact)
    return [(owner, pack_facts(rows)) for owner, rows in facts.items()]


def _recent_links(lot: _Lot, *, as_of: datetime) -> list[tuple[str, str]]:
    """To whom messages and parcels of the last months belong."""
    since = to_moment(as_of) - pd.Timedelta(days=_LINK_DAYS)
    recent = (
        (table.name, table.frame.loc[table.frame[CONTRACTS[table.name].moment] >= since])
        for table in lot
        if table.name in ("messages", "orders")
    )
    return [link for name, frame in recent for link in find_links(facts_of(frame, name))]


def _customers_of(online: OnlineSession, *, after: int) -> set[str]:
    """To whom facts of the log after a place matter."""
    owners = online.owners_after(after)
    linked = online.find_linked(owners)
    return {
        customer_id
        for owner in owners
        for customer_id in (
            [owner.removeprefix(_CUSTOMER)]
            if owner.startswith(_CUSTOMER)
            else linked.get(owner, [])
        )
    }
