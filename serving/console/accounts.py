"""Who may come in with a name and a password, and whose session a cookie holds.

A session is a row of the store: it ends for everybody at once when it is ended, whichever process
answers. The cookie holds a token, the store its digest.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from features.errors import BadInputError, ConflictError
from serving.audit.entries import EntryKind
from serving.console.access import SESSION_ID, Role, Visitor
from serving.console.passwords import Passwords
from serving.corridor.stop_files import fold_name
from serving.corridor.switch_names import is_switch_name
from serving.store.console import AccountRow
from serving.store.store import Store, StoreSession

IDLE: Final = timedelta(hours=1)
"""Whoever does nothing for as long is out."""

LONGEST: Final = timedelta(hours=12)
"""Whoever came in as long ago is out, whatever they do."""

_SEEN_EVERY = timedelta(minutes=1)  # a write for every request would be one too many
_N_TOKEN_BYTES = 32
_SUBJECT = "console"


@dataclass(frozen=True)
class Accounts:
    """People, their passwords and their sessions.

    Attributes:
        store: Where all that is kept.
        clock: What time it is.
        passwords: Hashes and compares.
    """

    store: Store
    clock: Callable[[], datetime]
    passwords: Passwords = field(default_factory=Passwords)

    # ------------------------------------------------------------ accounts

    def add(self, name: str, *, role: Role, password: str, by: str) -> None:
        """Let somebody in from now on.

        Raises:
            BadInputError: The name cannot be one, or the password is too short.
            ConflictError: There is somebody of that name, however its letters are written.
        """
        if not is_switch_name(name) or name != name.strip():
            raise BadInputError(f"name {name!r}: expected a printable name without outer spaces")
        now = self.clock()
        account = AccountRow(name, role.value, self.passwords.hash(password), now)
        with self.store.transaction() as session:
            if not session.console.add_account(account):
                raise ConflictError(f"{name}: somebody of that name may come in already")
            words = f"{name} may come into the console as {role}"
            _log(session, words, by=by, at=now, account=name, role=role.value)

    def list(self) -> Sequence[AccountRow]:
        """Everybody who may come in, by name."""
        with self.store.reading() as session:
            return session.console.list_accounts()

    def remove(self, name: str, *, by: str) -> None:
        """Let somebody in no more; their sessions end at once.

        Raises:
            BadInputError: There is nobody of that name.
        """
        now = self.clock()
        with self.store.transaction() as session:
            account = _require(session, name)
            session.console.remove_account(name)
            words = f"{account.name} may not come into the console any more"
            _log(session, words, by=by, at=now, account=account.name)

    def set_password(self, name: str, *, password: str, by: str) -> None:
        """Another password; sessions that began with the one before end at once.

        Raises:
            BadInputError: There is nobody of that name, or the password is too short.
        """
        hashed, now = self.passwords.hash(password), self.clock()
        with self.store.transaction() as session:
            account = _require(session, name)
            session.console.set_password(name, hashed)
            session.console.end_sessions(name)
            words = f"{account.name} has another password for the console"
            _log(session, words, by=by, at=now, account=account.name)

    # ------------------------------------------------------------ sessions

    def sign_in(self, name: str, password: str) -> tuple[Visitor, str] | None:
        """Begin a session: who it is of, and its token; None where name or password is wrong."""
        with self.store.reading() as session:
            account = session.console.find_account(name)
        known = None if account is None else account.password_hash
        if not self.passwords.is_right(password, password_hash=known) or account is None:
            return None
        token, now = secrets.token_urlsafe(_N_TOKEN_BYTES), self.clock()
        stale = self.passwords.is_stale(account.password_hash)
        fresh = replace(account, password_hash=self.passwords.hash(password)) if stale else account
        with self.store.transaction() as session:
            # Removed, or given another password, while this one was being compared.
            if session.console.find_account(name) != account:
                return None
            if stale:
                session.console.set_password(name, fresh.password_hash)
            session.console.forget_sessions(seen_before=now - LONGEST)
            session.console.begin_session(digest_token(token), name=name, at=now)
            words = f"{account.name} comes into the console as {account.role}"
            _log(session, words, by=account.name, at=now, account=account.name, role=account.role)
        return Visitor(account.name, Role(account.role)), token

    def recall(self, cookie: Mapping[str, object], *, is_active: bool) -> Visitor | None:
        """Who is in with this cookie; None for nobody, and for whom its time is over.

        Args:
            cookie: What the signed cookie holds.
            is_active: Whether a person did something; a page that looks by itself did not.
        """
        token = cookie.get(SESSION_ID)
        if not isinstance(token, str):
            return None
        digest, now = digest_token(token), self.clock()
        with self.store.reading() as session:
            found = session.console.find_session(digest)
        if found is None or now - found.seen_at >= IDLE or now - found.began_at >= LONGEST:
            return None
        if is_active and now - found.seen_at >= _SEEN_EVERY:
            with self.store.transaction() as session:
                session.console.see_session(digest, at=now)
        return Visitor(found.name, Role(found.role))

    def sign_out(self, cookie: Mapping[str, object]) -> None:
        """End the session of this cookie."""
        token = cookie.get(SESSION_ID)
        if isinstance(token, str):
            with self.store.transaction() as session:
                session.console.end_session(digest_token(token))

    def sign_out_everywhere(self, name: str, *, by: str) -> int:
        """End every session of somebody; how many there were.

        Raises:
            BadInputError: There is nobody of that name.
        """
        now = self.clock()
        with self.store.transaction() as session:
            account = _require(session, name)
            n = session.console.end_sessions(name)
            words = f"{account.name} is signed out of the console everywhere"
            _log(session, words, by=by, at=now, account=account.name, n_sessions=n)
        return n


def digest_token(token: str) -> str:
    """What the store keeps of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def name_attempt(name: str) -> str:
    """The name that attempts are counted by, whatever was typed."""
    return hashlib.sha256(fold_name(name).encode()).hexdigest()


def _require(session: StoreSession, name: str) -> AccountRow:
    account = session.console.find_account(name)
    if account is None:
        raise BadInputError(f"{name!r}: nobody of that name may come into the console")
    return account


def _log(session: StoreSession, words: str, *, by: str, at: datetime, **body: str | int) -> None:
    session.audit.append(EntryKind.SYSTEM, _SUBJECT, body, by=by, at=at, words=words)
