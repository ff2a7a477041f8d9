"""Making amends when it is over: a credit for each verified visitor, a last word for the others."""

from datetime import datetime, timedelta

from serving.audit.entries import EntryKind
from serving.autopilot.acting.context import ACTOR, IncidentContext
from serving.autopilot.acting.responding import Respond
from serving.autopilot.acting.updates import Credit, Stage
from serving.autopilot.acting.visits import find_visitors
from serving.autopilot.acting.writing import SENT, plan_letters, send_letters, unsend_letters
from serving.corridor.actions import ActionRequest
from serving.store.amends import IssuedCredit
from serving.store.letters import Letter
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Outcome, Plan, Planned, Skip, Turn

COMPENSATE = "compensate_customer"


class MakeAmends(Respond):
    """Issues credits and says so; who gets none is told that it seems better.

    Taken back, a credit is revoked.
    """

    def plan(
        self, session: StoreSession, *, context: IncidentContext, turn: Turn, now: datetime
    ) -> Planned:
        """A request for each credit, and one for the letters."""
        entitled = find_entitled(session, context=context)
        _note_entitled(session, entitled, context=context, now=now)
        credits_ = _plan_credits(session, entitled, context=context, turn=turn)
        told = {
            one.customer_id: None
            for one in session.letters.find_of(context.workflow_id)
            if one.reason == SENT and one.customer_id not in entitled
        }
        letters = plan_letters(
            session,
            context=context,
            burst=context.read_burst(session),
            stage=Stage.OVER,
            action_id=turn.name_action(Stage.OVER.value),
            customer_ids=list(told),
        )
        requests = (*credits_, *(() if letters is None else (letters,)))
        return Plan(requests) if requests else Skip("nobody is to be told, nobody gets a credit")

    def act(self, request: ActionRequest, *, context: IncidentContext, now: datetime) -> Outcome:
        """Issue a credit, or write the letters."""
        if request.kind == COMPENSATE:
            return _compensate(request, context=context, now=now)
        return super().act(request, context=context, now=now)

    def undo(self, request: ActionRequest, *, context: IncidentContext, now: datetime) -> None:
        """Revoke a credit; unsend what has not gone out yet."""
        if request.kind == COMPENSATE:
            with context.parts.store.transaction() as session:
                session.amends.revoke(request.action_id, at=now)
        unsend_letters(request, context=context, now=now)

    def describe(self, request: ActionRequest, *, context: IncidentContext) -> str:
        """For the owner."""
        if request.kind != COMPENSATE:
            return super().describe(request, context=context)
        amount = context.write_money(request.amount_cents)
        return context.pilot.words.what.credit.format(amount=amount, customer=request.customer)


def find_entitled(session: StoreSession, *, context: IncidentContext) -> list[str]:
    """Who may get a credit: those who complained and were there, the first ones first."""
    rules = context.pilot.settings.compensation
    affected = sorted(
        session.bursts.affected(context.incident_id),
        key=lambda one: (one.first_at, one.customer_id),
    )
    branch = context.read_burst(session).branch
    return find_visitors(session, affected, branch=branch, rules=rules)[: rules.most_customers]


def _plan_credits(
    session: StoreSession, entitled: list[str], *, context: IncidentContext, turn: Turn
) -> tuple[ActionRequest, ...]:
    branch = context.read_burst(session).branch
    requests = tuple(
        context.request(
            turn.name_action(f"credit-{customer_id}"),
            COMPENSATE,
            branch=branch,
            amount_cents=context.pilot.settings.compensation.cents,
            is_reversible=False,
            customer=customer_id,
        )
        for customer_id in entitled
    )
    session.letters.add(
        Letter(context.workflow_id, Stage.CREDIT.value, customer_id, request.action_id)
        for customer_id, request in zip(entitled, requests, strict=True)
    )
    return requests


def _compensate(request: ActionRequest, *, context: IncidentContext, now: datetime) -> Acted:
    """Issue the credit, once, and write to the customer."""
    days = context.pilot.settings.compensation.valid_days
    with context.parts.store.transaction() as session:
        credit = session.amends.issue(
            IssuedCredit(
                credit_id=request.action_id,
                subject=context.workflow_id,
                customer_id=request.customer or "",
                code=context.pilot.new_code(),
                amount_cents=request.amount_cents,
                currency=request.currency,
                issued_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
    said = Credit(credit.amount_cents, credit.currency, credit.code)
    sent = send_letters(request, context=context, now=now, credit=said)
    told = "told" if sent.n_sent else "not written to; the letter says why"
    return Acted(credit.amount_cents, f"{request.customer} has a credit, and is {told}")


def _note_entitled(
    session: StoreSession, entitled: list[str], *, context: IncidentContext, now: datetime
) -> None:
    n = len(context.read_burst(session).customer_ids)
    session.audit.append(
        EntryKind.THOUGHT,
        context.workflow_id,
        {"n_entitled": len(entitled), "n_complained": n},
        by=ACTOR,
        at=now,
        words=f"{len(entitled)} of {n} who complained have a visit on record, and may get a credit",
    )
