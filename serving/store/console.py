"""Accounts and sessions of the console, and counts of what was tried too often.

It keeps books and does not judge: passwords, time-outs and limits are known to `serving.console`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from serving.corridor.stop_files import fold_letters
from serving.policy.cases import from_us, to_us
from serving.store.console_schema import console_accounts, console_counts, console_sessions
from serving.store.engine import count_added, insert_into


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Somebody who may come in.

    Attributes:
        name: As it is written in the log; letters' case does not tell two people apart.
        role: What they may do.
        password_hash: Of argon2.
    """

    name: str
    role: str
    password_hash: str
    made_at: datetime

    def __repr__(self) -> str:
        """Without the hash, which no log should hold."""
        return f"AccountRow({self.name!r}, {self.role!r})"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """Somebody who is in.

    Attributes:
        name: Whose session.
        role: What they may do now, whatever it was when they came in.
        began_at: When they came in.
        seen_at: When they did something last.
    """

    name: str
    role: str
    began_at: datetime
    seen_at: datetime


_A, _S, _N = console_accounts.c, console_sessions.c, console_counts.c
_ACCOUNTS = select(console_accounts).order_by(_A.account)
_ACCOUNT = _ACCOUNTS.where(_A.account == bindparam("folded"))
_SET_PASSWORD = (
    update(console_accounts)
    .where(_A.account == bindparam("folded"))
    .values(password_hash=bindparam("hashed"))
)
_REMOVE = delete(console_accounts).where(_A.account == bindparam("folded"))
_SESSION = (
    select(_A.name, _A.role, _S.began_at_us, _S.seen_at_us)
    .join_from(console_sessions, console_accounts)
    .where(_S.digest == bindparam("of_digest"))
)
_SEE = (
    update(console_sessions)
    .where(_S.digest == bindparam("of_digest"))
    .values(seen_at_us=bindparam("now_us"))
)
_END = delete(console_sessions).where(_S.digest == bindparam("of_digest"))
_END_ALL = delete(console_sessions).where(_S.account == bindparam("folded"))
_FORGET = delete(console_sessions).where(_S.seen_at_us < bindparam("before_us"))
_COUNT = select(_N.n, _N.until_us).where(
    _N.counted == bindparam("key"), _N.until_us > bindparam("now_us")
)
_CLEAR = delete(console_counts).where(_N.counted == bindparam("key"))
_SWEEP = delete(console_counts).where(_N.until_us <= bindparam("now_us"))


class ConsoleBook:
    """The part of a transaction that is about who may come in and who is in."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction; to change anything, on one that may write."""
        self._connection = connection

    # ------------------------------------------------------------ accounts

    def add_account(self, account: AccountRow) -> bool:
        """Keep a new account; False: that name is taken, and nothing changes."""
        add = _add(self._connection.dialect.name)
        return count_added(self._connection, add, _write(account)) == 1

    def find_account(self, name: str) -> AccountRow | None:
        """The account of that name, however its letters are written."""
        row = self._connection.execute(_ACCOUNT, {"folded": fold_letters(name)}).first()
        return None if row is None else _read(row)

    def list_accounts(self) -> Sequence[AccountRow]:
        """Every account, by name."""
        return [_read(row) for row in self._connection.execute(_ACCOUNTS)]

    def set_password(self, name: str, password_hash: str) -> bool:
        """Another password from now on; False: there is no such account."""
        values = {"folded": fold_letters(name), "hashed": password_hash}
        return self._connection.execute(_SET_PASSWORD, values).rowcount == 1

    def remove_account(self, name: str) -> bool:
        """Remove an account and end its sessions; False: there is none."""
        self.end_sessions(name)
        return self._connection.execute(_REMOVE, {"folded": fold_letters(name)}).rowcount == 1

    # ------------------------------------------------------------ sessions

    def begin_session(self, digest: str, *, name: str, at: datetime) -> None:
        """Somebody came in; the digest is of what their cookie holds."""
        us = to_us(at)
        row = {"digest": digest, "account": fold_letters(name), "began_at_us": us, "seen_at_us": us}
        self._connection.execute(insert(console_sessions), row)

    def find_session(self, digest: str) -> SessionRow | None:
        """Whose session it is; None for one that was ended, or never was."""
        row = self._connection.execute(_SESSION, {"of_digest": digest}).first()
        if row is None:
            return None
        return SessionRow(row.name, row.role, from_us(row.began_at_us), from_us(row.seen_at_us))

    def see_session(self, digest: str, *, at: datetime) -> None:
        """They did something."""
        self._connection.execute(_SEE, {"of_digest": digest, "now_us": to_us(at)})

    def end_session(self, digest: str) -> None:
        """They left."""
        self._connection.execute(_END, {"of_digest": digest})

    def end_sessions(self, name: str) -> int:
        """They are in nowhere any more; how many sessions ended."""
        return self._connection.execute(_END_ALL, {"folded": fold_letters(name)}).rowcount

    def forget_sessions(self, *, seen_before: datetime) -> int:
        """Remove sessions that nobody uses any more; how many."""
        return self._connection.execute(_FORGET, {"before_us": to_us(seen_before)}).rowcount

    # ------------------------------------------------------------ counts

    def count(self, key: str, *, n: int, until: datetime, now: datetime) -> int:
        """Add to a count, which begins anew where it ended before; what it is now.

        Args:
            key: Of what.
            n: How much to add.
            until: When it ends, where it begins now.
            now: Aware.
        """
        given = {"key": key, "more": n, "end_us": to_us(until), "now_us": to_us(now)}
        counted = _count(self._connection.dialect.name)
        return int(self._connection.execute(counted, given).scalar_one())

    def find_count(self, key: str, *, now: datetime) -> tuple[int, datetime] | None:
        """A count that has not ended, and when it will."""
        row = self._connection.execute(_COUNT, {"key": key, "now_us": to_us(now)}).first()
        return None if row is None else (row.n, from_us(row.until_us))

    def clear_count(self, key: str) -> None:
        """Begin anew."""
        self._connection.execute(_CLEAR, {"key": key})

    def sweep_counts(self, *, now: datetime) -> int:
        """Remove counts that ended; how many."""
        return self._connection.execute(_SWEEP, {"now_us": to_us(now)}).rowcount


@cache
def _add(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    add = insert_into(dialect, console_accounts)
    return add.on_conflict_do_nothing(index_elements=["account"])


@cache
def _count(dialect: str) -> ReturningInsert[int]:
    put = insert_into(dialect, console_counts).values(
        counted=bindparam("key"), n=bindparam("more"), until_us=bindparam("end_us")
    )
    is_over = _N.until_us <= bindparam("now_us")
    put = put.on_conflict_do_update(
        index_elements=["counted"],
        set_={
            "n": case((is_over, put.excluded.n), else_=_N.n + put.excluded.n),
            "until_us": case((is_over, put.excluded.until_us), else_=_N.until_us),
        },
    )
    return put.returning(_N.n)


def _write(account: AccountRow) -> dict[str, str | int]:
    return {
        "account": fold_letters(account.name),
        "name": account.name,
        "role": account.role,
        "password_hash": account.password_hash,
        "made_at_us": to_us(account.made_at),
    }


def _read(row: Row[Any]) -> AccountRow:
    return AccountRow(row.name, row.role, row.password_hash, from_us(row.made_at_us))
