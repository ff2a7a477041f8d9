"""The page of the kill switches: stop everything or a branch; go on. It needs no corridor."""

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

from serving.console.access import DECIDE, LOOK, OWN, PostTokens, visitor_of
from serving.console.asked import Asked, read_form
from serving.console.house import House
from serving.console.links import SAID, link
from serving.console.templating import Renderer
from serving.corridor.settings import BrokenCorridor
from serving.corridor.stop_files import put_stop_file, remove_stop_files
from serving.corridor.switch_names import MOST_BYTES, is_switch_name, name_scope
from serving.corridor.switching import throw_switch

_MOST_BRANCHES = 500


class SwitchAsked(Asked):
    """Which switch a form is about; no branch means everything."""

    branch: Annotated[str, Field(max_length=MOST_BYTES)] = ""
    scope: Annotated[str, Field(pattern="^(all|branch)$")]


@dataclass(frozen=True)
class SwitchPages:
    """Endpoints of the switches."""

    house: House
    tokens: PostTokens
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/switches", self.show, name="switches"),
            Route("/switches/stop", self.stop, name="stop", methods=["POST"]),
            Route("/switches/resume", self.resume, name="resume", methods=["POST"]),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def show(self, request: Request) -> Response:
        """What is stopped, by whom, and the buttons."""
        corridor = self.house.find_corridor()
        with self.house.store.reading() as session:
            stops = self.house.find_stops(session, zone=self.renderer.zone)
            bursts = session.bursts.list(limit=_MOST_BRANCHES)
        return self.renderer.answer(
            request,
            "switches",
            stops=stops,
            branches=sorted({burst.branch for burst in bursts}),
            broken=corridor.why if isinstance(corridor, BrokenCorridor) else None,
            said=request.session.pop(SAID, ""),
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def stop(self, request: Request) -> Response:
        """Stop at once: the file first, then the store, whatever became of the file."""
        branch = _read_branch(await read_form(request, SwitchAsked, tokens=self.tokens))
        by = visitor_of(request).name
        said = await run_in_threadpool(self._stop, branch, by)
        request.session[SAID] = said
        return RedirectResponse(link(request, "switches"), HTTPStatus.SEE_OTHER)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(OWN, status_code=HTTPStatus.FORBIDDEN)
    async def resume(self, request: Request) -> Response:
        """Go on: the store first, so that a failure leaves it stopped."""
        branch = _read_branch(await read_form(request, SwitchAsked, tokens=self.tokens))
        by = visitor_of(request).name
        await run_in_threadpool(self._resume, branch, by)
        request.session[SAID] = f"{name_scope(branch).capitalize()} goes on."
        return RedirectResponse(link(request, "switches"), HTTPStatus.SEE_OTHER)

    def _stop(self, branch: str | None, by: str) -> str:
        now = self.house.clock()
        note = f"{by} at {now:%Y-%m-%d %H:%M} UTC"
        fault = ""
        try:
            put_stop_file(self.house.home, branch=branch, note=note)
        except OSError as error:
            fault = f" The file could not be written ({error.strerror}); the store's row counts."
        with self.house.store.transaction() as session:
            throw_switch(session, is_stopped=True, by=by, branch=branch, now=now)
        return f"{name_scope(branch).capitalize()} is stopped.{fault}"

    def _resume(self, branch: str | None, by: str) -> None:
        with self.house.store.transaction() as session:
            throw_switch(session, is_stopped=False, by=by, branch=branch, now=self.house.clock())
        remove_stop_files(self.house.home, branch=branch)


def _read_branch(asked: SwitchAsked) -> str | None:
    """The branch, or None for everything; a branch that was left empty is not everything."""
    if asked.scope == "all":
        return None
    branch = asked.branch.strip()
    if not is_switch_name(branch):
        raise HTTPException(
            HTTPStatus.BAD_REQUEST,
            f"branch {branch!r}: expected a printable name of at most {MOST_BYTES} bytes",
        )
    return branch
