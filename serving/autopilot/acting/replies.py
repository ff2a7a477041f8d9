"""Answers of vendors by mail: a code in the subject says to what, the first line says what.

Who holds the code of a notice can say yes or no to it, once, and nothing else: an offer goes to the
corridor as any other, and a booking is confirmed at its price or not at all.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Final

from features.errors import BadInputError
from serving.autopilot.acting.answers import VendorAnswer, answer_vendor
from serving.autopilot.acting.topics import KIND, booked_topic, reply_topic
from serving.mail_headers import decode_words
from serving.store.amends import AskState, VendorAsk
from serving.store.notices import Notice, PartyKind
from serving.store.store import StoreSession

_CODE: Final = re.compile(r"\[([B-Z]{9})\]")
_NO: Final = re.compile(r"(?:no|нет|жоқ|жок)[\s.,!]*", re.IGNORECASE)
_YES: Final = re.compile(
    r"(?:yes|да|иә|ия)[\s.,:!]*(?:(?P<price>\d[\d ]{0,11})\s*/\s*(?P<eta>\d{1,4})[\s.!]*)?",
    re.IGNORECASE,
)
_ANSWERED_IN: Final = {
    "reply": frozenset({AskState.ASKED, AskState.SILENT}),
    "booked": frozenset({AskState.BOOKED}),
}
_STANDS: Final = {
    AskState.ASKED: "has not offered yet",
    AskState.OFFERED: "has offered already",
    AskState.REFUSED: "has said no already",
    AskState.SILENT: "did not answer in time",
    AskState.BOOKED: "has offered already, and is booked",
    AskState.CONFIRMED: "has confirmed already",
    AskState.CANCELLED: "is cancelled",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a mail answers.

    Attributes:
        code: Of the notice.
        answer: What it says; None where its first line is none of what is understood.
    """

    code: str
    answer: VendorAnswer | None


@dataclass(frozen=True, slots=True)
class Replied:
    """What an answer came to.

    Attributes:
        vendor_id: Whose.
        state: Where it stands with the vendor now.
        is_again: Whether the same was said before: nothing has changed.
    """

    vendor_id: str
    state: AskState
    is_again: bool = False


def mark_subject(subject: str, *, code: str) -> str:
    """A subject with the code that an answer keeps.

    >>> mark_subject("Can you come?", code="BCDFGHJKL")
    'Can you come? [BCDFGHJKL]'
    """
    return f"{subject[:180]} [{code}]"


def read_reply(content: bytes) -> Reply | None:
    """What a mail answers; None where it holds no code, or a machine wrote it."""
    mail = message_from_bytes(content, policy=compat32)  # strangers' headers are not parsed
    found = _CODE.search(decode_words(str(mail.get("Subject", ""))))
    if found is None or str(mail.get("Auto-Submitted", "no")).strip().casefold() != "no":
        return None
    return Reply(found[1], read_answer_line(_find_first_line(mail)))


def read_answer_line(line: str) -> VendorAnswer | None:
    """What a line says: `no`, `yes`, or `yes PRICE / MINUTES`; nothing is guessed.

    >>> read_answer_line("Да, 14 000 / 40")
    VendorAnswer(is_yes=True, price_cents=1400000, eta_minutes=40)
    >>> read_answer_line("no problem, we come") is None
    True
    """
    line = line.strip()
    if _NO.fullmatch(line):
        return VendorAnswer(is_yes=False)
    said = _YES.fullmatch(line)
    if said is None:
        return None
    if said["price"] is None:
        return VendorAnswer(is_yes=True)
    price = int(said["price"].replace(" ", ""))
    return VendorAnswer(is_yes=True, price_cents=price * 100, eta_minutes=int(said["eta"]))


def take_reply(session: StoreSession, reply: Reply, *, now: datetime) -> Replied:
    """Keep an answer; said again it changes nothing. Codes may count still: no error names one.

    Raises:
        BadInputError: No open incident waits for an answer under that code, the answer is none, or
            another one than before.
    """
    notice = _find_notice(session, reply.code)
    if notice is None or notice.workflow_id is None:
        raise BadInputError(
            "nothing that still goes on was asked under the code of its subject: it changes "
            "nothing, so tell whoever wrote it if they still wait"
        )
    vendor_id = notice.to.name
    told = session.amends.find_ask(notice.workflow_id, vendor_id)
    is_booking = notice.reply_topic == booked_topic(vendor_id)
    if told is None or told.state not in _ANSWERED_IN["booked" if is_booking else "reply"]:
        if told is not None and _is_known(told, reply.answer, is_booking=is_booking):
            return Replied(vendor_id, told.state, is_again=True)
        stands = "was not asked" if told is None else _STANDS[told.state]
        raise BadInputError(
            f"{vendor_id} {stands}, and the code of its subject counts no more: call the vendor "
            f"if the mail says otherwise"
        )
    if reply.answer is None:
        expected = "`yes` or `no`" if is_booking else "`yes PRICE / MINUTES` or `no`"
        incident_id = notice.workflow_id.removeprefix(f"{KIND}/")
        raise BadInputError(
            f"{vendor_id}: expected {expected} in the first line: read it, and pass on what it "
            f"says by `opportune autopilot answer {incident_id} {vendor_id}`"
        )
    by = f"{vendor_id} by mail"
    workflow_id, answer = notice.workflow_id, reply.answer
    state = answer_vendor(session, workflow_id, vendor_id, answer=answer, by=by, now=now)
    return Replied(vendor_id, state)


def _is_known(told: VendorAsk, answer: VendorAnswer | None, *, is_booking: bool) -> bool:
    """Whether that is what is kept of the vendor."""
    if answer is None or told.answered_at is None:
        return False
    if not answer.is_yes:
        return told.state is AskState.REFUSED
    if is_booking:
        return told.state is AskState.CONFIRMED
    said = (answer.price_cents, answer.eta_minutes)
    return said == (told.price_cents, told.eta_minutes)


def _find_notice(session: StoreSession, code: str) -> Notice | None:
    """The notice to a vendor under that code, of an incident that is not closed."""
    for burst in session.bursts.list(only_open=True, limit=None):
        for notice in session.notices.find_of(f"{KIND}/{burst.incident_id}"):
            topics = (reply_topic(notice.to.name), booked_topic(notice.to.name))
            is_asked = notice.to.kind is PartyKind.VENDOR and notice.reply_topic in topics
            if is_asked and notice.subject.endswith(f"[{code}]"):
                return notice
    return None


def _find_first_line(mail: Message) -> str:
    """The first line of the plain text that is not quoted; empty where there is none."""
    part = next((one for one in mail.walk() if one.get_content_type() == "text/plain"), None)
    content = None if part is None else part.get_payload(decode=True)
    if part is None or not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(part.get_content_charset() or "utf-8", errors="replace")
    except (LookupError, ValueError):  # a charset that nobody knows, or one for other things
        return ""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith(">")), "")
