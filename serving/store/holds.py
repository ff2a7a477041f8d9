"""Actions of the corridor in the store: held, claimed once, settled or released."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from features.errors import ConflictError
from serving.corridor.actions import ActionRequest, ActionState, Silence
from serving.corridor.held import Held, Said, Word
from serving.corridor.rules import Take
from serving.policy.cases import from_us, to_us
from serving.store.engine import insert_into
from serving.store.hold_accounts import HoldAccounts
from serving.store.lots import in_json_lots, is_listed
from serving.store.schema import clock
from serving.store.trust_schema import corridor_actions, corridor_words

_CLOCK = "corridor"
_actions = corridor_actions.c
_ONE = select(corridor_actions).where(_actions.action_id == bindparam("action_id"))
_OF_SUBJECT = (
    select(corridor_actions)
    .where(_actions.subject == bindparam("subject"))
    .order_by(_actions.made_at_us, _actions.action_id)
)
_IN_STATE = (
    select(corridor_actions)
    .where(_actions.state == bindparam("state"))
    .order_by(_actions.due_at_us, _actions.action_id)
)
_EXPIRED = (
    select(corridor_actions)
    .where(_actions.state == ActionState.WAITING.value)
    .where(_actions.expires_at_us <= bindparam("now_us"))
    .order_by(_actions.expires_at_us, _actions.action_id)
)
_MOVE = (
    update(corridor_actions)
    .where(_actions.action_id == bindparam("of_action"))
    .where(_actions.state == bindparam("from_state"))
    .values(
        state=bindparam("to_state"), actor=bindparam("by_actor"), settled_cents=bindparam("actual")
    )
)
_WORDS = (
    select(corridor_words)
    .where(is_listed(corridor_words.c.action_id, "ids"))
    .order_by(corridor_words.c.word_id)
)
_READ_CLOCK = select(clock.c.latest_us).where(clock.c.name == _CLOCK)

_FREES = frozenset({ActionState.RELEASED, ActionState.VETOED, ActionState.EXPIRED})


class HoldBook:
    """The part of a transaction that is about actions and what they hold.

    It keeps books and does not judge: what may be done is asked of `serving.corridor.desk`.
    """

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction that holds the write lock; to read, on any."""
        self._connection = connection
        self._accounts = HoldAccounts(connection)

    # ------------------------------------------------------------ reading

    def find(self, action_id: str) -> Held | None:
        """The action of that identity, or None."""
        row = self._connection.execute(_ONE, {"action_id": action_id}).mappings().first()
        return None if row is None else _read(row)

    def find_of(self, subject: str) -> list[Held]:
        """Actions of an incident or case in the order in which they were proposed."""
        rows = self._connection.execute(_OF_SUBJECT, {"subject": subject}).mappings()
        return [_read(row) for row in rows]

    def find_in(self, state: ActionState) -> list[Held]:
        """Actions in a state, those that are due first at the front."""
        rows = self._connection.execute(_IN_STATE, {"state": state.value}).mappings()
        return [_read(row) for row in rows]

    def find_expired(self, now: datetime) -> list[Held]:
        """Actions that still wait, and that nobody may claim any more."""
        rows = self._connection.execute(_EXPIRED, {"now_us": to_us(now)}).mappings()
        return [_read(row) for row in rows]

    def find_words(self, action_id: str) -> list[Said]:
        """What humans said about an action, the oldest first."""
        return self.find_all_words([action_id]).get(action_id, [])

    def find_all_words(self, action_ids: Iterable[str]) -> dict[str, list[Said]]:
        """The same of many actions at once; without those about which nobody said anything."""
        said: dict[str, list[Said]] = {}
        for ids in in_json_lots(action_ids):
            for row in self._connection.execute(_WORDS, {"ids": ids}).mappings():
                said.setdefault(row["action_id"], []).append(_read_word(row))
        return said

    def find_faults(self) -> list[str]:
        """Accounts that do not add up to their actions; none should ever be."""
        return self._accounts.find_faults()

    def find_latest(self) -> datetime | None:
        """The latest moment that was told; None where none was."""
        latest = self._connection.execute(_READ_CLOCK).scalar()
        return None if latest is None else from_us(latest)

    # ------------------------------------------------------------ writing

    def set_clock(self, now: datetime) -> None:
        """It is now, whatever was told before."""
        row = {"name": _CLOCK, "latest_us": to_us(now)}
        self._connection.execute(_put_clock(self._connection.dialect.name), row)

    def add(self, held: Held, *, takes: Sequence[Take]) -> str | None:
        """Hold what an action takes and keep it, or neither.

        Returns:
            Which account has no room; None where all have.
        """
        if (full := self._accounts.hold(takes)) is not None:
            return full
        self._connection.execute(insert(corridor_actions), _write(held))
        self._accounts.note(held.request.action_id, takes)
        return None

    def add_word(self, action_id: str, said: Said) -> None:
        """Keep what a human said."""
        row = {
            "action_id": action_id,
            "word": said.word.value,
            "by": said.by,
            "role": said.role,
            "at_us": to_us(said.at),
            "expires_at_us": None if said.expires_at is None else to_us(said.expires_at),
        }
        self._connection.execute(insert(corridor_words), row)

    def claim(self, held: Held, *, actor: str) -> None:
        """Hand an action that waits to one actor.

        Raises:
            ConflictError: It waits no more; the transaction must not be kept.
        """
        self._move(held, ActionState.CLAIMED, actor=actor)

    def settle(self, held: Held, *, actual_cents: int) -> None:
        """Spend what a claimed action cost, and give back the rest.

        Raises:
            ConflictError: It is not claimed; the transaction must not be kept.
        """
        self._move(held, ActionState.SETTLED, actor=held.actor, actual=actual_cents)
        request = held.request
        self._accounts.settle(request.action_id, cents=request.amount_cents, actual=actual_cents)

    def free(self, held: Held, *, into: ActionState) -> None:
        """Give back what an action held: it was released, vetoed or expired.

        Raises:
            ConflictError: It stands elsewhere by now; the transaction must not be kept.
        """
        if into not in _FREES or held.state not in (ActionState.WAITING, ActionState.CLAIMED):
            raise ConflictError(f"action {held.request.action_id}: {held.state} to {into}")
        self._move(held, into, actor=held.actor)
        self._accounts.release(held.request.action_id, cents=held.request.amount_cents)

    def _move(
        self, held: Held, state: ActionState, *, actor: str | None, actual: int | None = None
    ) -> None:
        values = {
            "of_action": held.request.action_id,
            "from_state": held.state.value,
            "to_state": state.value,
            "by_actor": actor,
            "actual": actual,
        }
        if self._connection.execute(_MOVE, values).rowcount != 1:
            raise ConflictError(
                f"action {held.request.action_id}: it is not {held.state} any more, "
                f"and cannot become {state}"
            )


