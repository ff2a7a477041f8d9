"""The first answer to an incident: those affected are told and help is found, side by side."""

from datetime import datetime

from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.helping import (
    ASK,
    BOOK,
    KINDS,
    ask,
    book,
    cancel,
    find_help,
    follow_help,
    read_answer,
    read_confirmation,
)
from serving.autopilot.acting.joining import plan_for_more
from serving.autopilot.acting.pausing import KIND as PAUSE
from serving.autopilot.acting.pausing import pause, resume
from serving.autopilot.acting.topics import CONFIRM_CAUSE, GREW
from serving.autopilot.acting.updates import Stage
from serving.autopilot.acting.writing import (
    list_affected,
    plan_letters,
    unsend_letters,
    write_letters,
)
from serving.corridor.actions import ActionRequest
from serving.store.bursts import BurstState
from serving.store.flows import Signal
from serving.store.store import StoreSession
from serving.workflows.actions import (
    Action,
    End,
    Outcome,
    Plan,
    Planned,
    Skip,
    Turn,
)


class Respond(Action[IncidentContext]):
    """Writes to those affected and finds help; what needs a yes does not hold up the other."""

    def plan(
        self, session: StoreSession, *, context: IncidentContext, turn: Turn, now: datetime
    ) -> Planned:
        """The first update to everybody who complained, and the first vendor to ask."""
        burst = context.read_burst(session)
        letters = plan_letters(
            session,
            context=context,
            burst=burst,
            stage=Stage.CHECKING,
            action_id=turn.name_action(Stage.CHECKING.value),
            customer_ids=list_affected(session, context=context),
        )
        help_ = find_help(session, context=context, turn=turn, now=now)
        session.bursts.set_state(burst.incident_id, BurstState.PLANNED, at=now)
        requests = tuple(one for one in (letters, help_) if one is not None)
        if not requests:
            return Skip("there is nobody to write to, and nobody to ask")
        return Plan(requests, words=", ".join(one.kind for one in requests))

    def act(self, request: ActionRequest, *, context: IncidentContext, now: datetime) -> Outcome:
        """Do what the request says."""
        with context.parts.store.transaction() as session:
            session.bursts.set_state(context.incident_id, BurstState.ACTING, at=now)
        match request.kind:
            case kind if kind == ASK:
                return ask(request, context=context, now=now)
            case kind if kind == BOOK:
                return book(request, context=context, now=now)
            case kind if kind == PAUSE:
                return pause(request, context=context, now=now)
            case _:
                return write_letters(request, context=context, now=now)

    def confirm(
        self,
        signal: Signal | None,  # noqa: ARG002  # what was said is kept where it was told
        *,
        request: ActionRequest,
        context: IncidentContext,
        now: datetime,
    ) -> Outcome:
        """What a vendor said, or its silence."""
        if request.kind == BOOK:
            return read_confirmation(request, context=context, now=now)
        return read_answer(request, context=context)

    def undo(self, request: ActionRequest, *, context: IncidentContext, now: datetime) -> None:
        """Cancel a visit, let advertising go on, or unsend what has not gone out yet."""
        if request.kind in KINDS:
            cancel(request, context=context, now=now)
        elif request.kind == PAUSE:
            with context.parts.store.transaction() as session:
                resume(session, [request.action_id], now=now)
        else:
            unsend_letters(request, context=context, now=now)

    def follow(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        end: End,
        context: IncidentContext,
        turn: Turn,
        now: datetime,
    ) -> tuple[ActionRequest, ...]:
        """After a vendor's answer the booking, or the next vendor."""
        if request.kind not in KINDS:
            return ()
        return follow_help(session, request=request, end=end, context=context, turn=turn, now=now)

    @property
    def join_at(self) -> frozenset[str]:
        """When one more complains, and when the cause is known."""
        return frozenset({GREW, CONFIRM_CAUSE})

    def join(
        self,
        session: StoreSession,
        *,
        context: IncidentContext,
        turn: Turn,
        now: datetime,  # noqa: ARG002  # the signature is the workflow's
    ) -> tuple[ActionRequest, ...]:
        """What a booking that waits for a yes must not hold up."""
        burst = context.read_burst(session)
        return plan_for_more(session, context=context, burst=burst, turn=turn)

    def describe(self, request: ActionRequest, *, context: IncidentContext) -> str:
        """For the owner."""
        words = context.pilot.words.what
        names = {one.vendor_id: one.name for one in context.pilot.vendors()}
        name = names.get(request.vendor or "", request.vendor)
        if request.kind == BOOK:
            amount = context.write_money(request.amount_cents)
            return f"{words.book_vendor.format(amount=amount)} ({name})"
        if request.kind == ASK:
            return f"{words.ask_vendor} ({name})"
        if request.kind == PAUSE:
            return words.pause_marketing
        stage = request.action_id.rpartition("/")[2]  # which ends the identity of letters
        said = {Stage.CAUSE.value: words.tell_cause, Stage.OVER.value: words.tell_over}
        return said.get(stage, words.message_customers)
