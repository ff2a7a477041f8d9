"""A store in memory: what a part of a batch must know of its customers, and nothing beyond."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from serving.policy.cases import to_us
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.store.store import StoredContact, Withdrawal


@dataclass(frozen=True)
class Memory:
    """What a store knows of one customer.

    Attributes:
        contacts: Notices sent or planned.
        withdrawals: Unsubscribes and complaints.
    """

    contacts: tuple[StoredContact, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()


@dataclass
class MemoryStore:
    """Remembers customers while a batch of them is decided; whoever made it keeps the records.

    Attributes:
        contacts: Notices by customer; those of new decisions join them.
        withdrawals: By customer.
    """

    contacts: dict[str, list[StoredContact]] = field(default_factory=lambda: defaultdict(list))
    withdrawals: dict[str, tuple[Withdrawal, ...]] = field(default_factory=dict)

    def remember(self, customer_id: str, memory: Memory) -> None:
        """Take over what another store knows of the customer."""
        self.contacts[customer_id] = list(memory.contacts)
        self.withdrawals[customer_id] = memory.withdrawals

    @property
    def online(self) -> None:
        """No states: a batch decides by its snapshot."""

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

    def find_withdrawals(self, customer_ids: Sequence[str]) -> list[Withdrawal]:
        """Unsubscribes and complaints of these customers."""
        return [
            withdrawal
            for customer_id in dict.fromkeys(customer_ids)
            for withdrawal in self.withdrawals.get(customer_id, ())
        ]

    def add_decisions(self, records: Sequence[Decision], _: Sequence[DecisionRequest], /) -> None:
        """Remember the notices of new records."""
        for record in records:
            if record.send_at is not None and record.messages:
                self.contacts[record.customer_id].append(
                    StoredContact(
                        record.decision_id,
                        record.customer_id,
                        record.trigger,
                        to_us(record.send_at),
                        opened=False,
                    )
                )

    def add_outcomes(self, events: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """Of messages that it does not know: outcomes are booked where records are kept."""
        return [OutcomeState.UNKNOWN_MESSAGE for _ in events]

    def close(self) -> None:
        """Nothing to give back."""
