"""Whatever is handed over once: who holds it, and where it is.

It moves from `pending` to `claimed`, and from there to an end or, for another attempt, back.
Claims hold a lease. One whose lease has run out is taken by whoever comes next, with a higher
fence; what the holder of a lower fence then has to say is not heard. Before a step that cannot be
taken back and that its receiver could not tell from a second one, the holder says so (`begin`):
whoever finds such a claim abandoned does not know what became of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Generic, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    func,
    select,
    update,
)


class OutboxState(StrEnum):
    """Where something is that is to be handed over; all but the first two are ends."""

    PENDING = "pending"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    REFUSED = "refused"  # a guard, or the receiver for good
    CANCELLED = "cancelled"
    DEAD = "dead"  # every attempt failed
    UNCERTAIN = "uncertain"  # it may have been taken, and nobody knows


OPEN: Final = (OutboxState.PENDING.value, OutboxState.CLAIMED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """What is to be handed over.

    Attributes:
        due_at_us: When it may be looked at next; of a claim, when its lease ends.
        n_attempts: Hand-overs that were begun.
        fence: Of the last claim.
        reason: Why it waits, or why it ended as it did; None where that needs none.
        is_begun: Whether its holder took a step that cannot be taken back.
        n_earlier: Hand-overs that were begun before it was given its attempts again.
    """

    state: OutboxState
    due_at_us: int
    n_attempts: int
    fence: int
    reason: str | None
    is_begun: bool = False
    n_earlier: int = 0

    @property
    def key(self) -> str:
        """Its identity in its lane."""
        raise NotImplementedError


Item = TypeVar("Item", bound=Claimable)


@dataclass(frozen=True)
class ClaimStatements:
    """What is asked of one table; its columns are those of `Claimable`, `lane` and a key."""

    put: Update
    begin: Update
    requeue: Update
    resolve: Update
    counts: Select[str, int]

    @classmethod
    def of(cls, table: Table, *, key: Column[str]) -> "ClaimStatements":
        """Those of a table."""
        c = table.c
        is_one = and_(c.lane == bindparam("of_lane"), key == bindparam("of_key"))
        is_held = c.fence == bindparam("held_fence")
        again = {
            "state": bindparam("to_state"),
            "due_at_us": bindparam("to_due"),
            "n_attempts": 0,
            "fence": c.fence + 1,
            "reason": bindparam("to_reason"),
            "is_begun": False,
        }
        return cls(
            put=update(table)
            # Who was taken for lost may still know what became of it.
            .where(is_one, is_held, c.state.in_((*OPEN, OutboxState.UNCERTAIN.value)))
            .values(
                state=bindparam("to_state"),
                due_at_us=bindparam("to_due"),
                n_attempts=bindparam("to_attempts"),
                fence=bindparam("to_fence"),
                reason=bindparam("to_reason"),
                is_begun=bindparam("to_begun"),
                settled_at_us=bindparam("to_settled"),
            ),
            begin=update(table)
            .where(is_one, is_held, c.state == OutboxState.CLAIMED.value)
            .where(c.due_at_us > bindparam("at_us"))
            .values(is_begun=True),
            requeue=update(table)
            .where(is_one, c.state == OutboxState.DEAD.value)
            .values(
                **again, settled_at_us=None, n_earlier=func.coalesce(c.n_earlier, 0) + c.n_attempts
            ),
            resolve=update(table)
            .where(is_one, c.state == OutboxState.UNCERTAIN.value)
            .values(**again),
            counts=select(c.state, func.count())
            .where(c.lane == bindparam("of_lane"))
            .group_by(c.state),
        )


class ClaimDesk(Generic[Item]):
    """The part of a transaction that moves what is handed over from state to state."""

    def __init__(self, connection: Connection, statements: ClaimStatements) -> None:
        """Work on an open transaction."""
        self._connection = connection
        self._statements = statements

    def claim(self, item: Item, *, lane: str, until_us: int) -> Item:
        """Hold what was found due in this transaction; how it is held."""
        held = replace(
            item,
            state=OutboxState.CLAIMED,
            due_at_us=until_us,
            n_attempts=item.n_attempts + 1,
            fence=item.fence + 1,
            is_begun=False,
        )
        self._put(item, held, lane=lane, settled_at_us=None)
        return held

    def begin(self, item: Item, *, lane: str, at_us: int) -> bool:
        """Note that its holder takes a step that cannot be taken back; whether it may.

        It may not where its lease is out, or somebody else holds it.
        """
        given = {
            "of_lane": lane,
            "of_key": item.key,
            "held_fence": item.fence,
            "at_us": at_us,
        }
        return self._connection.execute(self._statements.begin, given).rowcount == 1

    def wait(
        self, item: Item, *, lane: str, until_us: int, reason: str, gives_back: bool = False
    ) -> bool:
        """Look at it again then; whether the fence was still the caller's.

        Args:
            item: As it is held, or was found due.
            lane: Of it.
            until_us: When.
            reason: Why.
            gives_back: Whether the attempt that was begun counts for none.
        """
        waits = replace(
            item,
            state=OutboxState.PENDING,
            due_at_us=until_us,
            reason=reason,
            n_attempts=item.n_attempts - int(gives_back),
            is_begun=False,
        )
        return self._put(item, waits, lane=lane, settled_at_us=None)

    def end(
        self, item: Item, state: OutboxState, *, lane: str, at_us: int, reason: str | None
    ) -> bool:
        """It is over for that reason; whether the fence was still the caller's."""
        ended = replace(item, state=state, reason=reason)
        return self._put(item, ended, lane=lane, settled_at_us=at_us)

    def requeue(self, keys: Sequence[str], *, lane: str, at_us: int) -> list[bool]:
        """Give what is dead its attempts again; for each whether it was dead."""
        return [
            self._again(self._statements.requeue, key, lane=lane, at_us=at_us, reason=None)
            for key in keys
        ]

    def resolve(self, key: str, *, lane: str, at_us: int, was_sent: bool, reason: str) -> bool:
        """What became of something uncertain: it was taken, or it is to be handed over again.

        Whether it was uncertain at all. What was taken counts from when it became uncertain.
        """
        state = OutboxState.HANDED_OVER if was_sent else OutboxState.PENDING
        statement = self._statements.resolve
        if not was_sent:
            statement = statement.values(settled_at_us=None)
        return self._again(statement, key, lane=lane, at_us=at_us, reason=reason, state=state)

    def count(self, *, lane: str) -> dict[OutboxState, int]:
        """How many are in which state."""
        rows = self._connection.execute(self._statements.counts, {"of_lane": lane})
        return {OutboxState(state): int(n) for state, n in rows}

    def _again(
        self,
        statement: Update,
        key: str,
        *,
        lane: str,
        at_us: int,
        reason: str | None,
        state: OutboxState = OutboxState.PENDING,
    ) -> bool:
        given = {
            "of_lane": lane,
            "of_key": key,
            "to_state": state.value,
            "to_due": at_us,
            "to_reason": reason,
        }
        return self._connection.execute(statement, given).rowcount == 1

    def _put(self, before: Item, after: Item, *, lane: str, settled_at_us: int | None) -> bool:
        given = {
            "of_lane": lane,
            "of_key": before.key,
            "held_fence": before.fence,
            "to_state": after.state.value,
            "to_due": after.due_at_us,
            "to_attempts": after.n_attempts,
            "to_fence": after.fence,
            "to_reason": after.reason,
            "to_begun": after.is_begun,
            "to_settled": settled_at_us,
        }
        return self._connection.execute(self._statements.put, given).rowcount == 1
