"""What the engine asks of a store, whoever keeps it: a database, or the memory of one batch."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from serving.lots.decided import Kept
from serving.lots.lot import DecisionLot
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.store.budgets import Ledger
from serving.store.incidents import Incident
from serving.store.online import OnlineSession
from serving.store.reach import Refusals
from serving.store.store import StoredContact


class DecisionSession(Protocol):
    """One transaction: what it reads cannot change before what it writes is kept."""

    @property
    def online(self) -> OnlineSession | None:
        """Facts and states of customers; None where none are kept."""
        ...

    def find_by_keys(self, requests: Sequence[DecisionRequest], /) -> dict[str, Decision]:
        """Records that exist under the requests' idempotency keys, by key."""
        ...

    def find_contacts(self, customer_ids: Sequence[str], *, since_us: int) -> list[StoredContact]:
        """Notices to these customers sent or planned since then, with whether a human opened."""
        ...

    @property
    def ledger(self) -> Ledger | None:
        """The budgets' ledger; None where none is kept."""
        ...

    def find_refusals(self, customer_ids: Sequence[str]) -> Refusals:
        """What stands against writing to these customers."""
        ...

    def find_incidents(self, customer_ids: Sequence[str], *, since_us: int) -> list[Incident]:
        """Incidents that are open or end after that moment, with whom of these they touch."""
        ...

    def add_lot(self, lot: DecisionLot, /) -> Kept:
        """Keep new decisions and their messages; how they were kept."""
        ...

    def add_outcomes(
        self, events: Sequence[OutcomeEvent], *, now_us: int | None = None
    ) -> list[OutcomeState]:
        """Book outcomes; states in the order of the events."""
        ...


class DecisionStore(Protocol):
    """Where decisions are kept."""

    def transaction(self) -> AbstractContextManager[DecisionSession]:
        """A transaction of its own."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...
