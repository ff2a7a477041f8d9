"""A message as it came in, and what was made of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serving.autopilot.inbound.mood import Severity


@dataclass(frozen=True)
class InboundMessage:
    """A row of the table `inbound`.

    Attributes:
        inbound_id: Its identity.
        at: When it was written, aware.
        customer_id: Who wrote it; None where nobody knows.
        source: Where it came from, such as `whatsapp`.
        branch: About which branch; None where nobody knows.
        text: In the customer's words; personal data may be in it.
    """

    inbound_id: str
    at: datetime
    customer_id: str | None
    source: str
    branch: str | None
    text: str


class TriagedBy(StrEnum):
    """Who said what a message is about."""

    LEXICON = "lexicon"
    HINTS = "hints"  # words that go with a topic, and do not say that something is wrong
    NEIGHBOURS = "neighbours"
    MODEL = "model"
    NOTHING = "nothing"  # neither stems nor examples speak for any topic


@dataclass(frozen=True)
class Triaged:
    """What a message is.

    Attributes:
        topic: Of the taxonomy, or `other`.
        is_complaint: Whether something is wrong, as against praise and questions.
        severity: How bad it is.
        language: Stored, or identified; None where neither is sure.
        by: Who said so.
        confidence: Share of what speaks for any topic that speaks for this one; 0 for `other`.
    """

    topic: str
    is_complaint: bool
    severity: Severity
    language: str | None
    by: TriagedBy
    confidence: float
