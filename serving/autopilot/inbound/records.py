"""What is posted to `/inbound`, and what is answered."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from serving.autopilot.inbound.message import InboundMessage
from serving.records import Key, UtcDatetime
from serving.store.inbound import InboundState

MOST_MESSAGES = 1_000
MOST_CHARACTERS = 4_000


def _name(value: str) -> str:
    """One spelling for what a person would read alike; nothing that cannot be printed."""
    plain = " ".join(value.split())
    if not plain or not plain.isprintable():
        raise ValueError("expected a name that can be printed")
    return plain


def _say(value: str) -> str:
    """What somebody wrote; a zero, which databases refuse in texts, is nothing they wrote."""
    return value.replace("\x00", " ")


Name = Annotated[Key, AfterValidator(_name)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class InboundRow(_Frozen):
    """A message of a customer: a row of the table `inbound`.

    Attributes:
        inbound_id: Its identity; a second message of the same one counts as told again.
        at: When it was written.
        customer_id: Who wrote it; null where nobody knows: then it is kept, and does not count.
        source: Where it came from, such as `whatsapp`.
        branch: About which branch; null where nobody knows: then nothing watches it.
        text: In the customer's words.
    """

    inbound_id: Name
    at: UtcDatetime
    customer_id: Name | None = None
    source: Name
    branch: Name | None = None
    text: Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_say)]

    @property
    def message(self) -> InboundMessage:
        """As the autopilot knows it."""
        return InboundMessage(
            inbound_id=self.inbound_id,
            at=self.at,
            customer_id=self.customer_id,
            source=self.source,
            branch=self.branch,
            text=self.text,
        )


class InboundReport(_Frozen):
    """Messages as they come in: all of them are kept, or none.

    Attributes:
        messages: In any order.
        arrived_at: When they came in; for services on the caller's clock only.
    """

    messages: Annotated[list[InboundRow], Field(min_length=1, max_length=MOST_MESSAGES)]
    arrived_at: UtcDatetime | None = None


class InboundReceipt(_Frozen):
    """What became of each message, in order."""

    states: list[InboundState]
