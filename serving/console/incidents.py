"""The pages of incidents: which there are, and one with all that is known and done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serving.autopilot.acting.updates import Updates
from serving.console.access import LOOK, Role, visitor_of
from serving.console.dossier import open_dossier
from serving.console.house import House
from serving.console.links import SAID
from serving.console.templating import Renderer
from serving.corridor.actions import ActionState
from serving.masking import mask_personal_data
from serving.store.amends import AskState
from serving.store.bursts import BurstComplaint, BurstRow, BurstState
from serving.store.store import StoreSession

_MOST_LISTED = 200
_MOST_QUOTED = 50
_ANSWERABLE = (AskState.ASKED, AskState.SILENT, AskState.BOOKED)  # others said their last word


@dataclass(frozen=True)
class Quote:
    """What somebody wrote.

    Attributes:
        customer_id: Who; None for whom nobody knows.
        at: When.
        language: Of their words; None where it is not sure.
        severity: As triage has it.
        text: Their words, for viewers without personal data of a known form; None: forgotten.
        topic: As triage has it; None where the message was not read.
    """

    customer_id: str | None
    at: datetime
    language: str | None
    severity: str
    text: str | None
    topic: str | None


@dataclass(frozen=True)
class IncidentPages:
    """Endpoints of incidents."""

    house: House
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/incidents", self.list, name="incidents"),
            Route("/incidents/{incident_id}", self.show, name="incident"),
        ]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def list(self, request: Request) -> Response:
        """Incidents that are open, then those that are over, each the newest first."""
        with self.house.store.reading() as session:
            found = session.bursts.list(limit=_MOST_LISTED)
            waiting = session.holds.find_in(ActionState.WAITING)
            stops = self.house.find_stops(session, zone=self.renderer.zone)
        now = self.house.clock()
        n_waiting: dict[str, int] = {}
        for held in waiting:
            if now < held.expires_at:
                n_waiting[held.request.subject] = n_waiting.get(held.request.subject, 0) + 1
        return self.renderer.answer(
            request,
            "incidents",
            now=now,
            going_on=[one for one in found if one.state is not BurstState.CLOSED],
            over=[one for one in found if one.state is BurstState.CLOSED],
            n_waiting=n_waiting,
            stops=stops,
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def show(self, request: Request) -> Response:
        """One incident: its actions, who said what, what happened, and how it ended."""
        house, visitor = self.house, visitor_of(request)
        incident_id = request.path_params["incident_id"]
        subject, is_masked = f"incident/{incident_id}", visitor.role is Role.VIEWER
        with house.store.reading() as session:
            burst = session.bursts.find(incident_id)
            dossier = open_dossier(
                session, subject, house=house, role=visitor.role, zone=self.renderer.zone
            )
            if burst is None and dossier.is_empty:
                raise HTTPException(HTTPStatus.NOT_FOUND, f"no incident {incident_id!r}")
            cause = session.amends.find_cause(subject)
            closing = session.amends.find_closing(subject)
            asks = session.amends.find_asks(subject)
            quotes = _list_quotes(session, incident_id, is_masked=is_masked)
        return self.renderer.answer(
            request,
            "incident",
            incident_id=incident_id,
            burst=burst,
            dossier=dossier,
            causes=_list_causes(burst, updates=house.find_updates()),
            cause=cause,
            closing=closing,
            asks=asks,
            booked=AskState.BOOKED,
            answerable=_ANSWERABLE,
            quotes=quotes[:_MOST_QUOTED],
            n_quotes=len(quotes),
            is_masked=is_masked,
            said=request.session.pop(SAID, ""),
        )


def _list_causes(burst: BurstRow | None, *, updates: Updates | None) -> Mapping[str, str] | None:
    """Causes that can be confirmed, with what is told then, in English; None: nobody knows them."""
    if updates is None:
        return None
    if burst is None or burst.state is BurstState.CLOSED:
        return {}
    causes = updates.of_topic(burst.topic).causes
    return {name: words["en"] for name, words in sorted(causes.items())}


def _list_quotes(session: StoreSession, incident_id: str, *, is_masked: bool) -> Sequence[Quote]:
    complaints = session.bursts.find_complaints(incident_id)
    ids = [one.inbound_id for one in complaints]
    arrived = {one.message.inbound_id: one for one in session.inbound.find_many(ids)}
    readings = session.inbound.find_readings(ids)

    def quote(one: BurstComplaint) -> Quote:
        message = arrived.get(one.inbound_id)
        reading = readings.get(one.inbound_id)
        text = None
        if message is not None and not message.is_forgotten:
            text = message.message.text
            text = mask_personal_data(text) if is_masked else text
        return Quote(
            customer_id=one.customer_id,
            at=one.at,
            language=one.language,
            severity=one.severity.value,
            text=text,
            topic=None if reading is None else reading.triaged.topic,
        )

    return [quote(one) for one in complaints]