@cache
def _put_clock(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    put = insert_into(dialect, clock)
    return put.on_conflict_do_update(
        index_elements=["name"], set_={"latest_us": put.excluded.latest_us}
    )


def _write(held: Held) -> dict[str, str | int | bool | None]:
    request = held.request
    return {
        "action_id": request.action_id,
        "digest": held.digest,
        "kind": request.kind,
        "subject": request.subject,
        "amount_cents": request.amount_cents,
        "currency": request.currency,
        "is_reversible": request.is_reversible,
        "vendor": request.vendor,
        "customer": request.customer,
        "branch": request.branch,
        "state": held.state.value,
        "needs_approval": held.needs_approval,
        "on_silence": held.on_silence.value,
        "made_at_us": to_us(held.made_at),
        "due_at_us": to_us(held.due_at),
        "expires_at_us": to_us(held.expires_at),
        "actor": held.actor,
        "settled_cents": held.settled_cents,
    }


def _read(cells: RowMapping) -> Held:
    return Held(
        request=ActionRequest(**{name: cells[name] for name in ActionRequest.__dataclass_fields__}),
        digest=cells["digest"],
        state=ActionState(cells["state"]),
        needs_approval=cells["needs_approval"],
        on_silence=Silence(cells["on_silence"]),
        made_at=from_us(cells["made_at_us"]),
        due_at=from_us(cells["due_at_us"]),
        expires_at=from_us(cells["expires_at_us"]),
        actor=cells["actor"],
        settled_cents=cells["settled_cents"],
    )


def _read_word(cells: RowMapping) -> Said:
    until = cells["expires_at_us"]
    return Said(
        Word(cells["word"]),
        by=cells["by"],
        role=cells["role"],
        at=from_us(cells["at_us"]),
        expires_at=None if until is None else from_us(until),
    )
