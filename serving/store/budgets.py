"""The ledger of the budgets: what was booked, by account, and what each message took.

Booking is one conditional update inside the transaction that keeps the decision: either the account
has room, or nothing of the transaction is kept. So a budget holds whatever number of processes
write, and whatever their clocks say.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, insert, select, update

from features.errors import ConflictError
from serving.policy.budgets import Claim
from serving.store.engine import insert_into
from serving.store.lots import in_lots
from serving.store.schema import budget_accounts, cancellations, reservations

_SPENT = select(budget_accounts.c.account, budget_accounts.c.spent).where(
    budget_accounts.c.account.in_(bindparam("accounts", expanding=True))
)
_BOOK = (
    update(budget_accounts)
    .where(budget_accounts.c.account == bindparam("of_account"))
    .where(budget_accounts.c.spent + bindparam("amount") <= bindparam("limit"))
    .values(spent=budget_accounts.c.spent + bindparam("amount"))
)
_RELEASE = (
    update(budget_accounts)
    .where(budget_accounts.c.account == bindparam("of_account"))
    .values(spent=budget_accounts.c.spent - bindparam("amount"))
)
_HELD = (
    select(
        reservations.c.message_id,
        reservations.c.account,
        reservations.c.amount,
        reservations.c.is_shared,
        cancellations.c.is_in_time,
    )
    .select_from(
        reservations.outerjoin(
            cancellations, cancellations.c.message_id == reservations.c.message_id
        )
    )
    .where(reservations.c.decision_id == bindparam("decision_id"))
)


@cache
def _open_account(dialect: str) -> Insert:
    return insert_into(dialect, budget_accounts).on_conflict_do_nothing()


class Ledger:
    """The part of a transaction that is about budgets."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def find_spent(self, accounts: Sequence[str]) -> dict[str, int]:
        """Millionths booked on these accounts; those that nothing was booked on are left out."""
        spent: dict[str, int] = {}
        for lot in in_lots(list(accounts)):
            rows = self._connection.execute(_SPENT, {"accounts": lot})
            spent.update((account, amount) for account, amount in rows)
        return spent

    def reserve(self, claims: Sequence[Claim]) -> None:
        """Book what notices take.

        Raises:
            ConflictError: An account has no room for it; the transaction must not be kept.
        """
        rows = [
            {
                "message_id": message_id,
                "account": claim.account,
                "decision_id": claim.decision_id,
                "amount": amount,
                "is_shared": claim.is_shared,
            }
            for claim in claims
            for message_id, amount in claim.parts.items()
        ]
        for (account, limit), amount in _add_up(claims).items():
            self._book(account, amount, limit=limit)
        if rows:
            self._connection.execute(insert(reservations), rows)

    def _book(self, account: str, amount: int, *, limit: int) -> None:
        dialect = self._connection.dialect.name
        self._connection.execute(_open_account(dialect), {"account": account, "spent": 0})
        booked = self._connection.execute(
            _BOOK, {"of_account": account, "amount": amount, "limit": limit}
        )
        if booked.rowcount != 1:
            raise ConflictError(
                f"budget {account}: {amount} millionths do not fit under its limit of {limit}"
            )

    def release(self, decision_id: str, *, message_ids: Sequence[str]) -> None:
        """Give back what these messages of a decision took, once they are cancelled in time.

        A contact is given back when no message of its notice is left.
        """
        rows = self._connection.execute(_HELD, {"decision_id": decision_id}).all()
        before: dict[str, list[int]] = {}
        after: dict[str, list[int]] = {}
        is_shared: dict[str, bool] = {}
        for message_id, account, amount, shared, is_in_time in rows:
            is_shared[account] = shared
            if is_in_time and message_id not in message_ids:
                continue  # given back before
            before.setdefault(account, []).append(amount)
            if message_id not in message_ids:
                after.setdefault(account, []).append(amount)
        for account, amounts in before.items():
            left = _held(after.get(account, []), is_shared=is_shared[account])
            back = _held(amounts, is_shared=is_shared[account]) - left
            if back:
                self._connection.execute(_RELEASE, {"of_account": account, "amount": back})


def _held(amounts: Sequence[int], *, is_shared: bool) -> int:
    """What messages of one notice take together."""
    return max(amounts, default=0) if is_shared else sum(amounts)


def _add_up(claims: Sequence[Claim]) -> Mapping[tuple[str, int], int]:
    totals: dict[tuple[str, int], int] = {}
    for claim in claims:
        key = (claim.account, claim.limit)
        totals[key] = totals.get(key, 0) + claim.amount
    return totals
