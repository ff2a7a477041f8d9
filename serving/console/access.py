"""Who may come in, and what they may do: visitors, roles, doors, and tokens against forged posts.

A signed cookie remembers who came in: by itself, where the command line let one person in for a
while, or by a token of a session that the store keeps (`serving.console.accounts`).
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from threading import Lock
from typing import Final, Protocol

from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import TypeAdapter
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request

LOOK, DECIDE, OWN = "look", "decide", "own"
"""What a page or a button needs; roles grant them."""

SESSION_ID: Final = "id"
_VISITOR = "visitor"
_N_TOKEN_BYTES = 32


class Role(StrEnum):
    """What a visitor is; closed. The corridor's approvers go by the same names."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OWNER = "owner"


_GRANTS: Mapping[Role, tuple[str, ...]] = {
    Role.VIEWER: (LOOK,),
    Role.OPERATOR: (LOOK, DECIDE),
    Role.OWNER: (LOOK, DECIDE, OWN),
}


@dataclass(frozen=True)
class Visitor:
    """Somebody who came in.

    Attributes:
        name: As kept with every decision.
        role: What they may do.
    """

    name: str
    role: Role


_VISITORS = TypeAdapter(Visitor)


class SignedIn(BaseUser):
    """A visitor as Starlette knows users."""

    def __init__(self, visitor: Visitor) -> None:
        """Of that visitor."""
        self.visitor = visitor

    @property
    def is_authenticated(self) -> bool:
        """They came in."""
        return True

    @property
    def display_name(self) -> str:
        """Their name."""
        return self.visitor.name

    @property
    def identity(self) -> str:
        """Their name."""
        return self.visitor.name


class Door(Protocol):
    """Knows visitors by what they show."""

    def admit(self, token: str, /) -> Visitor | None:
        """Who shows this token; None for nobody we know."""
        ...


class OneTimeDoor:
    """Lets one visitor in, once, for the token that only they were told."""

    def __init__(self, visitor: Visitor) -> None:
        """Make the token."""
        self.token = secrets.token_urlsafe(_N_TOKEN_BYTES)
        self._visitor: Visitor | None = visitor
        self._lock = Lock()

    def admit(self, token: str, /) -> Visitor | None:
        """The visitor, for the token, the first time; else None."""
        with self._lock:
            if not compare_digest(token.encode(), self.token.encode()):
                return None
            visitor, self._visitor = self._visitor, None
            return visitor


def begin(session: MutableMapping[str, object], *, token: str | None = None) -> None:
    """A new session under a new identity; nothing of the one before is kept."""
    session.clear()
    session[SESSION_ID] = token or secrets.token_urlsafe(_N_TOKEN_BYTES)


def remember(visitor: Visitor, *, session: MutableMapping[str, object]) -> None:
    """Keep who came in in the cookie itself, under a new session."""
    begin(session)
    session[_VISITOR] = {"name": visitor.name, "role": visitor.role.value}


def recall_signed(conn: HTTPConnection) -> Visitor | None:
    """Who this cookie says that came in; None for nobody."""
    kept = conn.session.get(_VISITOR)
    return None if kept is None else _VISITORS.validate_python(kept)


class SessionVisitors(AuthenticationBackend):
    """What Starlette asks about every request: who it is of."""

    def __init__(self, recall: Callable[[HTTPConnection], Visitor | None]) -> None:
        """Know visitors by this; it may read the store."""
        self._recall = recall

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """The visitor and what their role grants; None when nobody came in."""
        visitor = await run_in_threadpool(self._recall, conn)
        if visitor is None:
            return None
        return AuthCredentials(_GRANTS[visitor.role]), SignedIn(visitor)


def visitor_of(request: Request) -> Visitor:
    """Who asks, behind a check that somebody came in."""
    user = request.user
    if not isinstance(user, SignedIn):
        raise TypeError(f"{request.url.path}: answered without asking who came in")
    return user.visitor


class PostTokens:
    """Tokens that every form carries and no other site can know: signed, one for each session."""

    def __init__(self, secret: str) -> None:
        """Sign with this secret."""
        self._signer = URLSafeSerializer(secret, salt="opportune.console.post")

    def make(self, session: Mapping[str, object]) -> str:
        """The token of a session; empty where there is none."""
        digest = _digest_of(session)
        return "" if digest is None else str(self._signer.dumps(digest))

    def is_of(self, session: Mapping[str, object], *, token: str) -> bool:
        """Whether the token is the session's own."""
        digest = _digest_of(session)
        try:
            signed = self._signer.loads(token)
        except BadSignature:
            return False
        return digest is not None and compare_digest(str(signed).encode(), digest.encode())


def _digest_of(session: Mapping[str, object]) -> str | None:
    """Pages show the token: the session's identity itself, which lets people in, stays out."""
    identity = session.get(SESSION_ID)
    return None if identity is None else hashlib.sha256(str(identity).encode()).hexdigest()
