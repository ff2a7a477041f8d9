"""What a request body may be: JSON, and not too much of it."""

from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access import is_open
from serving.by_get import ASKED_BY_GET


class JsonBodies:
    """Middleware that lets through nothing but JSON of a bounded, declared length.

    BentoML itself would also unpack multipart forms (fetching URLs in them), Arrow and pickles.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        """Guard an application; bodies above `max_bytes` are refused unread."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 405, 411, 413 or 415."""
        refusal = None
        if scope["type"] == "http" and not is_open(scope["path"]):
            refusal = self._refuse(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        media_type = headers.get(b"content-type", "application/json").split(";")[0].strip().lower()
        length = headers.get(b"content-length", "")
        if scope["method"] != "POST":
            refusal = _answer(HTTPStatus.METHOD_NOT_ALLOWED, "method", "send POST")
            by_get = ["GET"] if scope["path"].rstrip("/") in ASKED_BY_GET else []
            refusal.headers["Allow"] = ", ".join([*by_get, "POST"])
            return refusal
        if media_type != "application/json":
            return _answer(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "media_type",
                f"send application/json, not {media_type}",
            )
        if not length.isdigit():
            return _answer(HTTPStatus.LENGTH_REQUIRED, "length", "send a Content-Length")
        if int(length) > self._max_bytes:
            return _answer(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"a body holds at most {self._max_bytes} bytes, this one {length}",
            )
        return None


def _answer(status: HTTPStatus, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": code, "message": message}, status_code=status)
