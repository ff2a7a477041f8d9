"""A store in memory: what a part of a batch must know of its customers, and nothing beyond."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from serving.lots.decided import Kept
from serving.lots.lot import DecisionLot
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.store.incidents import Incident
from serving.store.reach import Bounce, Refusals, Withdrawal
from serving.store.store import StoredContact


@dataclass(frozen=True)
class Memory:
    """What a store knows of one customer.

    Attributes:
        contacts: Notices sent or planned.
        withdrawals: Unsubscribes and complaints.
        bounces: Of channels on which nothing has arrived since.
        incidents: Incidents that touch the customer by name.
    """

    contacts: tuple[StoredContact, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    bounces: tuple[Bounce, ...] = ()
    incidents: tuple[Incident, ...] = ()


@dataclass
class MemoryStore:
    """Remembers customers while a batch of them is decided; whoever made it keeps the records.

    Attributes:
        contacts: Notices by customer; those of new decisions join them.
        memories: What another store knows, by customer.
        regional: Incidents of regions.
    """

    contacts: dict[str, list[StoredContact]] = field(default_factory=lambda: defaultdict(list))
    memories: dict[str, Memory] = field(default_factory=dict)
    regional: tuple[Incident, ...] = ()

    def remember(self, customer_id: str, memory: Memory) -> None:
        """Take over what another store knows of the customer."""
        self.contacts[customer_id] = list(memory.contacts)
        self.memories[customer_id] = memory

    @property
    def online(self) -> None:
        """No states: a batch decides by its snapshot."""

    @property
    def ledger(self) -> None:
        """No budgets: they hold across all customers, and a part of a batch sees some."""

    @contextmanager
    def transaction(self) -> Iterator["MemoryStore"]:
        """Itself: nobody else writes here, and nothing is taken back."""
        yield self

    def find_by_keys(self, _: Sequence[DecisionRequest], /) -> dict[str, Decision]:
        """Nothing: requests that were answered before do not come here."""
        return {}

    def find_contacts(self, customer_ids: Sequence[str], *, since_us: int) -> list[StoredContact]:
        """Notices to these customers sent or planned since then, with whether a human opened."""
        return [
            contact
            for customer_id in dict.fromkeys(customer_ids)
            for contact in self.contacts.get(customer_id, ())
            if contact.sent_at_us >= since_us
        ]

    def find_refusals(self, customer_ids: Sequence[str]) -> Refusals:
        """What stands against writing to these customers."""
        known = self._recall(customer_ids)
        return Refusals(
            tuple(withdrawal for memory in known for withdrawal in memory.withdrawals),
            tuple(bounce for memory in known for bounce in memory.bounces),
        )

    def find_incidents(self, customer_ids: Sequence[str], *, since_us: int) -> list[Incident]:
        """Incidents that are open or end after that moment, with whom of these they touch."""
        found = {
            (incident.incident_id, incident.customer_ids): incident
            for memory in self._recall(customer_ids)
            for incident in memory.incidents
        }
        return [
            incident
            for incident in (*self.regional, *found.values())
            if incident.ends_at_us is None or incident.ends_at_us > since_us
        ]

    def _recall(self, customer_ids: Sequence[str]) -> list[Memory]:
        unique = dict.fromkeys(customer_ids)
        return [self.memories[one] for one in unique if one in self.memories]

    def add_lot(self, lot: DecisionLot, /) -> Kept:
        """Remember the notices of new decisions."""
        for row, send_us in zip(lot.words.row.tolist(), lot.send_us.tolist(), strict=True):
            customer_id = lot.customer_ids[row]
            self.contacts[customer_id].append(
                StoredContact(
                    lot.decision_ids[row], customer_id, lot.head.trigger, send_us, opened=False
                )
            )
        return Kept()

    def add_outcomes(
        self, events: Sequence[OutcomeEvent], *, now_us: int | None = None
    ) -> list[OutcomeState]:
        """Of messages that it does not know: outcomes are booked where records are kept."""
        del now_us
        return [OutcomeState.UNKNOWN_MESSAGE for _ in events]

    def close(self) -> None:
        """Nothing to give back."""
