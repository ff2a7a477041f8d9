"""The pages of churn cases: which are open, and one with its actions, offers, tasks and story."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serving.console.access import LOOK, visitor_of
from serving.console.dossier import open_dossier
from serving.console.house import House
from serving.console.links import SAID
from serving.console.templating import Renderer
from serving.store.cases import CaseState
from serving.store.tasks import TaskState

_MOST_LISTED = 200


@dataclass(frozen=True)
class CasePages:
    """Endpoints of cases."""

    house: House
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/cases", self.list, name="cases"),
            Route("/cases/{case_id:path}", self.show, name="case"),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def list(self, request: Request) -> Response:
        """Cases that are open, then those that are closed, each the newest first."""
        with self.house.store.reading() as session:
            cases = session.cases.list(most=_MOST_LISTED)
        return self.renderer.answer(
            request,
            "cases",
            going_on=[one for one in cases if one.state is CaseState.OPEN],
            over=[one for one in cases if one.state is CaseState.CLOSED],
            currency=self.house.currency,
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def show(self, request: Request) -> Response:
        """One case."""
        case_id = request.path_params["case_id"]
        role = visitor_of(request).role
        with self.house.store.reading() as session:
            case = session.cases.find(case_id)
            dossier = open_dossier(
                session, f"case/{case_id}", house=self.house, role=role, zone=self.renderer.zone
            )
            if case is None and dossier.is_empty:
                raise HTTPException(HTTPStatus.NOT_FOUND, f"no case {case_id!r}")
            offers = session.cases.list_offers(case_id=case_id)
            tasks = session.tasks.list(states=tuple(TaskState), case_id=case_id)
        return self.renderer.answer(
            request,
            "case",
            case=case,
            dossier=dossier,
            offers=offers,
            tasks=tasks,
            currency=self.house.currency,
            said=request.session.pop(SAID, ""),
        )
