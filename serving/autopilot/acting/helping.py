"""Finding help: vendors are asked one after the other; the first that comes in time is booked."""

from datetime import datetime, timedelta

from serving.audit.entries import EntryKind
from serving.autopilot.acting.context import ACTOR, IncidentContext
from serving.autopilot.acting.house_words import Letter
from serving.autopilot.acting.replies import mark_subject
from serving.autopilot.acting.siblings import list_siblings
from serving.autopilot.acting.telling import tell_owner
from serving.autopilot.acting.topics import KIND, booked_topic, reply_topic
from serving.autopilot.acting.vendors import Ranked, Shortlist, shortlist
from serving.corridor.actions import ActionRequest
from serving.moments import show_moment
from serving.store.amends import AskState, VendorAsk
from serving.store.bursts import BurstRow
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Awaiting, End, Failed, How, Outcome, Turn

ASK = "ask_vendor"
BOOK = "book_vendor"
KINDS = frozenset({ASK, BOOK})

_OPEN = frozenset({AskState.BOOKED, AskState.CONFIRMED})


def find_help(
    session: StoreSession, *, context: IncidentContext, turn: Turn, now: datetime
) -> ActionRequest | None:
    """The next thing to ask for: the booking of who offered to come, else another vendor.

    None: somebody is booked, the topic has no helpers, or there is nobody left to ask, which the
    owner is told.
    """
    burst = context.read_burst(session)
    kinds = context.pilot.settings.helpers.get(burst.topic)
    asks = session.amends.find_asks(context.workflow_id)
    if kinds is None or any(ask.state in _OPEN for ask in asks):
        return None
    if _is_helped(session, burst):
        return None
    if (booking := take_offer(session, context=context, turn=turn)) is not None:
        return booking
    asked = {ask.vendor_id for ask in asks}
    if len(asked) < context.pilot.settings.vendors.most_asked:
        found = _list_vendors(context, burst, kinds=kinds)
        if not asked:
            _note_shortlist(session, found, context=context, now=now)
        fresh = [one for one in found.ranked if one.vendor.vendor_id not in asked]
        if fresh:
            return _request_answer(session, fresh[0], context=context, turn=turn, now=now)
    said = context.pilot.words.nobody_comes
    letter = Letter(subject=said.subject.format(branch=burst.branch), body=said.body)
    key = f"{context.workflow_id}/nobody-comes"
    tell_owner(session, letter, context=context, branch=burst.branch, key=key, now=now)
    return None


def _is_helped(session: StoreSession, burst: BurstRow) -> bool:
    """Whether somebody was booked for another incident of that topic and branch."""
    return any(
        ask.state in _OPEN
        for one in list_siblings(session, burst)
        for ask in session.amends.find_asks(f"{KIND}/{one.incident_id}")
    )


def take_offer(
    session: StoreSession, *, context: IncidentContext, turn: Turn
) -> ActionRequest | None:
    """The booking of whoever offered to come soonest, however late it said so; None: nobody did.

    An offer to come later than `most_eta_minutes` is none.
    """
    asks = session.amends.find_asks(context.workflow_id)
    offers = [
        ask for ask in asks if ask.state is AskState.OFFERED and _is_soon(ask, context=context)
    ]
    if not offers or any(ask.state in _OPEN for ask in asks):
        return None
    burst = context.read_burst(session)
    return _request_booking(context, burst, min(offers, key=_order), turn=turn)


def ask(request: ActionRequest, *, context: IncidentContext, now: datetime) -> Outcome:
    """Write to the vendor, once, and await its answer."""
    vendor_id = request.vendor or ""
    until = now + timedelta(minutes=context.pilot.settings.vendors.answer_minutes)
    with context.parts.store.transaction() as session:
        burst = context.read_burst(session)
        words = context.pilot.words.ask
        letter = Letter(
            subject=words.subject.format(branch=burst.branch),
            body=words.body.format(
                branch=burst.branch,
                topic=context.title_of(burst.topic),
                time=show_moment(until, zone=context.parts.zone),
            ),
        )
        _write(session, letter, request=request, context=context, until=until, now=now)
    return Awaiting(reply_topic(vendor_id), until, f"{vendor_id} is asked to come")


