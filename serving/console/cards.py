"""A text on the page: how it looks, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from serving.console.drawings import Drawing
from serving.copy.brief import Offer
from serving.copy.content import Unrenderable
from serving.copy.stored import StoredVariant, VariantEvent, VariantState
from serving.copywriter.measures import DraftMeasures


@dataclass(frozen=True)
class Preview:
    """A message as it would be sent.

    Attributes:
        drawing: As the customer sees it.
        size: What it takes of its channel's room, in words.
        cost_cents: What one such message costs to send.
        cta: Label of its button; null where there is none.
        language: Of its words.
        html: The HTML part of an e-mail; null elsewhere.
    """

    drawing: Drawing
    size: str
    cost_cents: float
    cta: str | None
    language: str
    html: str | None = None


@dataclass(frozen=True)
class Card:
    """One text of a cell.

    Attributes:
        variant_id: Its name.
        preview: As it would be sent, or why it cannot be with these facts.
        row: What is stored of it; null for a template.
        history: What was done to it, oldest first; empty for a template.
        measures: Its words in figures; null for a template.
        ended: The offer that it promises, where that has ended; null otherwise.
    """

    variant_id: str
    preview: Preview | Unrenderable
    row: StoredVariant | None = None
    history: Sequence[VariantEvent] = ()
    measures: DraftMeasures | None = None
    ended: Offer | None = None

    @property
    def waits(self) -> bool:
        """Whether nobody has said yes or no to it."""
        return self._is_in(VariantState.DRAFT)

    @property
    def may_be_approved(self) -> bool:
        """Whether a yes is possible; also to what was retired. No promise is approved too late."""
        return self.ended is None and self._is_in(VariantState.DRAFT, VariantState.RETIRED)

    @property
    def may_be_rejected(self) -> bool:
        """Whether a no is possible; what has faults can hear nothing else."""
        return self._is_in(VariantState.DRAFT, VariantState.FAULTY)

    @property
    def may_be_retired(self) -> bool:
        """Whether it is being sent."""
        return self._is_in(VariantState.APPROVED)

    def _is_in(self, *states: VariantState) -> bool:
        return self.row is not None and self.row.state in states
