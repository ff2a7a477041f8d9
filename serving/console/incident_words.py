"""What people say about an incident as a whole: why it was so, that help comes, that it is over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from starlette.authentication import requires
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serving.autopilot.acting.answers import (
    MOST_CENTS,
    MOST_MINUTES,
    VendorAnswer,
    answer_vendor,
    ask_to_close,
    confirm_cause,
)
from serving.console.access import DECIDE, LOOK, PostTokens, visitor_of
from serving.console.asked import OR_NONE, Asked, PostAsked, read_form
from serving.console.house import House
from serving.console.links import SAID, link
from serving.store.bursts import BurstRow, BurstState
from serving.store.store import StoreSession


class CauseAsked(Asked):
    """Which cause somebody confirms."""

    cause: Annotated[str, Field(min_length=1, max_length=100)]


def _clean_amount(told: object) -> object:
    """An amount without its spaces, and with the point of numbers.

    >>> _clean_amount("14 000,50")
    '14000.50'
    """
    return "".join(told.split()).replace(",", ".") if isinstance(told, str) else told


_Amount = Annotated[Decimal, Field(ge=0, le=Decimal(MOST_CENTS) / 100, decimal_places=2)]
_Minutes = Annotated[int, Field(ge=0, le=MOST_MINUTES)]


class AnswerAsked(Asked):
    """What a vendor said, as somebody passes it on; an offer needs a price and a time."""

    vendor: Annotated[str, Field(min_length=1, max_length=200)]
    comes: Literal["yes", "no"]
    price: Annotated[_Amount | None, OR_NONE, BeforeValidator(_clean_amount)] = None
    minutes: Annotated[_Minutes | None, OR_NONE] = None

    @property
    def answer(self) -> VendorAnswer:
        """As the autopilot takes it."""
        price_cents = None if self.price is None else int(self.price * 100)
        return VendorAnswer(self.comes == "yes", price_cents, self.minutes)


@dataclass(frozen=True)
class IncidentWordPages:
    """Endpoints of such words; each wakes the incident's workflow."""

    house: House
    tokens: PostTokens

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        path = "/incidents/{incident_id}"
        return [
            Route(f"{path}/cause", self.confirm, name="cause", methods=["POST"]),
            Route(f"{path}/vendors", self.answer, name="vendor_answer", methods=["POST"]),
            Route(f"{path}/close", self.close, name="close", methods=["POST"]),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def confirm(self, request: Request) -> Response:
        """Confirm why it was so: from now on customers are told that."""
        asked = await read_form(request, CauseAsked, tokens=self.tokens)
        name, updates = visitor_of(request).name, self.house.find_updates()
        if updates is None:
            raise HTTPException(HTTPStatus.CONFLICT, "the words about incidents cannot be read")

        def say(session: StoreSession, burst: BurstRow) -> None:
            confirm_cause(
                session,
                f"incident/{burst.incident_id}",
                topic=burst.topic,
                cause=asked.cause,
                updates=updates,
                by=name,
                now=self.house.clock(),
            )

        return await self._say(request, say, said="The cause is confirmed.")

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def answer(self, request: Request) -> Response:
        """Pass on what a vendor said: that it comes, for how much and when, or that it does not."""
        asked = await read_form(request, AnswerAsked, tokens=self.tokens)
        name = visitor_of(request).name

        def say(session: StoreSession, burst: BurstRow) -> None:
            answer_vendor(
                session,
                f"incident/{burst.incident_id}",
                asked.vendor,
                answer=asked.answer,
                by=name,
                now=self.house.clock(),
            )

        return await self._say(request, say, said="The vendor's answer is passed on.")

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def close(self, request: Request) -> Response:
        """Have it closed: what waits is given up, and the report is written."""
        await read_form(request, PostAsked, tokens=self.tokens)
        name = visitor_of(request).name

        def say(session: StoreSession, burst: BurstRow) -> None:
            now = self.house.clock()
            ask_to_close(session, f"incident/{burst.incident_id}", by=name, now=now)

        return await self._say(request, say, said="It is being closed.")

    async def _say(
        self, request: Request, say: Callable[[StoreSession, BurstRow], None], *, said: str
    ) -> Response:
        incident_id = request.path_params["incident_id"]

        def carry_out() -> None:
            with self.house.store.transaction() as session:
                burst = session.bursts.find(incident_id)
                if burst is None:
                    raise HTTPException(HTTPStatus.NOT_FOUND, f"no incident {incident_id!r}")
                if burst.state is BurstState.CLOSED:
                    raise HTTPException(HTTPStatus.CONFLICT, "the incident is closed")
                say(session, burst)

        await run_in_threadpool(carry_out)
        request.session[SAID] = said
        at = link(request, "incident", incident_id=incident_id)
        return RedirectResponse(at, HTTPStatus.SEE_OTHER)
