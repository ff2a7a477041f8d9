"""Signing in with a name and a password, and signing out: here, or everywhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field
from starlette.authentication import requires
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serving.console.access import LOOK, SESSION_ID, PostTokens, begin, visitor_of
from serving.console.accounts import IDLE, LONGEST, Accounts, name_attempt
from serving.console.asked import Asked, PostAsked, read_form
from serving.console.attempts import Attempt, Attempts, name_address
from serving.console.links import SAID, link
from serving.console.templating import Renderer

LIVE: Final = "live"
"""Query of a page that looks again by itself: nobody did anything."""

_PLACE = re.compile(r"/[A-Za-z0-9_./~%-]*")
_WRONG = "Name or password is wrong."


class SignInAsked(Asked):
    """What the form to sign in says."""

    name: Annotated[str, Field(max_length=200)] = ""
    password: Annotated[str, Field(max_length=400, repr=False)] = ""
    to: Annotated[str, Field(max_length=300)] = ""


@dataclass(frozen=True)
class SigningPages:
    """Endpoints of people with accounts."""

    accounts: Accounts
    attempts: Attempts
    tokens: PostTokens
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/sign-in", self.ask, name="sign_in", methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/account", self.account, name="account"),
            Route("/leave", self.leave, name="leave", methods=["POST"]),
            Route("/leave-everywhere", self.leave_everywhere, name="everywhere", methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """The form; whoever is in goes on."""
        if request.user.is_authenticated:
            return RedirectResponse(link(request, "overview"), HTTPStatus.SEE_OTHER)
        said = str(request.session.pop(SAID, ""))  # beginning forgets what was done
        if SESSION_ID not in request.session:
            begin(request.session)
        return self._show(request, SignInAsked(), said=said)

    async def sign_in(self, request: Request) -> Response:
        """Compare, and begin a session of its own identity, whatever the browser brought along.

        Attempts are counted before a password is looked at. Whether a name is known can be told
        neither by the answer nor by the time that it takes.
        """
        asked = await read_form(request, SignInAsked, tokens=self.tokens)
        host = None if request.client is None else request.client.host
        attempt = Attempt(name_attempt(asked.name), name_address(host))
        wait_seconds = await run_in_threadpool(self.attempts.count, attempt)
        if wait_seconds is not None:
            minutes = -(-wait_seconds // 60)
            trouble = f"Too many attempts: wait {minutes} min, then try again."
            shown = self._show(request, asked, trouble, HTTPStatus.TOO_MANY_REQUESTS)
            shown.headers["Retry-After"] = str(wait_seconds)
            return shown
        found = await run_in_threadpool(self.accounts.sign_in, asked.name, asked.password)
        if found is None:
            return self._show(request, asked, _WRONG, HTTPStatus.FORBIDDEN)
        await run_in_threadpool(self.attempts.forgive, attempt)
        _, token = found
        begin(request.session, token=token)
        return RedirectResponse(_resolve(request, asked.to), HTTPStatus.SEE_OTHER)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    async def account(self, request: Request) -> Response:
        """Who is in, as what, and how to get out."""
        return self.renderer.answer(
            request,
            "account",
            role=visitor_of(request).role,
            idle_minutes=int(IDLE.total_seconds() // 60),
            longest_hours=int(LONGEST.total_seconds() // 3600),
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    async def leave(self, request: Request) -> Response:
        """End this session."""
        await read_form(request, PostAsked, tokens=self.tokens)
        await run_in_threadpool(self.accounts.sign_out, dict(request.session))
        request.session.clear()
        return RedirectResponse(link(request, "sign_in"), HTTPStatus.SEE_OTHER)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    async def leave_everywhere(self, request: Request) -> Response:
        """End every session of whoever asks."""
        await read_form(request, PostAsked, tokens=self.tokens)
        name = visitor_of(request).name
        await run_in_threadpool(lambda: self.accounts.sign_out_everywhere(name, by=name))
        request.session.clear()
        request.session[SAID] = "Signed out everywhere."
        return RedirectResponse(link(request, "sign_in"), HTTPStatus.SEE_OTHER)

    def _show(
        self,
        request: Request,
        asked: SignInAsked,
        trouble: str = "",
        status: HTTPStatus = HTTPStatus.OK,
        *,
        said: str = "",
    ) -> Response:
        return self.renderer.answer(
            request,
            "sign_in",
            status=status,
            to=asked.to,
            name=asked.name,
            said=said,
            trouble=trouble,
            detail="",
        )


def is_looking_by_itself(conn: HTTPConnection) -> bool:
    """Whether a page asks, not a person."""
    return conn.query_params.get(LIVE) == "1"


def _resolve(request: Request, to: str) -> str:
    """A page of ours after signing in; the overview for everything else.

    What was asked for can only add to our own path, so that it leads to no other site.
    """
    root = str(request.scope.get("root_path", ""))
    if len(to) > 1 and _PLACE.fullmatch(to) and "//" not in to and ".." not in to:
        return f"{root}{to}"
    return link(request, "overview")
