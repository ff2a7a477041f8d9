"""The page on which people take tasks and say what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field
from starlette.authentication import requires
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serving.console.access import DECIDE, LOOK, PostTokens, visitor_of
from serving.console.asked import Asked, read_form, read_query
from serving.console.house import House
from serving.console.links import SAID, link, make_address, make_anchor
from serving.console.templating import Renderer
from serving.playbooks.words import drop_task, finish_task, take_task
from serving.store.tasks import TaskAnswer, TaskOutcome, TaskState

_MOST_LISTED = 200
_MOST_NOTE = 1_000
_WHY_NOT: Final = {
    TaskAnswer.OTHERS: "Somebody else has taken it: the task says who.",
    TaskAnswer.OVER: "It is done, or dropped: look among those that are settled.",
}


class Whose(StrEnum):
    """Which tasks are listed."""

    ALL = "all"
    MINE = "mine"
    OVERDUE = "overdue"
    SETTLED = "settled"


class TasksAsked(Asked):
    """Which tasks, and of which team."""

    whose: Whose = Whose.ALL
    owner: Annotated[str, Field(max_length=100)] = ""


class TakeAsked(TasksAsked):
    """Which task somebody takes, and how the list was looked at."""

    task_id: Annotated[str, Field(min_length=1, max_length=400)]


class DropAsked(TakeAsked):
    """Why a task is needed no more."""

    why: Annotated[str, Field(min_length=1, max_length=_MOST_NOTE)]


class FinishAsked(TakeAsked):
    """What came of a task."""

    outcome: TaskOutcome
    note: Annotated[str, Field(max_length=_MOST_NOTE)] = ""


@dataclass(frozen=True)
class TaskPages:
    """Endpoints of tasks."""

    house: House
    tokens: PostTokens
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/tasks", self.list, name="tasks"),
            Route("/tasks/take", self.take, name="take", methods=["POST"]),
            Route("/tasks/finish", self.finish, name="finish", methods=["POST"]),
            Route("/tasks/drop", self.drop, name="drop", methods=["POST"]),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def list(self, request: Request) -> Response:
        """Tasks, what is due first before the rest; settled ones, the last one first."""
        asked = read_query(request, TasksAsked)
        now, name = self.house.clock(), visitor_of(request).name
        is_settled = asked.whose is Whose.SETTLED
        states = (
            (TaskState.DONE, TaskState.DROPPED) if is_settled else (TaskState.OPEN, TaskState.TAKEN)
        )
        with self.house.store.reading() as session:
            everything = session.tasks.list(states=states)
        found = [
            task
            for task in everything
            if (not asked.owner or task.owner == asked.owner)
            and (asked.whose is not Whose.MINE or task.taken_by == name)
            and (asked.whose is not Whose.OVERDUE or task.is_overdue(now))
        ]
        if is_settled:
            found.sort(key=lambda task: task.settled_at or task.made_at, reverse=True)
        return self.renderer.answer(
            request,
            "tasks",
            now=now,
            asked=asked,
            whose=Whose,
            here=lambda **query: _address(request, asked.model_copy(update=query)),
            tasks=found[:_MOST_LISTED],
            n_tasks=len(found),
            owners=sorted({task.owner for task in everything}),
            outcomes=TaskOutcome,
            max_note=_MOST_NOTE,
            said=request.session.pop(SAID, ""),
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def take(self, request: Request) -> Response:
        """Work on a task from now on."""
        asked = await read_form(request, TakeAsked, tokens=self.tokens)
        name, now = visitor_of(request).name, self.house.clock()

        def take() -> TaskAnswer:
            with self.house.store.transaction() as session:
                return take_task(session, asked.task_id, by=name, now=now)

        answer = await run_in_threadpool(take)
        at = make_anchor(asked.task_id)  # it stays in the list, and goes on being looked at
        return self._go_on(request, asked, answer, said="It is yours.", fragment=at)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def finish(self, request: Request) -> Response:
        """Say what came of it; its case hears it in the same transaction."""
        asked = await read_form(request, FinishAsked, tokens=self.tokens)
        name, now = visitor_of(request).name, self.house.clock()

        def finish() -> TaskAnswer:
            with self.house.store.transaction() as session:
                return finish_task(
                    session,
                    asked.task_id,
                    by=name,
                    outcome=asked.outcome,
                    note=asked.note.strip(),
                    now=now,
                )

        return self._go_on(request, asked, await run_in_threadpool(finish), said="It is done.")

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def drop(self, request: Request) -> Response:
        """Say that there is no need of it, whoever has taken it."""
        asked = await read_form(request, DropAsked, tokens=self.tokens)
        name, now = visitor_of(request).name, self.house.clock()

        def drop() -> TaskAnswer:
            with self.house.store.transaction() as session:
                return drop_task(session, asked.task_id, by=name, why=asked.why, now=now)

        return self._go_on(request, asked, await run_in_threadpool(drop), said="It is dropped.")

    def _go_on(
        self,
        request: Request,
        asked: TakeAsked,
        answer: TaskAnswer,
        *,
        said: str,
        fragment: str = "",
    ) -> Response:
        if answer is TaskAnswer.UNKNOWN:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such task")
        if answer in _WHY_NOT:
            raise HTTPException(HTTPStatus.CONFLICT, _WHY_NOT[answer])
        request.session[SAID] = said
        return RedirectResponse(_address(request, asked, fragment=fragment), HTTPStatus.SEE_OTHER)


def _address(request: Request, asked: TasksAsked, *, fragment: str = "") -> str:
    whose = "" if asked.whose is Whose.ALL else asked.whose.value
    at = link(request, "tasks")
    return make_address(at, fragment=fragment, whose=whose, owner=asked.owner)