def read_answer(request: ActionRequest, *, context: IncidentContext) -> Acted | Failed:
    """What a vendor said, which is kept where it was told; silence is a no."""
    vendor_id = request.vendor or ""
    with context.parts.store.transaction() as session:
        told = session.amends.find_ask(context.workflow_id, vendor_id)
        if told is None or told.state is AskState.ASKED:
            if told is not None:
                session.amends.set_ask(context.workflow_id, vendor_id, state=AskState.SILENT)
            return Failed(f"{vendor_id} did not answer in time")
        if told.state is not AskState.OFFERED:
            return Failed(f"{vendor_id}: {told.state}")
        if not _is_soon(told, context=context):
            most = context.pilot.settings.vendors.most_eta_minutes
            session.amends.set_ask(context.workflow_id, vendor_id, state=AskState.CANCELLED)
            return Failed(f"{vendor_id} would come in {told.eta_minutes} minutes, at most {most}")
    return Acted(0, f"{vendor_id} can come in {told.eta_minutes} minutes")


def book(request: ActionRequest, *, context: IncidentContext, now: datetime) -> Outcome:
    """Tell the vendor to come, once, and await that it confirms."""
    vendor_id = request.vendor or ""
    until = now + timedelta(minutes=context.pilot.settings.vendors.confirm_minutes)
    with context.parts.store.transaction() as session:
        burst = context.read_burst(session)
        told = session.amends.find_ask(context.workflow_id, vendor_id)
        eta = None if told is None else told.eta_minutes
        words = context.pilot.words.book
        letter = Letter(
            subject=words.subject.format(branch=burst.branch),
            body=words.body.format(
                branch=burst.branch,
                amount=context.write_money(request.amount_cents),
                eta=eta,
                time=show_moment(until, zone=context.parts.zone),
            ),
        )
        _write(session, letter, request=request, context=context, until=until, now=now)
        if told is not None and told.state is AskState.OFFERED:
            session.amends.set_ask(context.workflow_id, vendor_id, state=AskState.BOOKED)
    return Awaiting(booked_topic(vendor_id), until, f"{vendor_id} is booked, and is to confirm")


def read_confirmation(
    request: ActionRequest, *, context: IncidentContext, now: datetime
) -> Acted | Failed:
    """Whether the vendor comes; who does not say so is told that it need not."""
    vendor_id = request.vendor or ""
    with context.parts.store.reading() as session:
        told = session.amends.find_ask(context.workflow_id, vendor_id)
    if told is not None and told.state is AskState.CONFIRMED:
        cost = told.price_cents if told.price_cents is not None else request.amount_cents
        return Acted(cost, f"{vendor_id} comes in {told.eta_minutes} minutes")
    cancel(request, context=context, now=now)
    return Failed(f"{vendor_id} did not confirm")


def cancel(request: ActionRequest, *, context: IncidentContext, now: datetime) -> None:
    """Take back what was asked of a vendor; asked again, nothing changes."""
    vendor_id = request.vendor or ""
    with context.parts.store.transaction() as session:
        told = session.amends.find_ask(context.workflow_id, vendor_id)
        is_ours = told is not None and told.state not in (
            AskState.REFUSED,
            AskState.SILENT,
            AskState.CANCELLED,
        )
        if not is_ours:
            return
        session.amends.set_ask(context.workflow_id, vendor_id, state=AskState.CANCELLED)
        if session.notices.find(request.action_id) is None:
            return  # nobody told it anything
        burst = context.read_burst(session)
        words = context.pilot.words.cancel
        letter = Letter(
            subject=words.subject.format(branch=burst.branch),
            body=words.body.format(branch=burst.branch),
        )
        _write(session, letter, request=request, context=context, until=None, now=now)


