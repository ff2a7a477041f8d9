"""The accounts of the corridor: money and actions that are held, and that are spent.

Each take is one conditional update inside the transaction that keeps the action: either every
account has room, or nothing of the transaction is kept.
"""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, case, func, insert, select, update

from serving.corridor.actions import ActionState
from serving.corridor.rules import Take
from serving.store.engine import insert_into
from serving.store.trust_schema import corridor_accounts, corridor_actions, corridor_takes

_accounts = corridor_accounts.c
_HOLD = (
    update(corridor_accounts)
    .where(_accounts.account == bindparam("of_account"))
    .where(_accounts.held_cents + _accounts.spent_cents + bindparam("cents") <= bindparam("most"))
    .where(_accounts.n_held + _accounts.n_spent + 1 <= bindparam("most_actions"))
    .values(held_cents=_accounts.held_cents + bindparam("cents"), n_held=_accounts.n_held + 1)
)
_IN_ACCOUNTS = _accounts.account.in_(
    select(corridor_takes.c.account).where(corridor_takes.c.action_id == bindparam("of_action"))
)
_RELEASE = (
    update(corridor_accounts)
    .where(_IN_ACCOUNTS)
    .values(held_cents=_accounts.held_cents - bindparam("cents"), n_held=_accounts.n_held - 1)
)
_SETTLE = (
    update(corridor_accounts)
    .where(_IN_ACCOUNTS)
    .values(
        held_cents=_accounts.held_cents - bindparam("cents"),
        spent_cents=_accounts.spent_cents + bindparam("actual"),
        n_held=_accounts.n_held - 1,
        n_spent=_accounts.n_spent + 1,
    )
)
_is_held = corridor_actions.c.state.in_([ActionState.WAITING.value, ActionState.CLAIMED.value])
_is_spent = corridor_actions.c.state == ActionState.SETTLED.value
_sums = (
    select(
        corridor_takes.c.account,
        func.sum(case((_is_held, corridor_actions.c.amount_cents), else_=0)).label("held_cents"),
        func.sum(case((_is_spent, corridor_actions.c.settled_cents), else_=0)).label("spent_cents"),
        func.sum(case((_is_held, 1), else_=0)).label("n_held"),
        func.sum(case((_is_spent, 1), else_=0)).label("n_spent"),
    )
    .join(corridor_actions, corridor_actions.c.action_id == corridor_takes.c.action_id)
    .group_by(corridor_takes.c.account)
    .subquery()
)
_COLUMNS = ("held_cents", "spent_cents", "n_held", "n_spent")
_COMPARED = select(
    _accounts.account,
    *(_accounts[name] for name in _COLUMNS),
    *(func.coalesce(_sums.c[name], 0).label(f"sum_{name}") for name in _COLUMNS),
).select_from(corridor_accounts.outerjoin(_sums, _sums.c.account == _accounts.account))
_LOST = (
    select(corridor_takes.c.account)
    .where(~select(_accounts.account).where(_accounts.account == corridor_takes.c.account).exists())
    .distinct()
)


@cache
def _open_account(dialect: str) -> Insert:
    return insert_into(dialect, corridor_accounts).on_conflict_do_nothing()


class HoldAccounts:
    """The part of a transaction that moves money between held, spent and free."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def hold(self, takes: Sequence[Take]) -> str | None:
        """Take from every account, or from none; `note` says which action it was.

        Returns:
            Which account has no room, and why; None where all have.
        """
        with self._connection.begin_nested() as attempt:
            for take in takes:
                if not self._hold(take):
                    attempt.rollback()
                    return (
                        f"{take.account}: {take.cents} cents in one more action do not fit under "
                        f"{take.limit.cents} cents in {take.limit.actions} actions"
                    )
        return None

    def note(self, action_id: str, takes: Sequence[Take]) -> None:
        """Keep which accounts an action took from."""
        rows = [{"action_id": action_id, "account": take.account} for take in takes]
        self._connection.execute(insert(corridor_takes), rows)

    def _hold(self, take: Take) -> bool:
        empty = {"account": take.account} | dict.fromkeys(_COLUMNS, 0)
        self._connection.execute(_open_account(self._connection.dialect.name), empty)
        wanted = {
            "of_account": take.account,
            "cents": take.cents,
            "most": take.limit.cents,
            "most_actions": take.limit.actions,
        }
        return self._connection.execute(_HOLD, wanted).rowcount == 1

    def release(self, action_id: str, *, cents: int) -> None:
        """Give back what an action held, everywhere."""
        self._connection.execute(_RELEASE, {"of_action": action_id, "cents": cents})

    def settle(self, action_id: str, *, cents: int, actual: int) -> None:
        """Spend what an action cost, and give back the rest of what it held."""
        values = {"of_action": action_id, "cents": cents, "actual": actual}
        self._connection.execute(_SETTLE, values)

    def find_faults(self) -> list[str]:
        """Accounts that do not add up to their actions; none should ever be."""
        faults = [
            f"{row.account}: {name} is {getattr(row, name)}, its actions add up to {total}"
            for row in self._connection.execute(_COMPARED)
            for name in _COLUMNS
            if getattr(row, name) != (total := int(getattr(row, f"sum_{name}")))
        ]
        lost = self._connection.execute(_LOST).scalars()
        return [*faults, *(f"{account}: actions take from it, and it is gone" for account in lost)]
