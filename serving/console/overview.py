"""The first page: what waits for a word, what goes on, what is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.authentication import requires
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serving.console.access import LOOK, visitor_of
from serving.console.actions import list_cards, sort_cards
from serving.console.house import House
from serving.console.links import SAID
from serving.console.templating import Renderer
from serving.copy.stored import VariantState
from serving.corridor.actions import ActionState
from serving.corridor.settings import BrokenCorridor
from serving.store.tasks import TaskRow

_MOST_CARDS = 30


@dataclass(frozen=True)
class DueTasks:
    """Tasks that are to be done.

    Attributes:
        n: How many.
        n_overdue: How many should have been done by now.
        n_mine: How many the visitor has taken.
    """

    n: int
    n_overdue: int
    n_mine: int


@dataclass(frozen=True)
class OverviewPage:
    """The endpoint of the first page."""

    house: House
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where it is."""
        return [Route("/", self.show, name="overview")]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def show(self, request: Request) -> Response:
        """What waits for a word comes first, what is due soonest at its front."""
        house, visitor, now = self.house, visitor_of(request), self.house.clock()
        corridor = house.find_corridor()
        with house.store.reading() as session:
            actions = session.holds.find_in(ActionState.WAITING)
            waiting = [held for held in actions if now < held.expires_at]
            cards = sort_cards(
                list_cards(session, waiting, corridor=corridor, role=visitor.role, now=now)
            )
            incidents = session.bursts.list(only_open=True)
            tasks = session.tasks.list()
            stops = house.find_stops(session, zone=self.renderer.zone)
        return self.renderer.answer(
            request,
            "overview",
            now=now,
            cards=cards[:_MOST_CARDS],
            n_waiting=len(waiting),
            incidents=incidents,
            tasks=_count(tasks, of=visitor.name, now=now),
            n_texts=house.store.variants.count(VariantState.DRAFT),
            stops=stops,
            broken=corridor.why if isinstance(corridor, BrokenCorridor) else None,
            said=request.session.pop(SAID, ""),
        )


def _count(tasks: Sequence[TaskRow], *, of: str, now: datetime) -> DueTasks:
    return DueTasks(
        n=len(tasks),
        n_overdue=sum(task.is_overdue(now) for task in tasks),
        n_mine=sum(task.taken_by == of for task in tasks),
    )
