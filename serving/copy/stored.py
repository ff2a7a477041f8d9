"""A stored variant: a draft with where it came from, what was found in it, and who decided."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brief, Offer
from serving.copy.draft import Draft
from serving.copy.guard.faults import Fault


class VariantState(StrEnum):
    """Where a variant stands. What is approved is served; nothing else is."""

    DRAFT = "draft"  # without faults, and waiting for an answer
    FAULTY = "faulty"  # kept for whoever mends prompts; it can never be served
    APPROVED = "approved"
    REJECTED = "rejected"
    RETIRED = "retired"  # was served, and is not any more


class Source(StrEnum):
    """Who wrote it."""

    CLAUDE = "claude"
    TEMPLATE = "template"
    HUMAN = "human"


class Deed(StrEnum):
    """What was done to a variant."""

    ADDED = "added"
    SCORED = "scored"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETIRED = "retired"


@dataclass(frozen=True)
class StoredVariant:
    """One draft, in one language, as the store has it.

    Attributes:
        variant_id: Its name as an arm.
        draft: The words.
        state: Where it stands.
        faults: What the checks found; empty but where the state is faulty.
        source: Who wrote it.
        model: Which model; null where none did.
        prompt_name: Kind and version of the prompt; null where there was none.
        brief: What was asked for.
        brief_digest: Of the brief.
        cell_key: Of everything that the draft hangs on; drafts of one asking share it.
        cost_usd: Its share of what the asking cost.
        created_at: When.
        score: A judge's, from 1 to 5; null where none was asked or none answered.
        prior_shift: Log odds of success above its kin's that are believed of it; null: nothing is.
        prior_left: Share of the usual variance that this belief leaves; null with `prior_shift`.
        version: How much was done to it; who decides says which they have seen.
    """

    variant_id: str
    draft: Draft
    state: VariantState
    faults: tuple[Fault, ...]
    source: Source
    model: str | None
    prompt_name: str | None
    brief: Brief
    brief_digest: str
    cell_key: str
    cost_usd: float
    created_at: datetime
    score: float | None = None
    prior_shift: float | None = None
    prior_left: float | None = None
    version: int = 1

    @property
    def offer(self) -> Offer | None:
        """What its words may promise where `{offer}` stands."""
        return self.brief.offers[0] if self.brief.offers else None


@dataclass(frozen=True)
class Tally:
    """How many variants of a cell are in a state.

    Attributes:
        segment: Null for everybody.
        n: How many.
        best_score: A judge's best of them; null where none was judged.
    """

    trigger: Trigger
    channel: Channel
    language: str
    segment: str | None
    state: VariantState
    n: int
    best_score: float | None


@dataclass(frozen=True)
class VariantEvent:
    """Something that was done to a variant.

    Attributes:
        variant_id: To which.
        at: When.
        by: Who, as they named themselves; a command or the service where nobody did.
        what: What was done.
        note: Why, in their words.
    """

    variant_id: str
    at: datetime
    by: str
    what: Deed
    note: str


@dataclass(frozen=True)
class CellRecord:
    """One asking for drafts of a cell, and how it ended.

    Attributes:
        cell_key: Of everything that its drafts hang on.
        at: When.
        outcome: How it ended, as `WriterOutcome` names it.
        detail: In words.
        model: Who was asked; null where nobody was.
        prompt_name: Kind and version of the prompt.
        cost_usd: What it cost, whatever came of it.
        n_drafts: How many came.
    """

    cell_key: str
    at: datetime
    outcome: str
    detail: str
    model: str | None
    prompt_name: str | None
    cost_usd: float
    n_drafts: int
