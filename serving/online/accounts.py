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
_MAY_WAIT: Final = "outcomes"
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
        customer_id: Whose it is.
        versions: The customer's own row, every version.
        packed: An earlier state as the store keeps it; None where there is none.
        tail: Facts that were told since.
    """

    customer_id: str
    versions: list[ProfileVersion] = field(default_factory=list)
    packed: bytes | None = None
    tail: list[StateFact] = field(default_factory=list)
    _state: CustomerState | None = None

    @classmethod
    def of_state(cls, state: CustomerState, versions: list[ProfileVersion]) -> "Account":
        """An account that the store does not have yet."""
        return cls(state.customer_id, versions, _state=state)

    @property
    def state(self) -> CustomerState:
        """What features are read from; unpacked when it is first asked for."""
        if self._state is None:
            layout = running_layout()
            self._state = (
                CustomerState(layout, self.customer_id)
                if self.packed is None
                else CustomerState.from_bytes(self.packed, layout=layout)
            )
            for fact in self.tail:
                _apply(self._state, fact)
        return self._state

    def apply(self, fact: Fact, *, told_us: int) -> None:
        """Take in a fact that is told now; what was told earlier must be there already.

        A fact that must wait (its moment is to come, or its message is) is tried at once, since
        only so many may.
        """
        if fact.table == _PROFILE:
            self.versions.append(ProfileVersion(max(fact.moment_us, told_us), fact.row))
        arrived = StateFact(fact.table, fact.row, told_us)
        if self._state is not None or fact.moment_us > told_us or fact.table == _MAY_WAIT:
            _apply(self.state, arrived)
        self.tail.append(arrived)

    def profile_at(self, as_of_us: int) -> ProfileVersion | None:
        """The customer's own row as it was known strictly before a moment."""
        known = [version for version in self.versions if version.known_us < as_of_us]
        # Of those that became known at once the one that was told last counts.
        return max(reversed(known), key=lambda version: version.known_us, default=None)

    def pack(self) -> StoredState:
        """The account as the store keeps it: packing a state costs more than a few facts beside."""
        if self.packed is None or len(self.tail) > _LONGEST_TAIL:
            state = self.state
            state.settle()
            self.packed, self.tail = state.to_bytes(), []
        return StoredState(
            customer_id=self.customer_id,
            layout=running_layout().digest,
            profile=json.dumps([[v.known_us, v.row] for v in self.versions], ensure_ascii=False),
            tail=json.dumps([[f.table, f.row, f.known_us] for f in self.tail], ensure_ascii=False),
            state=self.packed,
        )


def unpack_account(stored: StoredState) -> Account:
    """The account that was stored; its layout must be the running one."""
    tail = [StateFact(table, row, told_us) for table, row, told_us in json.loads(stored.tail)]
    versions = [ProfileVersion(known_us, row) for known_us, row in json.loads(stored.profile)]
    return Account(stored.customer_id, versions, stored.state, tail)


def _apply(state: CustomerState, fact: StateFact) -> None:
    told_us = fact.known_us
    if told_us is not None and told_us < state.known_us:
        fact = StateFact(fact.table, fact.row, state.known_us)
    state.apply(fact)


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
    return Account.of_state(replay_facts(customer_id, state_facts, layout=layout), versions)
