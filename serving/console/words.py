"""Where a yes or a no to an action is said: the corridor hears it, and its workflow wakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from pydantic import Field
from starlette.authentication import requires
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serving.console.access import DECIDE, LOOK, PostTokens, Visitor, visitor_of
from serving.console.asked import Asked, read_form
from serving.console.house import House
from serving.console.links import SAID, link, link_subject
from serving.console.templating import Renderer, write_plain
from serving.corridor.actions import Denied, Done
from serving.corridor.held import Held, Word
from serving.workflows.words import approve_action, veto_action

MOST_NOTE = 500


class WordAsked(Asked):
    """What a form says about an action."""

    action_id: Annotated[str, Field(min_length=1, max_length=400)]
    note: Annotated[str, Field(max_length=MOST_NOTE)] = ""


@dataclass(frozen=True)
class WordPages:
    """Endpoints of yes and no."""

    house: House
    tokens: PostTokens
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/actions/approve", self.approve, name="approve", methods=["POST"]),
            Route("/actions/veto", self.veto, name="veto", methods=["POST"]),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def approve(self, request: Request) -> Response:
        """Say yes; whether it counts is for the corridor to say."""
        return await self._answer(request, Word.APPROVE)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def veto(self, request: Request) -> Response:
        """Say no."""
        return await self._answer(request, Word.VETO)

    async def _answer(self, request: Request, word: Word) -> Response:
        asked = await read_form(request, WordAsked, tokens=self.tokens)
        held, answer = await run_in_threadpool(self._say, asked, word, visitor_of(request))
        back = link_subject(request, held.request.subject) or link(request, "overview")
        name = write_plain(held.request.kind)
        if isinstance(answer, Denied):
            return self.renderer.answer(
                request,
                "denied",
                status=HTTPStatus.CONFLICT,
                name=name,
                word=word,
                denied=answer,
                back=back,
            )
        past = "approved" if word is Word.APPROVE else "vetoed"
        again = " already" if answer.is_again else ""
        request.session[SAID] = f"{name} is {past}{again}."
        return RedirectResponse(back, HTTPStatus.SEE_OTHER)

    def _say(self, asked: WordAsked, word: Word, visitor: Visitor) -> tuple[Held, Done | Denied]:
        """Say it in one transaction, which is kept where the answer is no as well."""
        desk, now = self.house.find_desk(), self.house.clock()
        by, role = visitor.name, visitor.role.value
        with self.house.store.transaction() as session:
            held = session.holds.find(asked.action_id)
            if held is None:
                raise HTTPException(HTTPStatus.NOT_FOUND, "nobody proposed such an action")
            if word is Word.APPROVE:
                answer = approve_action(
                    session, asked.action_id, desk=desk, by=by, role=role, now=now
                )
            else:
                answer = veto_action(
                    session,
                    asked.action_id,
                    desk=desk,
                    by=by,
                    role=role,
                    now=now,
                    note=asked.note.strip(),
                )
        return held, answer
