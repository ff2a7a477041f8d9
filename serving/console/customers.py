"""The pages of customers at risk: who, why, and what is done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field, ValidationError
from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serving.console.access import LOOK
from serving.console.asked import Asked, read_query
from serving.console.at_risk import RiskOrder, count_tiers, rank_customers
from serving.console.house import House
from serving.console.links import link
from serving.console.templating import Renderer
from serving.risk.records import ChurnAnswer, ChurnQuestion

_MOST_LISTED = 25
LANGUAGES: Final = ("en", "ru", "kk")
_WHY_NOT: Final = {
    "no_churn_model": "There is no churn model yet: `opportune train churn`, then "
    "`opportune promote churn`.",
    "already_gone": "They are gone already: there is no risk left to tell.",
}


class CustomersAsked(Asked):
    """In which order customers are listed, and in which language reasons are told."""

    order: RiskOrder = RiskOrder.RISK
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] = "en"
    customer: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True)
class CustomerPages:
    """Endpoints of customers."""

    house: House
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/customers", self.list, name="customers"),
            Route("/customers/{customer_id:path}", self.show, name="customer"),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def list(self, request: Request) -> Response:
        """Those who are most likely to be lost as of the snapshot, with their strongest reason."""
        asked = read_query(request, CustomersAsked)
        if asked.customer:
            at = link(request, "customer", customer_id=asked.customer)
            return RedirectResponse(at, HTTPStatus.SEE_OTHER)
        snapshot = self.house.snapshot()
        ranked = rank_customers(snapshot.customers, order=asked.order, most=_MOST_LISTED)
        answers = {one.customer_id: self._explain(one.customer_id, "en") for one in ranked}
        with self.house.store.reading() as session:
            cases = session.cases.find_of(answers)
        return self.renderer.answer(
            request,
            "customers",
            asked=asked,
            orders=RiskOrder,
            ranked=ranked,
            answers=answers,
            cases=cases,
            as_of=snapshot.as_of,
            tiers=count_tiers(snapshot.customers, rules=self.house.rules),
            has_model=snapshot.models.churn is not None,
            currency=self.house.currency,
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def show(self, request: Request) -> Response:
        """One customer: risk, reasons with their numbers, playbook, cases."""
        asked = read_query(request, CustomersAsked)
        customer_id = request.path_params["customer_id"]
        answer = self._explain(customer_id, asked.language)
        if not answer.known:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no customer {customer_id!r}")
        with self.house.store.reading() as session:
            cases = session.cases.find_of([customer_id]).get(customer_id, [])
        return self.renderer.answer(
            request,
            "customer",
            answer=answer,
            why_not=_WHY_NOT.get(answer.reason or "", ""),
            asked=asked,
            languages=LANGUAGES,
            cases=cases,
            currency=self.house.currency,
        )

    def _explain(self, customer_id: str, language: str) -> ChurnAnswer:
        try:
            question = ChurnQuestion(customer_id=customer_id, language=language)
        except ValidationError:  # what cannot be anybody's name
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no customer {customer_id!r}") from None
        return self.house.explain(question)
