"""What is drafted, how it should sound, and who approves it: a file with defaults."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Name, Tone
from serving.copywriter.settings import Seconds
from serving.policy.settings import read_settings_file

SegmentName = Annotated[str, Field(pattern=r"^[^\W\d_][\w &._-]{0,59}$")]
"""A segment as `customers.segment` has it; no address and no telephone number."""

_SHIPPED = Path(__file__).with_name("drafting.yaml")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scope(_Frozen):
    """Some cells: those that each list names; an empty list names all.

    Attributes:
        triggers: Of the cells.
        channels: Of the cells.
        languages: Of the cells; what must be named is in no empty list.
    """

    triggers: tuple[Trigger, ...] = ()
    channels: tuple[Channel, ...] = ()
    languages: tuple[str, ...] = ()


class Approval(_Frozen):
    """Who approves.

    Attributes:
        rule: Somebody reads every draft, or clean ones of some cells are approved at once.
        auto: Of which cells; at least one scope where drafts are approved at once.
    """

    rule: Literal["manual", "auto_if_clean"] = "manual"
    auto: tuple[Scope, ...] = ()

    @model_validator(mode="after")
    def _names_cells(self) -> Self:
        if self.rule == "auto_if_clean" and not self.auto:
            raise ValueError("rule auto_if_clean: expected at least one scope under `auto`")
        return self


class DraftingRules(_Frozen):
    """What is drafted.

    Attributes:
        n_variants: Of every cell.
        max_segments: SMS parts with the longest facts.
        deadline_seconds: For one question that is not asked in a batch.
        re_asks: How often drafts with faults are asked for again.
        tones: How the texts of a trigger speak.
        segments: Customers that may get texts of their own, and what the writer is told of them.
        offers: Names of offers that the texts of a trigger may promise.
        approval: Who approves.
    """

    n_variants: Annotated[int, Field(ge=1, le=10)] = 3
    max_segments: Annotated[int, Field(ge=1, le=2)] = 2
    deadline_seconds: Seconds = 60.0
    re_asks: Annotated[int, Field(ge=0, le=2)] = 1
    tones: dict[Trigger, Tone]
    segments: dict[SegmentName, Annotated[str, Field(max_length=400)]] = {}
    offers: dict[Trigger, Name] = {}
    approval: Approval = Approval()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := [trigger.value for trigger in Trigger if trigger not in self.tones]:
            raise ValueError(f"tones: {', '.join(missing)} missing")
        if service := [trigger.value for trigger in self.offers if trigger.is_service]:
            raise ValueError(f"offers: {', '.join(service)}: service notices promise nothing")
        return self


def load_rules(path: Path | None = None) -> DraftingRules:
    """The rules in that file, or the ones that ship; ConfigurationError names every fault."""
    return read_settings_file(path or _SHIPPED, DraftingRules, what="drafting rules")
