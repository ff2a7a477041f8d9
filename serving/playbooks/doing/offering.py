"""The step that makes an offer: chosen, approved by a human, presented by one."""

from datetime import datetime
from typing import Final

from serving.audit.entries import EntryKind
from serving.corridor.actions import ActionRequest, ActionState
from serving.playbooks.choosing import NoOffer, Offered, choose_for_case
from serving.playbooks.context import CaseContext
from serving.playbooks.doing.people import add_task, make_task
from serving.playbooks.items import OfferItem
from serving.playbooks.judges import Judged
from serving.playbooks.seen import see_snapshot
from serving.playbooks.words import OFFER_TASK
from serving.store.cases import CaseRow, CaseState, OfferRow, OfferState
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Action, End, How, Outcome, Plan, Planned, Skip, Turn

_OFFER: Final = "offer_discount"
"""The corridor's kind of an offer."""


class MakeOffer(Action[CaseContext]):
    """Chooses an offer, holds its money until a human says yes, and has it presented."""

    def __init__(self, item: OfferItem) -> None:
        """By that item."""
        self._item = item

    def plan(
        self, session: StoreSession, *, context: CaseContext, turn: Turn, now: datetime
    ) -> Planned:
        """Choose; the offer is the customer's from now on, so that no other case makes it too."""
        case = context.find_case(session)
        playbooks = context.opener.playbooks
        judged = _judge(session, case, context, now=now)
        chosen = choose_for_case(session, case, playbooks=playbooks, judged=judged, now=now)
        _log(session, case, chosen, now=now)
        if isinstance(chosen, NoOffer):
            return Skip(chosen.why)
        proposed = OfferRow(
            customer_id=case.customer_id,
            offer=chosen.offer,
            case_id=case.case_id,
            state=OfferState.PROPOSED,
            cost_cents=chosen.cost_cents,
            currency=context.currency,
            propensity=chosen.propensity,
            saved_share=chosen.saved_share,
            at=now,
        )
        if not session.cases.propose_offer(proposed):
            return Skip(f"{chosen.offer} was offered to them before")
        offer = playbooks.offers[chosen.offer]
        request = ActionRequest(
            action_id=turn.name_action(chosen.offer),
            kind=_OFFER,
            subject=context.flow_id,
            amount_cents=chosen.cost_cents,
            currency=context.currency,
            is_reversible=offer.undo is not None,
            customer=case.customer_id,
        )
        return Plan((request,), words=offer.title)

    def act(
        self,
        request: ActionRequest,
        *,
        context: CaseContext,
        now: datetime,  # noqa: ARG002  # the signature is the workflow's
    ) -> Outcome:
        """Nothing outside of the store: who presents it is asked when this is settled."""
        title = context.opener.playbooks.offers[_name_of(request)].title
        return Acted(request.amount_cents, f"offers {title}")

    def record(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        acted: Acted,  # noqa: ARG002  # of the protocol
        context: CaseContext,
        now: datetime,
    ) -> None:
        """The offer is made; somebody presents it, and says what the customer answered."""
        name = _name_of(request)
        offer = context.opener.playbooks.offers[name]
        _move(session, request, context, state=OfferState.MADE)
        back = f"It can be taken back: {offer.undo}." if offer.undo else f"Final: {offer.no_undo}."
        cost = f"{request.amount_cents / 100:,.2f} {request.currency}"
        task = make_task(
            session,
            context,
            task_id=request.action_id,
            kind=OFFER_TASK,
            title=f"{self._item.title}: {offer.title}",
            team=self._item.team,
            within_hours=self._item.within_hours,
            now=now,
            first_words=(
                f"Approved: {offer.title}, at most {cost}. {back} Finish with `accepted` or "
                "`declined`."
            ),
        )
        add_task(session, task, context, now=now)

    def follow(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        end: End,
        context: CaseContext,
        turn: Turn,  # noqa: ARG002  # of the protocol
        now: datetime,  # noqa: ARG002  # of the protocol
    ) -> tuple[ActionRequest, ...]:
        """An offer that was vetoed, denied or never approved was not made."""
        if end.how is not How.DONE:
            _move(session, request, context, state=OfferState.WITHDRAWN)
        return ()

    def describe(self, request: ActionRequest, *, context: CaseContext) -> str:
        """The offer's title, to whom, and what it costs at most."""
        title = context.opener.playbooks.offers[_name_of(request)].title
        cost = f"{request.amount_cents / 100:,.2f} {request.currency}"
        return f"{title} ({request.customer}, {cost} at most)"


def withdraw_unmade(session: StoreSession, case_id: str) -> None:
    """Offers of a case that wait for nothing any more were never made."""
    held = {h.request.action_id: h for h in session.holds.find_of(f"case/{case_id}")}
    alive = (ActionState.WAITING, ActionState.CLAIMED)
    for offer in session.cases.list_offers(case_id=case_id):
        waits = any(
            key.rpartition("/")[2] == offer.offer and one.state in alive
            for key, one in held.items()
        )
        if offer.state is OfferState.PROPOSED and not waits:
            session.cases.set_offer(
                offer.customer_id,
                offer=offer.offer,
                case_id=case_id,
                state=OfferState.WITHDRAWN,
            )


def _judge(
    session: StoreSession, case: CaseRow, context: CaseContext, *, now: datetime
) -> dict[str, Judged]:
    """What contact does to the customer of the case as of now, and to those of open cases."""
    opener, snapshot = context.opener, context.parts.engine().snapshot
    others = [
        one.customer_id
        for one in session.cases.list(state=CaseState.OPEN)
        if one.case_id != case.case_id
    ]
    customers = see_snapshot(snapshot, others, rules=opener.rules)
    look = context.look(session, case, now=now)
    if look is not None and look.seen is not None:
        customers = [look.seen, *customers]
    said = opener.judge.judge(customers, snapshot)
    judged = dict(zip((seen.customer_id for seen in customers), said, strict=True))
    return {case.customer_id: Judged(None), **judged}


def _move(
    session: StoreSession,
    request: ActionRequest,
    context: CaseContext,
    *,
    state: OfferState,
) -> None:
    session.cases.set_offer(
        str(request.customer),
        offer=_name_of(request),
        case_id=context.case_id,
        state=state,
    )


def _name_of(request: ActionRequest) -> str:
    return request.action_id.rpartition("/")[2]


def _log(session: StoreSession, case: CaseRow, chosen: Offered | NoOffer, *, now: datetime) -> None:
    if isinstance(chosen, NoOffer):
        words = f"offers nothing: {chosen.why}"
        offer, net = None, None
    else:
        words = f"chooses {chosen.offer} of {chosen.n_allowed} offers"
        offer, net = chosen.offer, chosen.net_cents
    session.audit.append(
        EntryKind.THOUGHT,
        f"case/{case.case_id}",
        {
            "customer": case.customer_id,
            "arm": case.arm.value,
            "offer": offer,
            "propensity": round(chosen.propensity, 6),
            "net_cents": None if net is None else round(net, 2),
        },
        by="playbooks",
        at=now,
        words=words,
    )
