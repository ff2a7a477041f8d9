"""Coming in by an address that works once, and going out."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serving.console.access import LOOK, Door, PostTokens, remember
from serving.console.asked import PostAsked, read_form
from serving.console.links import link
from serving.console.templating import Renderer


@dataclass(frozen=True)
class Entrance:
    """Endpoints of a door that knows people by what the command line told them."""

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
