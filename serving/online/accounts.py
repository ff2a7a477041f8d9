"""One customer while it happens: the state, and the versions of their own row."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from features.churn import CHURN_FEATURES
from features.declared.hours import PRESENCE
from features.engagement import ENGAGEMENT_FEATURES
from features.online import CustomerState, Layout, compile_layout, replay_facts
from features.online import Fact as StateFact
from serving.online.cells import Row
from serving.online.facts import Fact
from serving.store.kept import StoredState

_PROFILE: Final = "customers"
_LONGEST_TAIL: Final = 16


@cache
def running_layout() -> Layout:
    """What the running declarations keep of a customer."""
    return compile_layout((CHURN_FEATURES, ENGAGEMENT_FEATURES), histogram=PRESENCE)


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    """The customer's own row as it stood from a moment on."""

    known_us: int
    row: Row


@dataclass
class Account:
    """Everything that is kept of one customer.

    Attributes:
        state: What features are read from.
        versions: The customer's own row, every version.
        packed: An earlier state as the store keeps it; None where there is none.
        tail: Facts that were applied to it since.
    """

    state: CustomerState
    versions: list[ProfileVersion] = field(default_factory=list)
    packed: bytes | None = None
    tail: list[StateFact] = field(default_factory=list)

    @property
    def customer_id(self) -> str:
        """Whose it is."""
        return self.state.customer_id

    def apply(self, fact: Fact, *, told_us: int) -> None:
        """Take in a fact that is told now; what was told earlier must be there already."""
        if fact.table == _PROFILE:
            self.versions.append(ProfileVersion(max(fact.moment_us, told_us), fact.row))
        arrived = StateFact(fact.table, fact.row, max(told_us, self.state.known_us))
        self.state.apply(arrived)
        self.tail.append(arrived)

    def profile_at(self, as_of_us: int) -> ProfileVersion | None:
        """The customer's own row as it was known strictly before a moment."""
        known = [version for version in self.versions if version.known_us < as_of_us]
        return max(known, key=lambda version: version.known_us, default=None)

    def pack(self) -> StoredState:
        """The account as the store keeps it: packing a state costs more than a few facts beside."""
        if self.packed is None or len(self.tail) > _LONGEST_TAIL:
            self.state.settle()
            self.packed, self.tail = self.state.to_bytes(), []
        return StoredState(
            customer_id=self.customer_id,
            layout=running_layout().digest,
            profile=json.dumps([[v.known_us, v.row] for v in self.versions], ensure_ascii=False),
            tail=json.dumps([[f.table, f.row, f.known_us] for f in self.tail], ensure_ascii=False),
            state=self.packed,
        )


def unpack_account(stored: StoredState) -> Account:
    """The account that was stored; its layout must be the running one."""
    state = CustomerState.from_bytes(stored.state, layout=running_layout())
    tail = [StateFact(table, row, told_us) for table, row, told_us in json.loads(stored.tail)]
    for fact in tail:
        state.apply(fact)
    versions = [ProfileVersion(known_us, row) for known_us, row in json.loads(stored.profile)]
    return Account(state, versions, stored.state, tail)


def versions_in(facts: Iterable[Fact]) -> list[ProfileVersion]:
    """Versions of the customer's own row among facts."""
    return [ProfileVersion(fact.knowable_us, fact.row) for fact in facts if fact.table == _PROFILE]


def replay_account(customer_id: str, facts: Iterable[Fact]) -> Account | None:
    """The account made anew from all facts of a customer; None while there is no such customer.

    Args:
        customer_id: Whose facts they are.
        facts: In any order; those of tables that no feature reads may be among them.
    """
    told = list(facts)
    versions = versions_in(told)
    if not versions:
        return None
    layout = running_layout()
    state_facts = [StateFact(f.table, f.row, f.known_us) for f in told]
    return Account(replay_facts(customer_id, state_facts, layout=layout), versions)
