"""How messages are handed over: a YAML file beside its schema."""

from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from features.vocabulary import Trigger
from serving.policy.settings import read_settings_file

_DEFAULTS = Path(__file__).with_name("defaults.yaml")


def check_sender(sender: str) -> str:
    """A name and an address, or an address; ValueError where it is neither."""
    name, address = parseaddr(sender)
    try:
        Address(name, addr_spec=address)
    except (ValueError, IndexError) as fault:
        raise ValueError(f"{sender!r} is not an address such as Shop <hi@shop.com>") from fault
    if "@" not in address or not sender.isprintable():
        raise ValueError(f"{sender!r} is not an address such as Shop <hi@shop.com>")
    return sender


Sender = Annotated[str, AfterValidator(check_sender)]


class Retry(BaseModel):
    """What happens after a hand-over that failed and may be tried again.

    Attributes:
        max_attempts: After so many a message is dead.
        first_seconds: The longest pause after the first; it doubles with each.
        most_seconds: No pause is longer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: int = Field(ge=1, le=100)
    first_seconds: float = Field(gt=0)
    most_seconds: float = Field(gt=0)


class UncertainRule(BaseModel):
    """What is taken for true of a message of which nobody knows whether it was taken.

    Attributes:
        service: Of service messages: `ask` (it stays uncertain until somebody says), `sent`, or
            `not_sent` (it is sent again, and may arrive twice).
        marketing: Of the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Literal["ask", "sent", "not_sent"]
    marketing: Literal["ask", "sent", "not_sent"]


class DeliverySettings(BaseModel):
    """How messages are handed over.

    Attributes:
        shelf_life_hours: How long after its planned moment a message is worth sending.
        look_back_days: Messages planned earlier than this are none of the outbox's.
        retry: After failures.
        lease_seconds: So long a process may take over one message before another does.
        sender: From whom e-mails are, as in `Name <name@host>`.
        uncertain: Of messages that may have been taken.
        notice_keeps_hours: How long a notice without an end of its own is worth telling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shelf_life_hours: dict[Trigger, float]
    look_back_days: float = Field(gt=0)
    retry: Retry
    lease_seconds: float = Field(gt=0)
    sender: Sender
    uncertain: UncertainRule
    notice_keeps_hours: float = Field(gt=0)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := [t.value for t in Trigger if t not in self.shelf_life_hours]:
            raise ValueError(f"shelf_life_hours: nothing for {', '.join(missing)}")
        if wrong := [t.value for t, hours in self.shelf_life_hours.items() if not hours > 0]:
            raise ValueError(f"shelf_life_hours: not above 0 for {', '.join(wrong)}")
        return self


def load_delivery_settings(path: Path | None = None) -> DeliverySettings:
    """The settings in that file, or the ones that ship; ConfigurationError names every fault.

    >>> load_delivery_settings().shelf_life_hours[Trigger.INCIDENT_UPDATE]
    3.0
    """
    return read_settings_file(path or _DEFAULTS, DeliverySettings, what="delivery settings")
