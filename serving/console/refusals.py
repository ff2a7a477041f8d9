"""Answers to what may not be, cannot be, or went wrong."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from features.errors import OpportuneError
from serving.console.access import SESSION_ID, begin
from serving.console.templating import Renderer
from serving.faults import status_of

_TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "That cannot be asked",
    HTTPStatus.UNAUTHORIZED: "Not signed in",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.CONFLICT: "That cannot be done any more",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many attempts",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now; try it again in a moment",
}
_PLAIN: Final = {
    HTTPStatus.FORBIDDEN.phrase: "Your role may not do this, and nothing was done. Ask somebody "
    "whose role may: opportune console list says who that is.",
    HTTPStatus.NOT_FOUND.phrase: "There is no page at this address.",
}
_SIGNED_OUT: Final = "You were signed out, and nothing was done. Come in again, then do it anew."
_NO_PAGES: Final = ("", "/actions", "/texts", "/variants")
"""What stands above a form without being a page of its own."""


@dataclass(frozen=True)
class Refusals:
    """Pages that say why not, and what to do.

    Attributes:
        renderer: Makes pages.
        stranger: Template for whom nobody let in: `refusal`, or `sign_in` where one can.
    """

    renderer: Renderer
    stranger: str

    async def answer(self, request: Request, error: Exception) -> Response:
        """Why not."""
        headers = None
        match error:
            case HTTPException():
                status, detail, headers = HTTPStatus(error.status_code), error.detail, error.headers
            case OpportuneError():
                status, detail = HTTPStatus(status_of(error).http_status), str(error)
            case _:
                raise error
        if status is HTTPStatus.UNAUTHORIZED:
            return self._meet(request, detail)
        return self.renderer.answer(
            request,
            "refusal",
            status=status,
            headers=headers,
            title=_TITLES.get(status, "That did not work"),
            detail=_PLAIN.get(detail, detail),
            is_stranger=False,
            back=_find_form(request),
        )

    async def fail(self, request: Request, error: Exception) -> Response:  # noqa: ARG002  # Starlette's
        """Something broke; what exactly is for the log alone, to which the server writes it."""
        return PlainTextResponse(
            "Something went wrong here; the server's log says what. Look whether what you asked "
            "for was done. `opportune autopilot stop --by NAME` stops everything without a page.\n",
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )

    def _meet(self, request: Request, detail: str) -> Response:
        """Somebody whom nobody let in, or whose cookie the browser kept back.

        A link on another site, as in a mail, is followed without a cookie that is for our own pages
        alone: the page asks for itself once more, which the browser does with it.
        """
        if (
            self.stranger != "refusal"
            and request.method == "GET"
            and request.headers.get("sec-fetch-site") == "cross-site"
        ):
            return self.renderer.answer(request, "onwards", to=_find_target(request))
        if SESSION_ID not in request.session and self.stranger != "refusal":
            begin(request.session)
        return self.renderer.answer(
            request,
            self.stranger,
            status=HTTPStatus.UNAUTHORIZED,
            title=_TITLES[HTTPStatus.UNAUTHORIZED],
            detail=_describe(request, detail),
            is_stranger=True,
            back="",
            to=_find_place(request),
            name="",
            said="",
            trouble="",
        )


def _find_target(request: Request) -> str:
    """The page itself, with its query."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _describe(request: Request, detail: str) -> str:
    """Why nobody is let in; whoever sent a form is told what became of it."""
    if detail != HTTPStatus.UNAUTHORIZED.phrase:
        return detail
    return _SIGNED_OUT if request.method == "POST" else ""


def _find_place(request: Request) -> str:
    """The page within the application to go to after signing in: this one, or its form's."""
    root = request.scope.get("root_path", "")
    path = request.url.path if request.method == "GET" else _find_form(request)
    return path[len(root) :] if path.startswith(root) else ""


def _find_form(request: Request) -> str:
    """The page whose form was sent: it stands above what the form does; empty where none does."""
    if request.method != "POST" or "//" in request.url.path:  # two would lead to another host
        return ""
    root = request.scope.get("root_path", "")
    above = request.url.path.rpartition("/")[0]
    return "" if above[len(root) :] in _NO_PAGES else above
