"""The corridor as data: a YAML file beside its schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from babel.numbers import is_currency
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.errors import ConfigurationError
from features.time_zones import TimezoneName
from serving.corridor.actions import Silence
from serving.policy.settings import QuietHours, read_settings_file

_DEFAULTS = Path(__file__).with_name("defaults.yaml")

MOST_CENTS = 10**12
"""More is a mistake in any currency."""

Cents = Annotated[int, Field(ge=0, le=MOST_CENTS, strict=True)]
Minutes = Annotated[int, Field(ge=1, le=60 * 24 * 30, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Allowance(_Data):
    """What may be held and spent together, and in how many actions."""

    cents: Cents
    actions: int = Field(ge=0, le=10**6, strict=True)


class KindRule(_Data):
    """What holds for one kind of action.

    Attributes:
        max_cents: What one may cost.
        reversible: Whether it can be taken back; a request may only say less.
        per_day: What all of a day may cost together.
        on_silence: What silence means at the end of the veto window.
        veto_minutes: Length of the veto window, 8 hours at most; 0: none, it goes at once.
        hold_minutes: How long after its window, or while it waits for approval, money is held.
        needs_approval: It never goes without.
        approvers: Roles whose yes counts.
        once_per_customer: At most one within an incident or case for each customer; such an
            action must name its customer.
    """

    max_cents: Cents
    reversible: bool = Field(strict=True)
    per_day: Allowance
    on_silence: Silence
    veto_minutes: int = Field(ge=0, le=8 * 60, strict=True)
    hold_minutes: Minutes
    needs_approval: bool = Field(default=False, strict=True)
    approvers: tuple[Name, ...] = ("owner",)
    once_per_customer: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _silence_is_told(self) -> Self:
        if not self.approvers:
            raise ValueError("approvers: expected at least one role")
        if self.needs_approval and self.on_silence is Silence.GO:
            raise ValueError("on_silence: an action that needs approval cannot go on silence")
        if self.veto_minutes == 0 and not self.needs_approval and self.on_silence is not Silence.GO:
            raise ValueError("veto_minutes: without a window there is no silence to wait for")
        return self


class Corridor(_Data):
    """What may be done without asking, and for how much.

    Attributes:
        name: Of the corridor; the account of the total bears it.
        currency: Of every amount; a request in another is refused.
        zone: IANA zone whose days and months the limits are counted by.
        silent_go_cents: A kind that may cost more than this cannot go on silence.
        clock_slack_seconds: A clock may be behind the latest moment told by as much.
        approval_minutes: An approval that nobody acts on counts for as long.
        quiet: Hours in which owners sleep: silence means nothing then; null: they never do.
        per_day: All actions of a day.
        per_vendor: All actions of a vendor in a month.
        per_subject: All actions of an incident or case.
        total: All actions ever, until the owner raises it.
        kinds: By name; what is not listed is refused.
    """

    name: Name
    currency: str
    zone: TimezoneName
    silent_go_cents: Cents
    clock_slack_seconds: int = Field(default=5, ge=0, le=300, strict=True)
    approval_minutes: Minutes
    quiet: QuietHours | None
    per_day: Allowance
    per_vendor: Allowance
    per_subject: Allowance
    total: Allowance
    kinds: dict[Name, KindRule] = Field(min_length=1)

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, code: str) -> str:
        if not is_currency(code):
            raise ValueError("expected an ISO 4217 code in capitals, such as KZT")
        return code

    @model_validator(mode="after")
    def _silence_is_cheap(self) -> Self:
        for name, kind in self.kinds.items():
            if kind.on_silence is not Silence.GO:
                continue
            if not kind.reversible:
                raise ValueError(f"kinds.{name}: what cannot be taken back cannot go on silence")
            if kind.max_cents > self.silent_go_cents:
                raise ValueError(
                    f"kinds.{name}: {kind.max_cents} cents cannot go on silence, at most "
                    f"{self.silent_go_cents} (silent_go_cents) can"
                )
        return self


@dataclass(frozen=True, slots=True)
class BrokenCorridor:
    """There is no corridor to speak of: everything is refused.

    Attributes:
        why: What is wrong with the file.
    """

    why: str


def load_corridor(path: Path | None = None) -> Corridor:
    """The corridor in that file, or the one that ships; ConfigurationError names every fault.

    >>> load_corridor().kinds["book_vendor"].on_silence
    <Silence.ESCALATE: 'escalate'>
    """
    return read_settings_file(path or _DEFAULTS, Corridor, what="corridor")


def find_corridor(path: Path | None = None) -> Corridor | BrokenCorridor:
    """Like `load_corridor`, for whoever must answer whatever the file holds.

    >>> find_corridor(Path("/nowhere/corridor.yaml"))
    BrokenCorridor(why='corridor /nowhere/corridor.yaml: No such file or directory')
    """
    try:
        return load_corridor(path)
    except ConfigurationError as fault:
        return BrokenCorridor(str(fault))
    except ValueError as fault:  # bytes that are no text
        return BrokenCorridor(f"corridor {path}: {fault}")


def is_cents(value: object) -> bool:
    """Whether it is a whole number of cents within reason; True, 1.0 and NaN are none.

    >>> [is_cents(v) for v in (0, 5, -1, True, 1.0, float("nan"), "5", 10**13)]
    [True, True, False, False, False, False, False, False]
    """
    return type(value) is int and 0 <= value <= MOST_CENTS
