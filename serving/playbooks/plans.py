"""From a case to its steps: what its tier does, and what its strongest reason adds."""

from collections.abc import Iterable
from math import ceil

from pydantic import BaseModel, ConfigDict

from features.vocabulary import Factor, Tier
from serving.playbooks.items import (
    CLOSE,
    WATCH,
    BriefItem,
    CheckItem,
    Item,
    MessageItem,
    NoticeItem,
    OfferItem,
    TaskItem,
)
from serving.playbooks.settings import PlannedItem, Playbooks
from serving.workflows.spec import After, OnDenied, Repeat, Step, WorkflowSpec

KIND = "case"
"""Of the workflows."""

RISK = "risk"
TASK = "task"
STOP = "stop"
"""Topics of what a case is told: its risk changed, a task is finished, somebody ends it."""

EXITS = ("is_over",)

_VERSION = 1
_HOUR = 60.0
_DAY = 24 * _HOUR
_WEEK_HOURS = 7 * 24.0
_OFFER_DEADLINE = 25 * _HOUR  # the corridor's hold ends before
_DEADLINE = 12 * _HOUR


class CaseGiven(BaseModel):
    """What a case's workflow is asked for with.

    Attributes:
        case_id: The case.
        tier: Its tier.
        factor: Its strongest reason; null where there is none.
        may_contact: Whether the customer may hear of it: not in the holdout, nor whom contact
            drives away.
        acts: Whether anything is done but watching.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case_id: str
    tier: Tier
    factor: Factor | None
    may_contact: bool
    acts: bool


def name_playbook(playbooks: Playbooks, *, tier: Tier, factor: Factor | None) -> str:
    """As cases carry it.

    >>> from serving.playbooks.settings import default_playbooks
    >>> name_playbook(default_playbooks(), tier=Tier.HIGH, factor=Factor.LOW_USAGE)
    'default/high/low_usage'
    """
    return f"{playbooks.name}/{tier}/{factor or 'any'}"


def make_spec(given: CaseGiven, *, playbooks: Playbooks) -> WorkflowSpec:
    """The steps of a case, in the order of their moments.

    Items of the tier come before those of the reason, and an offer, which may wait for its
    approval for a day, after everything of the same moment. An item that both name is done once,
    at the earlier moment. Who is not to be contacted has only those that they do not hear of; who
    is in the holdout has none, and is watched for as long.
    """
    planned = list_items(given.tier, given.factor, playbooks=playbooks)
    kept = [
        step
        for step in planned
        if given.acts and (given.may_contact or not playbooks.items[step.item].contacts)
    ]
    steps = [_make_step(step, playbooks.items[step.item]) for step in kept]
    last_hours = max((step.after_hours for step in planned), default=0.0)
    done_hours = max((step.after_hours for step in kept), default=0.0)
    steps.append(_make_watch(given.tier, playbooks, spare_hours=last_hours - done_hours))
    name = f"{playbooks.name}_{given.tier}_{given.factor or 'any'}"
    return WorkflowSpec(
        name=name if given.acts else f"{playbooks.name}_{given.tier}_watched",
        version=_VERSION,
        steps=tuple(steps),
        exits=EXITS,
        closing=(
            Step(
                name=CLOSE,
                do=CLOSE,
                deadline_minutes=_DEADLINE,
                no_undo="what a case came to is a fact",
            ),
        ),
        wakes=(RISK, TASK, STOP),
        look_every_minutes=_DAY,
    )


def list_items(tier: Tier, factor: Factor | None, *, playbooks: Playbooks) -> list[PlannedItem]:
    """Items of a tier and a reason in the order of their moments, each once."""
    own = playbooks.tiers[tier].steps
    added = () if factor is None else playbooks.factors[factor]
    wanted = [step for step in (*own, *added) if not step.tiers or tier in step.tiers]
    ordered = sorted(wanted, key=lambda step: (step.after_hours, _is_offer(step, playbooks)))
    return list(_once(ordered))


def has_offer(tier: Tier, factor: Factor | None, *, playbooks: Playbooks) -> bool:
    """Whether a case of that tier and reason comes to a step that makes an offer."""
    return any(_is_offer(step, playbooks) for step in list_items(tier, factor, playbooks=playbooks))


def _is_offer(step: PlannedItem, playbooks: Playbooks) -> bool:
    return isinstance(playbooks.items[step.item], OfferItem)


def _once(steps: Iterable[PlannedItem]) -> Iterable[PlannedItem]:
    known: set[str] = set()
    for step in steps:
        if step.item not in known:
            known.add(step.item)
            yield step


def _make_step(planned: PlannedItem, item: Item) -> Step:
    name, after = planned.item, planned.after_hours * _HOUR
    match item:
        case NoticeItem():
            return _plain(name, after=after, no_undo="what was told was told")
        case BriefItem():
            return _plain(name, after=after, no_undo="it only reads")
        case CheckItem():
            return _plain(name, after=after, no_undo="it only looks")
        case TaskItem() | MessageItem():
            return Step(
                name=name,
                do=name,
                after_minutes=after,
                after=After.START,
                deadline_minutes=_DEADLINE,
                undo=name,
                undo_on_exit=True,
                on_denied=OnDenied.SKIP,
            )
        case OfferItem():
            return Step(
                name=name,
                do=name,
                after_minutes=after,
                after=After.START,
                deadline_minutes=_OFFER_DEADLINE,
                no_undo="an approved offer is kept; each says how the company can take it back",
                on_denied=OnDenied.SKIP,
            )


def _plain(name: str, *, after: float, no_undo: str) -> Step:
    return Step(
        name=name,
        do=name,
        after_minutes=after,
        after=After.START,
        deadline_minutes=_DEADLINE,
        no_undo=no_undo,
    )


def _make_watch(tier: Tier, playbooks: Playbooks, *, spare_hours: float) -> Step:
    """Checks after the steps; who has fewer of those is watched for as long as the others."""
    checks = playbooks.tiers[tier].checks
    every = checks.every_days * _DAY
    spare = ceil(spare_hours * _HOUR / every)
    return Step(
        name=WATCH,
        do=WATCH,
        after_minutes=every,
        deadline_minutes=_DEADLINE,
        no_undo="it only looks",
        repeat=Repeat(every_minutes=every, times=checks.times + spare),
    )