def follow_help(
    session: StoreSession,
    *,
    request: ActionRequest,
    end: End,
    context: IncidentContext,
    turn: Turn,
    now: datetime,
) -> tuple[ActionRequest, ...]:
    """What comes after a vendor was asked or booked: the booking, the next vendor, or nothing.

    A veto ends the search, and so does a booking that nobody answered for: then a human is at it,
    or nobody is.
    """
    vendor_id = request.vendor or ""
    if end.how is not How.DONE:
        told = session.amends.find_ask(context.workflow_id, vendor_id)
        if told is not None and told.state in (AskState.ASKED, AskState.OFFERED):
            session.amends.set_ask(context.workflow_id, vendor_id, state=AskState.CANCELLED)
    if end.how in (How.VETOED, How.EXPIRED, How.GIVEN_UP):
        return ()
    if request.kind == BOOK and end.how is How.DONE:
        return ()
    fresh = find_help(session, context=context, turn=turn, now=now)
    return () if fresh is None else (fresh,)


def _request_answer(
    session: StoreSession, found: Ranked, *, context: IncidentContext, turn: Turn, now: datetime
) -> ActionRequest:
    vendor = found.vendor
    action_id = turn.name_action(f"ask-{vendor.vendor_id}")
    session.amends.ask(
        VendorAsk(
            ask_id=action_id,
            subject=context.workflow_id,
            vendor_id=vendor.vendor_id,
            vendor_name=vendor.name,
            state=AskState.ASKED,
            asked_at=now,
        )
    )
    branch = context.read_burst(session).branch
    return context.request(
        action_id, ASK, branch=branch, is_reversible=True, vendor=vendor.vendor_id
    )


def _request_booking(
    context: IncidentContext, burst: BurstRow, offer: VendorAsk, *, turn: Turn
) -> ActionRequest:
    return context.request(
        turn.name_action(f"book-{offer.vendor_id}"),
        BOOK,
        branch=burst.branch,
        amount_cents=offer.price_cents or 0,
        is_reversible=False,
        vendor=offer.vendor_id,
    )


def _list_vendors(
    context: IncidentContext, burst: BurstRow, *, kinds: tuple[str, ...]
) -> Shortlist:
    return shortlist(
        context.pilot.vendors(),
        kinds=kinds,
        region=context.pilot.settings.regions.get(burst.branch),
        rules=context.pilot.settings.vendors,
    )


def _note_shortlist(
    session: StoreSession, found: Shortlist, *, context: IncidentContext, now: datetime
) -> None:
    """Whom to ask and why the others are not, for the log."""
    chosen = ", ".join(
        f"{one.vendor.vendor_id} (rating {one.shrunk_rating:.2f} after shrinking, "
        f"{one.vendor.eta_minutes:g} minutes by the table)"
        for one in found.ranked[: context.pilot.settings.vendors.most_asked]
    )
    passed = "; ".join(f"{one.vendor_id}: {one.why}" for one in found.passed)
    words = f"may ask {chosen or 'nobody'}" + (f"; passed over {passed}" if passed else "")
    session.audit.append(
        EntryKind.THOUGHT,
        context.workflow_id,
        {"n_ranked": len(found.ranked), "n_passed": len(found.passed)},
        by=ACTOR,
        at=now,
        words=words[:1_900],
    )


def _write(
    session: StoreSession,
    letter: Letter,
    *,
    request: ActionRequest,
    context: IncidentContext,
    until: datetime | None,
    now: datetime,
) -> None:
    """Keep a notice to the vendor of a request; one that takes it back has a key of its own."""
    vendor_id = request.vendor or ""
    topic = booked_topic(vendor_id) if request.kind == BOOK else reply_topic(vendor_id)
    subject = letter.subject[:200]
    if until is not None:
        subject = mark_subject(letter.subject, code=context.pilot.new_code())
    session.notices.add(
        Notice(
            key=request.action_id if until is not None else f"{request.action_id}/cancel",
            to=Party(PartyKind.VENDOR, vendor_id),
            subject=subject,
            body=letter.body,
            language=context.pilot.settings.language,
            made_at=now,
            expires_at=until,
            is_urgent=True,
            reply_topic=None if until is None else topic,
            workflow_id=context.workflow_id,
        )
    )


def _is_soon(offer: VendorAsk, *, context: IncidentContext) -> bool:
    most = context.pilot.settings.vendors.most_eta_minutes
    return offer.eta_minutes is not None and offer.eta_minutes <= most


def _order(offer: VendorAsk) -> tuple[int, str]:
    return (offer.eta_minutes or 0, offer.vendor_id)
