"""The HTTP service. BentoML in its lean form: tracing and access log off, metrics by choice.

Bodies are positional-only, so that clients send them flat. Handlers are `async def` and short:
a thread per request would cost more than the decision; what writes waits for its turn between
them. After start-up the objects that live as long as the process are frozen out of garbage
collection, whose pauses are otherwise the p99.
"""

import asyncio
import gc
import inspect
import logging
from datetime import UTC, datetime
from typing import Any

import bentoml
from starlette.responses import JSONResponse

from features.errors import BusyError, OpportuneError
from serving.access import CONSOLE_PATH, BearerAccess
from serving.answers import OneLineForWrongBodies, PlainAnswers
from serving.autopilot.inbound.records import InboundReceipt, InboundReport
from serving.autopilot.watch.answers import IncidentAnswer, IncidentQuestion
from serving.by_get import QuestionsByGet
from serving.console.mounted import MountedConsole
from serving.documented import Documentation, Endpoint
from serving.faults import status_of
from serving.intake import JsonBodies
from serving.online.records import EventReceipt, EventReport
from serving.records import (
    Decision,
    DecisionAnswers,
    DecisionBatch,
    DecisionRequest,
    OutcomeReceipt,
    OutcomeReport,
)
from serving.risk.records import ChurnAnswer, ChurnQuestion
from serving.runtime import Runtime
from serving.settings import read_settings
from serving.turns import take_turn

_SETTINGS = read_settings()
_CONSOLE = MountedConsole()
_ANSWER_WITHIN_SECONDS = 10
_MAX_BODY_BYTES = 5_000_000
_RETRY_AFTER_SECONDS = "5"


def _now() -> datetime:
    return datetime.now(UTC)  # the edge: a service lives in the present


def _refusal(error: OpportuneError) -> Any:
    """One of our errors as an answer; BentoML sends a Response as it is."""
    return JSONResponse(
        {"error": error.code, "message": str(error)},
        status_code=status_of(error).http_status,
        headers={"Retry-After": _RETRY_AFTER_SECONDS} if isinstance(error, BusyError) else None,
    )


@bentoml.service(
    name="opportune",
    workers=_SETTINGS.workers,
    traffic={"timeout": _ANSWER_WITHIN_SECONDS},
    tracing={"excluded_urls": ".*"},
    metrics={"enabled": _SETTINGS.metrics},
    logging={"access": {"enabled": False}},
)
class OpportuneService:
    """Whom to message, when, on which channel and with which words.

    Send a key as `Authorization: Bearer <key>`. A decision is the full record: the allowed
    actions with their probabilities, the propensity of the chosen one, the filled text, and the
    versions of everything that had a say.
    """

    def __init__(self) -> None:
        """Load the current snapshot, then freeze what lives as long as the process."""
        self._runtime = Runtime(_SETTINGS, clock=_now)
        _CONSOLE.open(_SETTINGS, self._runtime)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)

    @bentoml.api(route="/decide")
    async def decide(self, request: DecisionRequest, /) -> Decision:
        """Decide about one customer, one trigger, one moment.

        Asking again with the same idempotency key gives the same record. An unknown customer is
        answered by the rules policy from the request's `profile`, or refused without one.
        """
        try:
            return (await take_turn(lambda: self._decide([request])))[0]
        except OpportuneError as error:
            refusal: Decision = _refusal(error)
            return refusal

    @bentoml.api(route="/decide_batch")
    async def decide_batch(self, batch: DecisionBatch, /) -> DecisionAnswers:
        """Decide about up to 1,000 requests; urgent triggers of a customer go first."""
        try:
            decisions = await take_turn(lambda: self._decide(batch.requests))
            return DecisionAnswers(decisions=decisions)
        except OpportuneError as error:
            refusal: DecisionAnswers = _refusal(error)
            return refusal

    @bentoml.api(route="/outcomes")
    async def outcomes(self, report: OutcomeReport, /) -> OutcomeReceipt:
        """Book what came of messages; reporting the same outcome twice changes nothing."""
        try:
            engine = self._runtime.engine()
            states = await take_turn(lambda: engine.report(report.outcomes))
            return OutcomeReceipt(states=states)
        except OpportuneError as error:
            refusal: OutcomeReceipt = _refusal(error)
            return refusal

    @bentoml.api(route="/events")
    async def events(self, report: EventReport, /) -> EventReceipt:
        """Take facts in as they happen: all of the events, or none.

        Each is a row of a table and is known from now on. What is told twice counts once. The
        answer holds the churn risk of the customers they are about, and every reason to write to
        them.
        """
        try:
            arrival = await take_turn(lambda: self._runtime.append(report))
            if not report.find_triggers:
                return arrival.receipt
            # A dozen queries: others are answered meanwhile.
            return await asyncio.to_thread(self._runtime.find_triggers, arrival)
        except OpportuneError as error:
            refusal: EventReceipt = _refusal(error)
            return refusal

    @bentoml.api(route="/inbound")
    async def inbound(self, report: InboundReport, /) -> InboundReceipt:
        """Take messages of customers in as they come: all of them, or none.

        They are kept at once and read by the process that acts. What is told twice counts once.
        """
        try:
            return await take_turn(lambda: self._runtime.take_messages(report))
        except OpportuneError as error:
            refusal: InboundReceipt = _refusal(error)
            return refusal

    @bentoml.api(route="/incidents")
    async def incidents(self, question: IncidentQuestion, /) -> IncidentAnswer:
        """Bursts of complaints, open and recent: where they stand and what happened when.

        May be asked by GET, too, with the fields in the address.
        """
        return self._runtime.read_incidents(question)

    @bentoml.api(route="/customers/churn")
    async def churn(self, question: ChurnQuestion, /) -> ChurnAnswer:
        """Churn probability, risk score, tier, reasons and playbook of one customer."""
        return self._runtime.explain_churn(question)

    def _decide(self, requests: list[DecisionRequest]) -> list[Decision]:
        for request in requests:
            self._runtime.require_own_time(request)
        return self._runtime.engine().decide_many(requests)


_APPLICATION: Any = OpportuneService  # the decorator made a bentoml.Service of the class
# The first one added is the outermost: nobody without a key learns what a body must look like.
_APPLICATION.add_asgi_middleware(BearerAccess, keys=_SETTINGS.api_keys)
_APPLICATION.add_asgi_middleware(QuestionsByGet)
_APPLICATION.add_asgi_middleware(JsonBodies, max_bytes=_MAX_BODY_BYTES)
_APPLICATION.add_asgi_middleware(
    PlainAnswers,
    documentation=Documentation(
        inspect.getdoc(_APPLICATION.inner) or "", Endpoint.all_of(_APPLICATION)
    ),
)
_APPLICATION.mount_asgi_app(_CONSOLE, path=CONSOLE_PATH)
logging.getLogger("bentoml._internal.server.http_app").addFilter(OneLineForWrongBodies())
