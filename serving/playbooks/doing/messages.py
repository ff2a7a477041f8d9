"""The step that writes to the customer: one decision of the engine, with everything it asks."""

from datetime import datetime

from features.vocabulary import Trigger
from serving.corridor.actions import ActionRequest
from serving.delivery.queue import LIVE
from serving.moments import show_moment
from serving.playbooks.context import CaseContext
from serving.policy.cases import to_us
from serving.records import DecisionRequest
from serving.store.claims import OPEN
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Action, Outcome, Plan, Planned, Turn

_NURTURE = "nurture_customer"
"""The corridor's kind of a message of a playbook."""


class WriteToCustomer(Action[CaseContext]):
    """Lets the engine decide whether, when, where and in which words to write.

    Consent, fatigue, cool-down, budgets, quiet hours, its own arms and *no message* are the
    engine's. A decision not to write is done, too.
    """

    def plan(
        self,
        session: StoreSession,
        *,
        context: CaseContext,
        turn: Turn,
        now: datetime,  # noqa: ARG002  # the signature is the workflow's
    ) -> Planned:
        """One decision; what sending costs is in the engine's own budgets."""
        case = context.find_case(session)
        request = ActionRequest(
            action_id=turn.name_action(),
            kind=_NURTURE,
            subject=context.flow_id,
            amount_cents=0,
            currency=context.free_currency,
            is_reversible=True,
            customer=case.customer_id,
        )
        return Plan((request,))

    def act(self, request: ActionRequest, *, context: CaseContext, now: datetime) -> Outcome:
        """Decide; the same key gives the same record, however often it is asked."""
        engine = context.parts.engine()
        decided_at = now if engine.takes_callers_time else None
        asked = DecisionRequest(
            customer_id=str(request.customer),
            trigger=Trigger.CHURN_RISK,
            idempotency_key=request.action_id,
            decided_at=decided_at,
        )
        (decision,) = engine.decide_many([asked])
        if not decision.send or decision.send_at is None:
            return Acted(0, f"the engine does not write: {decision.reason}")
        channels = "+".join(decision.channels)
        send_at = show_moment(decision.send_at, zone=context.parts.zone)
        return Acted(0, f"writes by {channels} at {send_at}")

    def undo(self, request: ActionRequest, *, context: CaseContext, now: datetime) -> None:
        """Cancel what is planned and not sent yet."""
        asked = DecisionRequest(
            customer_id=str(request.customer),
            trigger=Trigger.CHURN_RISK,
            idempotency_key=request.action_id,
        )
        with context.parts.store.transaction() as session:
            decision = session.find_by_keys([asked]).get(request.action_id)
            if decision is None or decision.send_at is None:
                return
            unsent = [
                message.message_id
                for message in decision.messages
                if decision.send_at > now or _waits(session, message.message_id, decision.send_at)
            ]
            session.cancel(unsent, at=now)


def _waits(session: StoreSession, message_id: str, send_at: datetime) -> bool:
    """Whether a message whose moment has come is one that we deliver, and have not yet."""
    since_us = session.outbox.find_start(LIVE)
    if since_us is None or to_us(send_at) < since_us:
        return False
    queued = session.outbox.find_one(message_id, lane=LIVE)
    return queued is None or queued.state.value in OPEN
