"""The playbooks as data: a YAML file beside its schema."""

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.time_zones import TimezoneName
from features.vocabulary import Arm, Factor, Tier, UpliftGroup
from serving.playbooks.items import CLOSE, WATCH, Item, ItemName
from serving.playbooks.offers import Offer
from serving.policy.settings import read_settings_file
from serving.store.notices import PartyKind

_DEFAULTS = Path(__file__).with_name("playbooks.yaml")

ACTING = (Tier.MEDIUM, Tier.HIGH, Tier.CRITICAL)
"""Tiers that may act, the lowest first; the low tier is watched."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StartBy(StrEnum):
    """Who gets a case."""

    TIER = "tier"
    CAPACITY = "capacity"


class Capacity(_Data):
    """How many cases there is room for, and by which tier's steps they are worked on."""

    cases: int = Field(ge=1, le=100_000, strict=True)
    tier: Tier


class StartRules(_Data):
    """When a case is opened, and when it is over.

    Attributes:
        by: Whether the tier says who gets one, or the room for them.
        acts_from: The lowest tier that opens a case.
        exit_share: A customer has recovered whose score is below this share of that tier's border.
        cool_down_days: No second case within as many days of the end of one.
        capacity: Where `by` is capacity.
    """

    by: StartBy
    acts_from: Tier
    exit_share: float = Field(gt=0, le=1)
    cool_down_days: float = Field(ge=0, le=3650)
    capacity: Capacity

    @model_validator(mode="after")
    def _low_is_watched(self) -> Self:
        if Tier.LOW in (self.acts_from, self.capacity.tier):
            raise ValueError("acts_from, capacity.tier: the low tier is watched, nothing is done")
        return self


class Choice(_Data):
    """How offers are chosen.

    Attributes:
        cents_per_month: What the offers of a calendar month may cost together.
        explore: Share of the learned arm's cases in which another choice is drawn, evenly.
        contact_share: Share of those who would leave whom people keep by what they do, without any
            offer; it says who gets a case where there is room for few, nothing else.
        prior_pool_sd: How far offers may all be better or worse than believed.
        group_scale: What an effect is multiplied by in each uplift group; those that are not
            listed get no offer.
    """

    cents_per_month: int = Field(ge=0, le=10**12, strict=True)
    explore: float = Field(ge=0, le=1)
    contact_share: float = Field(ge=0, le=1)
    prior_pool_sd: float = Field(ge=0, le=1)
    group_scale: dict[UpliftGroup, Annotated[float, Field(ge=0, le=10)]]

    @field_validator("group_scale")
    @classmethod
    def _leaves_alone(cls, scale: dict[UpliftGroup, float]) -> dict[UpliftGroup, float]:
        if UpliftGroup.DO_NOT_DISTURB in scale:
            raise ValueError("do_not_disturb: whom contact drives away gets no offer")
        return scale


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Team(_Data):
    """Who does tasks, and when they work.

    Attributes:
        party: How they are told.
        zone: IANA zone of the hours.
        from_hour: First hour of work.
        to_hour: Hour at which work ends; later than the first.
        days: On which.
    """

    party: PartyKind
    zone: TimezoneName
    from_hour: int = Field(ge=0, le=23, strict=True)
    to_hour: int = Field(ge=1, le=24, strict=True)
    days: tuple[Weekday, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.to_hour <= self.from_hour:
            raise ValueError("to_hour: expected an hour later than from_hour")
        return self


class PlannedItem(_Data):
    """An item and its moment.

    Attributes:
        item: Its name.
        after_hours: Counted from when the case was opened.
        tiers: Of which tiers it is a step; empty: of all that act.
    """

    item: ItemName
    after_hours: float = Field(ge=0, le=24 * 365)
    tiers: tuple[Tier, ...] = ()


class Checks(_Data):
    """How often the risk is looked at again after the steps."""

    every_days: float = Field(gt=0, le=365)
    times: int = Field(ge=2, le=100, strict=True)


class TierPlan(_Data):
    """What is done in a tier, whatever the reason."""

    steps: tuple[PlannedItem, ...]
    checks: Checks


class Playbooks(_Data):
    """Everything about the churn playbooks that a company may want otherwise.

    Attributes:
        name: Of the file; cases carry it.
        start: When a case is opened and when it is over.
        experiment: Salt of the arms.
        arms: Their shares.
        choice: How offers are chosen.
        teams: By name.
        items: What can be done, by name.
        tiers: Steps of each tier that acts.
        factors: Steps that the strongest reason adds; a factor without any adds none.
        offers: By name, in the order in which the arm `rules` takes them.
        task_cents: What a task that was done costs, by its kind, for the measures; kinds that are
            not listed cost nothing.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,19}$")]
    start: StartRules
    experiment: Annotated[str, Field(min_length=1, max_length=60)]
    arms: dict[Arm, Annotated[float, Field(ge=0, le=1)]]
    choice: Choice
    teams: dict[str, Team] = Field(min_length=1)
    items: dict[ItemName, Item] = Field(min_length=1)
    tiers: dict[Tier, TierPlan]
    factors: dict[Factor, tuple[PlannedItem, ...]]
    offers: dict[ItemName, Offer]
    task_cents: dict[ItemName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if faults := list(self._find_faults()):
            raise ValueError("; ".join(faults))
        return self

    @property
    def offer_names(self) -> tuple[str, ...]:
        """Offers in their order; not kept, as a copy with other offers would keep it too."""
        return tuple(self.offers)

    def _find_faults(self) -> Iterator[str]:
        if set(self.arms) != set(Arm) or abs(sum(self.arms.values()) - 1.0) > 1e-9:
            yield f"arms: expected a share for each of {', '.join(Arm)} that add up to 1"
        if 0.0 in (self.arms.get(Arm.HOLDOUT), self.arms.get(Arm.RANDOM)):
            yield "arms: holdout and random never switch off: nothing could be measured"
        if set(self.tiers) != set(ACTING):
            yield f"tiers: expected {', '.join(ACTING)}"
        if missing := [factor for factor in Factor if factor not in self.factors]:
            yield f"factors: {', '.join(missing)} missing; an empty list is one that adds nothing"
        if taken := sorted({WATCH, CLOSE} & set(self.items)):
            yield f"items: {', '.join(taken)}: every case has a step of that name already"
        for name, item in self.items.items():
            if (team := item.find_team()) is not None and team not in self.teams:
                yield f"items.{name}: team {team}: expected one of {', '.join(self.teams)}"
        for place, step in self._list_steps():
            if step.item not in self.items:
                yield f"{place}: {step.item}: expected one of items"

    def _list_steps(self) -> Iterator[tuple[str, PlannedItem]]:
        for tier, plan in self.tiers.items():
            yield from ((f"tiers.{tier}", step) for step in plan.steps)
        for factor, steps in self.factors.items():
            yield from ((f"factors.{factor}", step) for step in steps)


def load_playbooks_file(path: Path | None = None) -> Playbooks:
    """The playbooks in that file, or those that ship; ConfigurationError names every fault."""
    return read_settings_file(path or _DEFAULTS, Playbooks, what="playbooks")


@cache
def default_playbooks() -> Playbooks:
    """The playbooks that ship.

    >>> default_playbooks().tiers[Tier.CRITICAL].steps[0].item
    'alert_csm'
    """
    return load_playbooks_file()
