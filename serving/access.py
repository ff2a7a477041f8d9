"""Bearer keys with scopes, checked before anything else looks at a request."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from serving.settings import ApiKey, Scope

CONSOLE_PATH = "/console"
"""The console lets people in by itself: by accounts, not by keys."""

OPEN_PATHS = frozenset(
    {"/", "/docs.json", "/livez", "/readyz", "/healthz", "/metrics", CONSOLE_PATH}
)
OPEN_PREFIXES = ("/static/", "/static_content/", f"{CONSOLE_PATH}/")

SCOPES: Mapping[str, Scope] = {
    "/decide": Scope.DECIDE,
    "/decide_batch": Scope.DECIDE,
    "/outcomes": Scope.OUTCOMES,
    "/events": Scope.EVENTS,
    "/inbound": Scope.INBOUND,
    "/incidents": Scope.READ,
    "/customers/churn": Scope.READ,
}
"""Scope by path; what is neither here nor open is refused to everybody."""


class BearerAccess:
    """Middleware that lets a request through when its key has the scope of its path."""

    def __init__(self, app: ASGIApp, *, keys: Mapping[str, ApiKey]) -> None:
        """Guard an application with these keys, by the name of who holds them."""
        self._app = app
        self._keys = [(k.key.get_secret_value().encode(), k.scopes) for k in keys.values()]

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401, 403 or 404."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refuse(self, scope: AsgiScope) -> JSONResponse | None:
        needed = SCOPES.get(scope["path"].rstrip("/"))
        scopes = self._scopes_of(_bearer(scope))
        if scopes is None:
            return _answer(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "send a known key as `Authorization: Bearer <key>`",
            )
        if needed is None:
            return _answer(HTTPStatus.NOT_FOUND, "not_found", f"no such path: {scope['path']}")
        if needed not in scopes:
            return _answer(HTTPStatus.FORBIDDEN, "forbidden", f"this key lacks the scope {needed}")
        return None

    def _scopes_of(self, given: bytes) -> frozenset[Scope] | None:
        """Scopes of a key; None when unknown. Every key is compared, in constant time."""
        found: frozenset[Scope] | None = None
        for key, scopes in self._keys:
            if hmac.compare_digest(key, given):
                found = scopes
        return found


def is_open(path: str) -> bool:
    """Whether a path needs no key: documentation, health, metrics, and the console."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _bearer(scope: AsgiScope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:])
    return b""


def _answer(status: HTTPStatus, code: str, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else None
    return JSONResponse({"error": code, "message": message}, status_code=status, headers=headers)
