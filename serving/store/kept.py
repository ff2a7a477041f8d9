"""What the store keeps of customers online: facts, generations, states, served features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from serving.policy.cases import Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A row of the log.

    Attributes:
        owner: Whose facts it belongs to.
        table: Its table.
        row: Its cells as JSON.
        known_us: When it was told.
        event_id: The identity its sender gave it; one per table.
        identity: What is the same thing; None where there is no telling.
        is_told_once: A second one of its identity is nothing new, whatever it says.
        digest: What it says.
    """

    owner: str
    table: str
    row: str
    known_us: int
    event_id: str | None
    identity: str | None
    is_told_once: bool
    digest: str


@dataclass(frozen=True, slots=True)
class LoggedFact:
    """A row as it is read back, with its place in the log."""

    table: str
    row: str
    known_us: int
    event_id: str | None
    seq: int


@dataclass(frozen=True)
class Generation:
    """What was rebuilt from the tables.

    Attributes:
        number: Grows with every rebuild.
        as_of_us: Facts of the tables known before this moment are in it.
        tables: Tables that exist: those of the rebuild, and those that facts were posted of since.
        layout: Digest of the declarations that its states were made with.
        n_customers: Customers of the rebuild.
    """

    number: int
    as_of_us: int
    tables: frozenset[str]
    layout: str
    n_customers: int


@dataclass(frozen=True, slots=True)
class StoredState:
    """A customer's state.

    Attributes:
        customer_id: Whose it is.
        layout: Digest of the declarations that it was made with.
        profile: Versions of the customer's own row, as JSON.
        tail: Facts that are not folded into the state yet, as JSON.
        state: The state itself.
    """

    customer_id: str
    layout: str
    profile: str
    tail: str
    state: bytes


@dataclass(frozen=True, slots=True)
class ServedFeatures:
    """The features that the models of a decision read.

    Attributes:
        decision_id: Which decision.
        customer_id: About whom.
        as_of_us: Moment of the features.
        online: Whether they came from a state, not from a snapshot.
        features: Digest of the declarations.
        numbers: The numbers, (m,).
    """

    decision_id: str
    customer_id: str
    as_of_us: int
    online: bool
    features: str
    numbers: Floats


@dataclass(frozen=True)
class ServedLot:
    """The features of many decisions, k of them, made with the same declarations.

    Attributes:
        decision_ids: Which decisions.
        customer_ids: About whom.
        as_of_us: Moments of the features, (k,).
        online: Whether they came from a state, (k,).
        features: Digest of the declarations.
        numbers: The numbers, (k, m).
    """

    decision_ids: Sequence[str]
    customer_ids: Sequence[str]
    as_of_us: Ints
    online: Flags
    features: str
    numbers: Floats

    def __len__(self) -> int:
        return len(self.decision_ids)

    def rows(self) -> Iterator[ServedFeatures]:
        """One by one."""
        for at, decision_id in enumerate(self.decision_ids):
            yield ServedFeatures(
                decision_id,
                self.customer_ids[at],
                int(self.as_of_us[at]),
                bool(self.online[at]),
                self.features,
                self.numbers[at],
            )


@dataclass(frozen=True)
class LogCounts:
    """How much there is."""

    n_facts: int
    n_states: int
    n_served: int
    last_known_us: int | None
