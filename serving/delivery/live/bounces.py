"""Letters that come back: delivery status notifications, read from the mailbox they came to.

RFC 3464: a report of `message/delivery-status` says what became of each recipient, and the letter
itself, or its headers, comes with it. Ours names its message there.
"""

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from email.utils import parsedate_to_datetime

from features.vocabulary import Channel, Outcome
from serving.delivery.queue import LIVE
from serving.mail_headers import decode_words
from serving.policy.cases import from_us, to_us
from serving.records import OutcomeEvent, OutcomeState
from serving.store.claims import OutboxState
from serving.store.store import StoreSession

_HEADER = "X-Opportune-Message"
_SENT = (OutboxState.HANDED_OVER, OutboxState.UNCERTAIN)


@dataclass(frozen=True)
class Bounced:
    """A letter did not arrive, and never will.

    Attributes:
        message_id: Of the message, as the letter that came back says.
        at: When the report was written; None where it does not say.
    """

    message_id: str
    at: datetime | None


def read_bounce(content: bytes) -> Bounced | None:
    """What a mail reports; None where it is no report of a failure for good, or of none of ours."""
    mail = message_from_bytes(content, policy=compat32)  # strangers' headers are not parsed
    if mail.get_content_type() != "multipart/report":
        return None
    parts = list(mail.walk())
    status = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    if not any(_is_failure(block) for part in status for block in _list_blocks(part)):
        return None
    for part in parts[1:]:
        message_id = _find_identity(part)
        if message_id is not None:
            return Bounced(message_id, _read_date(mail))
    return None


def book_bounce(session: StoreSession, bounced: Bounced, *, now: datetime) -> OutcomeState:
    """Book it, once however often it is read, where the message left as a letter.

    What was uncertain had left, then.
    """
    found = session.outbox.find_one(bounced.message_id, lane=LIVE)
    if found is None or found.channel is not Channel.EMAIL or found.state not in _SENT:
        return OutcomeState.UNKNOWN_MESSAGE
    if found.state is OutboxState.UNCERTAIN:
        why = "it came back"
        session.outbox.resolve(
            found.message_id, lane=LIVE, at_us=to_us(now), was_sent=True, reason=why
        )
    happened_at = max(min(bounced.at or now, now), from_us(found.planned_at_us))
    event = OutcomeEvent(message_id=found.message_id, outcome=Outcome.BOUNCED, at=happened_at)
    return session.add_outcomes([event], now_us=to_us(now))[0]


def _list_blocks(part: Message) -> list[Message]:
    blocks = part.get_payload()
    return [one for one in blocks if isinstance(one, Message)] if isinstance(blocks, list) else []


def _is_failure(block: Message) -> bool:
    action, status = str(block.get("Action", "")), str(block.get("Status", ""))
    return action.strip().casefold() == "failed" and status.strip().startswith("5.")


def _find_identity(part: Message) -> str | None:
    """Of the letter that came back: as a part of its own, or as the text of its headers."""
    found = part.get(_HEADER)
    if found is None and part.get_content_type() == "text/rfc822-headers":
        text = part.get_payload(decode=True)
        if isinstance(text, bytes):
            found = message_from_bytes(text, policy=compat32).get(_HEADER)
    return None if found is None else decode_words(str(found))


def _read_date(mail: Message) -> datetime | None:
    try:
        written_at = parsedate_to_datetime(str(mail["Date"]))
    except (ValueError, TypeError, OverflowError):
        return None
    return written_at if written_at.tzinfo is not None else None
