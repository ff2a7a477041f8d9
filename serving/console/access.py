"""Who may come in, and what they may do: visitors, roles, doors, and tokens against forged posts.

A door says who somebody is; a signed cookie remembers it. Today's door takes the token that the
command line printed, once. Another door (a login) can stand in its place: nothing else knows which.
"""

import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from threading import Lock
from typing import Protocol

from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import TypeAdapter
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
)
from starlette.requests import HTTPConnection

LOOK, DECIDE = "look", "decide"
"""What a page or a button needs; roles grant them."""

_VISITOR, _SESSION_ID = "visitor", "id"
_N_TOKEN_BYTES = 32


class Role(StrEnum):
    """What a visitor is; closed."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OWNER = "owner"


_GRANTS: Mapping[Role, tuple[str, ...]] = {
    Role.VIEWER: (LOOK,),
    Role.OPERATOR: (LOOK, DECIDE),
    Role.OWNER: (LOOK, DECIDE),
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


def remember(visitor: Visitor, *, session: MutableMapping[str, object]) -> None:
    """Keep who came in, under a new session."""
    session.clear()
    session[_SESSION_ID] = secrets.token_urlsafe(_N_TOKEN_BYTES)
    session[_VISITOR] = {"name": visitor.name, "role": visitor.role.value}


def recall(session: Mapping[str, object]) -> Visitor | None:
    """Who this session is of; None for nobody's."""
    kept = session.get(_VISITOR)
    return None if kept is None else _VISITORS.validate_python(kept)


class SessionVisitors(AuthenticationBackend):
    """What Starlette asks about every request: who it is of, from the signed session."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """The visitor and what their role grants; None when nobody came in."""
        visitor = recall(conn.session)
        if visitor is None:
            return None
        return AuthCredentials(_GRANTS[visitor.role]), SimpleUser(visitor.name)


class PostTokens:
    """Tokens that every form carries and no other site can know: signed, one for each session."""

    def __init__(self, secret: str) -> None:
        """Sign with this secret."""
        self._signer = URLSafeSerializer(secret, salt="opportune.console.post")

    def make(self, session: Mapping[str, object]) -> str:
        """The token of a session; empty where nobody came in."""
        identity = session.get(_SESSION_ID)
        return "" if identity is None else str(self._signer.dumps(identity))

    def is_of(self, session: Mapping[str, object], *, token: str) -> bool:
        """Whether the token is the session's own."""
        try:
            identity = self._signer.loads(token)
        except BadSignature:
            return False
        return compare_digest(str(identity).encode(), str(session.get(_SESSION_ID, "")).encode())
