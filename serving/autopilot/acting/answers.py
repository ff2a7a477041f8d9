"""What people say about an incident: vendors, and whoever knows the cause or wants it closed.

Each word is kept with the signal that wakes the workflow, in one transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from features.errors import BadInputError
from serving.audit.entries import EntryKind
from serving.autopilot.acting.topics import CLOSE, CONFIRM_CAUSE, booked_topic, reply_topic
from serving.autopilot.acting.updates import Updates, find_cause
from serving.corridor.log import name_of
from serving.store.amends import AskState, ConfirmedCause, VendorAsk
from serving.store.store import StoreSession

MOST_CENTS = 10**12
MOST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """What a vendor said.

    Attributes:
        is_yes: Whether it comes.
        price_cents: What it wants at most; required of an offer.
        eta_minutes: From now on; required of an offer.
    """

    is_yes: bool
    price_cents: int | None = None
    eta_minutes: int | None = None


def answer_vendor(
    session: StoreSession,
    workflow_id: str,
    vendor_id: str,
    *,
    answer: VendorAnswer,
    by: str,
    now: datetime,
) -> AskState:
    """Keep what a vendor said and wake the workflow; where it stands with that vendor now.

    Args:
        session: A transaction that writes.
        workflow_id: Of the incident.
        vendor_id: Who was asked.
        answer: What it said.
        by: Who passes it on.
        now: Aware.

    Raises:
        BadInputError: Nobody asked it yet, it has said its word already, an offer lacks its price
            or its time, or a booking is confirmed at another price.
    """
    told = session.amends.find_ask(workflow_id, vendor_id)
    if told is None:
        asked = (
            ", ".join(one.vendor_id for one in session.amends.find_asks(workflow_id)) or "nobody"
        )
        raise BadInputError(f"{workflow_id}: vendor {vendor_id!r} was not asked, but {asked}")
    if told.state is AskState.ASKED and session.notices.find(told.ask_id) is None:
        raise BadInputError(
            f"{workflow_id}: vendor {vendor_id!r} is not asked yet: its question waits for a word"
        )
    state, topic = _find_state(told, answer)
    session.amends.set_ask(
        workflow_id,
        vendor_id,
        state=state,
        at=now,
        price_cents=answer.price_cents if state is AskState.OFFERED else None,
        eta_minutes=answer.eta_minutes,
    )
    session.flows.signal(workflow_id, topic=topic, at=now, key=f"{topic}/{state}")
    offer = _say_offer(answer) if state is AskState.OFFERED else ""
    session.audit.append(
        EntryKind.OBSERVATION,
        workflow_id,
        {"vendor": vendor_id, "state": state.value},
        by=name_of(by),
        at=now,
        words=f"vendor {vendor_id}: {state}{offer}",
    )
    return state


def confirm_cause(
    session: StoreSession,
    workflow_id: str,
    *,
    topic: str,
    cause: str,
    updates: Updates,
    by: str,
    now: datetime,
) -> None:
    """A human confirms why: from now on customers are told so, in approved words.

    Raises:
        BadInputError: The topic knows no such cause.
    """
    find_cause(updates, topic, cause=cause)
    session.amends.confirm_cause(ConfirmedCause(workflow_id, cause, name_of(by), now))
    key = f"{CONFIRM_CAUSE}/{cause}/{now.isoformat()}"
    session.flows.signal(workflow_id, topic=CONFIRM_CAUSE, at=now, key=key)
    session.audit.append(
        EntryKind.HUMAN,
        workflow_id,
        {"cause": cause, "words_version": updates.version},
        by=name_of(by),
        at=now,
        words=f"{name_of(by)} confirms the cause: {cause}",
    )


def ask_to_close(session: StoreSession, workflow_id: str, *, by: str, now: datetime) -> None:
    """A human wants the incident closed: what waits is given up, and the report is written."""
    session.amends.ask_to_close(workflow_id, by=name_of(by), at=now)
    session.flows.signal(workflow_id, topic=CLOSE, at=now, key=CLOSE)
    session.audit.append(
        EntryKind.HUMAN,
        workflow_id,
        {"word": CLOSE},
        by=name_of(by),
        at=now,
        words=f"{name_of(by)} wants the incident closed",
    )


def _find_state(told: VendorAsk, answer: VendorAnswer) -> tuple[AskState, str]:
    """Where it stands after an answer, and the topic of the signal."""
    if told.state in (AskState.ASKED, AskState.SILENT):
        if not answer.is_yes:
            return AskState.REFUSED, reply_topic(told.vendor_id)
        _require_offer(told, answer)
        return AskState.OFFERED, reply_topic(told.vendor_id)
    if told.state is AskState.BOOKED:
        _require_same_price(told, answer)
        state = AskState.CONFIRMED if answer.is_yes else AskState.REFUSED
        return state, booked_topic(told.vendor_id)
    raise BadInputError(
        f"{told.subject}: vendor {told.vendor_id!r} is {told.state}, and is not asked anything now"
    )


def _require_same_price(told: VendorAsk, answer: VendorAnswer) -> None:
    """What was approved is what is paid: a booking has no new price, and no impossible time."""
    faults = []
    if answer.price_cents not in (None, told.price_cents):
        faults.append(f"price {answer.price_cents}: it is booked for {told.price_cents}")
    if answer.eta_minutes is not None and not 0 <= answer.eta_minutes <= MOST_MINUTES:
        faults.append(f"eta {answer.eta_minutes}: expected the minutes until it is there")
    if faults:
        raise BadInputError(f"{told.subject}: booking of {told.vendor_id}: {'; '.join(faults)}")


def _require_offer(told: VendorAsk, answer: VendorAnswer) -> None:
    faults = []
    if answer.price_cents is None or not 0 <= answer.price_cents <= MOST_CENTS:
        faults.append(f"price: expected an amount, got {_name(answer.price_cents)}")
    if answer.eta_minutes is None or not 0 <= answer.eta_minutes <= MOST_MINUTES:
        got = _name(answer.eta_minutes)
        faults.append(f"eta: expected the minutes until it is there, got {got}")
    if faults:
        raise BadInputError(f"{told.subject}: offer of {told.vendor_id}: {'; '.join(faults)}")


def _name(given: int | None) -> str:
    return "none" if given is None else str(given)


def _say_offer(answer: VendorAnswer) -> str:
    price = "" if answer.price_cents is None else f" for {answer.price_cents / 100:,.2f}"
    return f"{price} in {answer.eta_minutes} minutes"
