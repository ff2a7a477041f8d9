"""What a step of a playbook can be, as data."""

from string import Formatter
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.store.notices import PartyKind

ItemName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Hours = Annotated[float, Field(gt=0, le=24 * 90)]

WATCH: Final = "watch"
CLOSE: Final = "close_case"
"""Steps of every case, whose names no item may bear."""

_NAMED: Final = frozenset({"customer", "tier", "factor"})


class _Item(BaseModel):
    """Attributes: contacts: Whether the customer hears of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contacts: bool = Field(default=False, strict=True)

    def find_team(self) -> str | None:
        """Who does it; None where no people do."""
        return None


class NoticeItem(_Item):
    """Somebody of the company is told.

    Attributes:
        to: Who.
        subject: May name {customer}, {tier} and {factor}.
    """

    do: Literal["notice"]
    to: PartyKind
    subject: Title

    @field_validator("subject")
    @classmethod
    def _names_what_is_known(cls, subject: str) -> str:
        try:
            named = {name for _, name, _, _ in Formatter().parse(subject) if name is not None}
        except ValueError as fault:
            raise ValueError(f"braces do not close: {fault}") from None
        if unknown := sorted(named - _NAMED):
            raise ValueError(f"{', '.join(unknown)}: expected {', '.join(sorted(_NAMED))}")
        return subject


class BriefItem(_Item):
    """What is known of the account is collected, for whoever works on the case."""

    do: Literal["brief"]


class TaskItem(_Item):
    """Somebody is asked to do something, and says what came of it.

    Attributes:
        kind: What it is: `call`, `audit`, ...
        team: Who does it.
        title: In a line.
        within_hours: When it is due, counted from when it is made and moved into working hours.
    """

    do: Literal["task"]
    kind: ItemName
    team: str
    title: Title
    within_hours: Hours

    def find_team(self) -> str | None:
        """Who does it."""
        return self.team


class MessageItem(_Item):
    """The engine decides about a message for the trigger churn_risk."""

    do: Literal["message"]


class OfferItem(_Item):
    """An offer is chosen, approved by a human, and presented by one.

    Attributes:
        team: Who presents it.
        title: Of the task to present it; the offer's own title follows.
        within_hours: When that is due.
    """

    do: Literal["offer"]
    team: str
    title: Title
    within_hours: Hours

    def find_team(self) -> str | None:
        """Who presents it."""
        return self.team


class CheckItem(_Item):
    """The risk is looked at again."""

    do: Literal["check"]


Item = Annotated[
    NoticeItem | BriefItem | TaskItem | MessageItem | OfferItem | CheckItem,
    Field(discriminator="do"),
]
