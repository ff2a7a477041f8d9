"""What is wrong with words: named faults, for drafts and final texts alike."""

from dataclasses import dataclass
from enum import StrEnum


class FaultCode(StrEnum):
    """Kinds of faults; closed, so that they can be counted."""

    NUMBER = "number"  # a figure, in digits or words, that no fact holds
    DATE = "date"  # a date or a day, relative ones included, that no fact holds
    MONEY = "money"  # an amount or a currency that no fact holds
    PERCENT = "percent"
    LINK = "link"  # anything a reader or a phone would make a link of
    CONTACT = "contact"  # a phone number, an address, a code
    PROMISE = "promise"  # free, refund, guarantee, discount without an approved offer
    CAUSE = "cause"  # a cause or a blame that nobody confirmed
    SLOT = "slot"  # unknown, broken, missing, or in the wrong grammar
    LANGUAGE = "language"  # not the one that was asked for
    LENGTH = "length"
    SEGMENTS = "segments"
    MARKUP = "markup"  # script, tags or attributes that may not be there, broken HTML
    UNSUBSCRIBE = "unsubscribe"
    TONE = "tone"  # corporate speak, pressure, shouting, emoji where none may be
    FORBIDDEN = "forbidden"  # a word of the brand's own list
    SERVICE_FORM = "service_form"  # a service notice that is no notice
    CALL_TO_ACTION = "call_to_action"
    MARKER = "marker"  # the note that a machine wrote it is missing
    INJECTION = "injection"  # an instruction of somebody else's text came through
    PERSONAL_DATA = "personal_data"
    EMPTY = "empty"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        code: Its kind.
        place: Where, such as `title.facts` or `body.1.plain`.
        found: The words.
        expected: What should be there instead.
    """

    code: FaultCode
    place: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.place}: {self.code}: {self.found!r}, expected {self.expected}"
