"""Talking to the service over HTTP, with the same types on both sides."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel

from features.errors import OpportuneError
from serving.autopilot.inbound.records import InboundReceipt, InboundReport, InboundRow
from serving.autopilot.watch.answers import IncidentAnswer, IncidentQuestion, ToldIncident
from serving.online.records import Event, EventReceipt, EventReport
from serving.records import (
    Decision,
    DecisionAnswers,
    DecisionBatch,
    DecisionRequest,
    OutcomeEvent,
    OutcomeReceipt,
    OutcomeReport,
    OutcomeState,
)
from serving.risk.records import ChurnAnswer, ChurnQuestion
from serving.store.inbound import InboundState

_Answer = TypeVar("_Answer", bound=BaseModel)

_DECISIONS_AT_ONCE = 1000
_OUTCOMES_AT_ONCE = 5000
_EVENTS_AT_ONCE = 1000
_MESSAGES_AT_ONCE = 1000


class ServiceAnswerError(OpportuneError):
    """The service answered with an error; the message holds its status and words."""

    code = "service_answer"


class ServiceClient:
    """A client of one running service."""

    def __init__(self, url: str, *, key: str, timeout_seconds: float = 60.0) -> None:
        """Talk to the service at that address with that bearer key."""
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_seconds
        )

    def __enter__(self) -> Self:
        """Use it as a context manager to close its connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def is_ready(self) -> bool:
        """Whether the service answers."""
        try:
            return self._http.get("/readyz", timeout=2.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def decide(self, request: DecisionRequest) -> Decision:
        """One decision."""
        return self._post("/decide", request, Decision)

    def decide_many(self, requests: Sequence[DecisionRequest]) -> list[Decision]:
        """Decisions in the order of the requests, in as many calls as needed."""
        decided: list[Decision] = []
        for start in range(0, len(requests), _DECISIONS_AT_ONCE):
            batch = DecisionBatch(requests=list(requests[start : start + _DECISIONS_AT_ONCE]))
            decided += self._post("/decide_batch", batch, DecisionAnswers).decisions
        return decided

    def report(self, outcomes: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """What became of each outcome, in order."""
        states: list[OutcomeState] = []
        for start in range(0, len(outcomes), _OUTCOMES_AT_ONCE):
            report = OutcomeReport(outcomes=list(outcomes[start : start + _OUTCOMES_AT_ONCE]))
            states += self._post("/outcomes", report, OutcomeReceipt).states
        return states

    def post(
        self,
        events: Sequence[Event],
        *,
        known_at: datetime | None = None,
        find_triggers: bool = True,
    ) -> list[EventReceipt]:
        """Tell facts, in as many calls as needed; what became of them, call by call.

        Args:
            events: In the order in which they became known.
            known_at: When the first became known; for services on the caller's clock only.
            find_triggers: Whether to look for triggers of the customers they are about.
        """
        receipts: list[EventReceipt] = []
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            moment = None if known_at is None else known_at + timedelta(microseconds=start)
            report = EventReport(
                events=list(events[start : start + _EVENTS_AT_ONCE]),
                known_at=moment,
                find_triggers=find_triggers,
            )
            receipts.append(self._post("/events", report, EventReceipt))
        return receipts

    def churn(self, customer_id: str, *, language: str = "en") -> ChurnAnswer:
        """Churn risk of one customer, told in a language."""
        question = ChurnQuestion(customer_id=customer_id, language=language)
        return self._post("/customers/churn", question, ChurnAnswer)

    def send_messages(
        self, messages: Sequence[InboundRow], *, arrived_at: datetime | None = None
    ) -> list[InboundState]:
        """Pass on what customers wrote, in as many calls as needed; what became of each.

        Args:
            messages: In any order.
            arrived_at: When they came in; for services on the caller's clock only.
        """
        states: list[InboundState] = []
        for start in range(0, len(messages), _MESSAGES_AT_ONCE):
            part = list(messages[start : start + _MESSAGES_AT_ONCE])
            report = InboundReport(messages=part, arrived_at=arrived_at)
            states += self._post("/inbound", report, InboundReceipt).states
        return states

    def find_incidents(self, question: IncidentQuestion | None = None) -> list[ToldIncident]:
        """Bursts of complaints, the newest first; open and recent ones where nothing is asked."""
        asked = question or IncidentQuestion()
        return self._post("/incidents", asked, IncidentAnswer).incidents

    def _post(self, path: str, body: BaseModel, kind: type[_Answer]) -> _Answer:
        response = self._http.post(
            path, content=body.model_dump_json(), headers={"Content-Type": "application/json"}
        )
        if response.status_code != httpx.codes.OK:
            raise ServiceAnswerError(f"{path} answered {response.status_code}: {response.text}")
        return kind.model_validate_json(response.content)
