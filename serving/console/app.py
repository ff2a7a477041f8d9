"""The console as a web application: its routes, and what guards them.

It is an ASGI application like any other: `run` starts it alone; a service may mount it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from features.errors import OpportuneError
from serving.console.access import LOOK, Door, PostTokens, SessionVisitors, remember
from serving.console.asked import PostAsked, read_form
from serving.console.desk import Desk
from serving.console.gallery import Gallery
from serving.console.headers import SafeHeaders
from serving.console.links import link
from serving.console.pages import ReviewPages
from serving.console.templating import Renderer
from serving.faults import status_of

_STATIC: Final = Path(__file__).with_name("static")
_MAX_BODY_BYTES: Final = 20_000
_SESSION_SECONDS: Final = 8 * 60 * 60
_TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "That cannot be asked",
    HTTPStatus.UNAUTHORIZED: "Not signed in",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
}


@dataclass(frozen=True)
class Guarding:
    """How visitors are told apart.

    Attributes:
        door: Who lets them in.
        secret: Signs sessions and forms; whoever knows it can be anybody.
        hosts: Names that this server is reached by; requests for others are refused, so that no
            other site can pass as ours.
        cookie: Name of the session's cookie; browsers share them between ports of one host.
        is_https: Whether the cookie may only travel encrypted.
    """

    door: Door
    secret: str
    hosts: Sequence[str]
    cookie: str = "opportune_console"
    is_https: bool = False


def make_app(desk: Desk, *, gallery: Gallery, guarding: Guarding) -> Starlette:
    """The console.

    Args:
        desk: Variants, and the clock by which verdicts are dated.
        gallery: Draws texts.
        guarding: How visitors are told apart.
    """
    tokens = PostTokens(guarding.secret)
    renderer = Renderer(tokens=tokens)
    review = ReviewPages(desk=desk, gallery=gallery, tokens=tokens, renderer=renderer)
    entrance = _Entrance(door=guarding.door, tokens=tokens, renderer=renderer)
    cell = "/cells/{trigger}/{channel}/{language}"
    return Starlette(
        routes=[
            Route("/", review.queue, name="queue"),
            Route(cell, review.cell, name="cell"),
            Route(f"{cell}/letters/{{variant_id}}", review.letter, name="letter"),
            Route("/next/{trigger}/{channel}/{language}", review.next_cell, name="next"),
            Route("/variants/{variant_id}", review.variant, name="variant"),
            Route("/variants/{variant_id}/{verdict}", review.rule, name="rule", methods=["POST"]),
            Route("/enter", entrance.enter, name="enter"),
            Route("/leave", entrance.leave, name="leave", methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC), name="static"),
        ],
        middleware=[
            Middleware(SafeHeaders),
            Middleware(
                TrustedHostMiddleware, allowed_hosts=list(guarding.hosts), www_redirect=False
            ),
            Middleware(RequestBodyLimitMiddleware, max_body_size=_MAX_BODY_BYTES),
            Middleware(
                SessionMiddleware,
                secret_key=guarding.secret,
                session_cookie=guarding.cookie,
                max_age=_SESSION_SECONDS,
                same_site="strict",
                https_only=guarding.is_https,
            ),
            Middleware(AuthenticationMiddleware, backend=SessionVisitors()),
        ],
        exception_handlers={
            HTTPException: entrance.refuse,
            OpportuneError: entrance.refuse,
        },
    )


@dataclass(frozen=True)
class _Entrance:
    """Coming in, going out, and being turned away."""

    door: Door
    tokens: PostTokens
    renderer: Renderer

    async def enter(self, request: Request) -> Response:
        """Let the holder of a token in.

        The answer is a page that goes on by itself, not a redirect: from a link on another site a
        browser would follow a redirect without the cookie it just got.
        """
        if request.method != "GET":  # whoever only looks whether the address is there
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
        visitor = self.door.admit(request.query_params.get("token", ""))
        if visitor is None:
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED, "This address was used already, or is not whole."
            )
        remember(visitor, session=request.session)
        return self.renderer.answer(request, "enter", name=visitor.name)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    async def leave(self, request: Request) -> Response:
        """End the session."""
        await read_form(request, PostAsked, tokens=self.tokens)
        request.session.clear()
        return RedirectResponse(link(request, "queue"), HTTPStatus.SEE_OTHER)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """A page that says why not, and what to do."""
        match error:
            case HTTPException():
                status, detail = HTTPStatus(error.status_code), error.detail
            case OpportuneError():
                status, detail = status_of(error).http_status, str(error)
            case _:
                raise error
        return self.renderer.answer(
            request,
            "refusal",
            status=status,
            title=_TITLES.get(status, "That did not work"),
            detail=detail,
            is_stranger=status is HTTPStatus.UNAUTHORIZED,
        )
