"""Where a verdict on a variant is carried out, or refused with what changed meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from features.errors import ConflictError
from serving.copy.brief import Offer
from serving.copy.stored import StoredVariant, VariantEvent
from serving.store.variants import VariantShelf

MAX_REASON_CHARACTERS = 300


class Verdict(StrEnum):
    """What can be said of a variant."""

    APPROVE = "approve"
    REJECT = "reject"
    RETIRE = "retire"

    @property
    def past(self) -> str:
        """As it is told afterwards."""
        return {"approve": "approved", "reject": "rejected", "retire": "retired"}[self.value]


@dataclass(frozen=True)
class Ruling:
    """A verdict as somebody gave it.

    Attributes:
        variant_id: On which variant.
        verdict: What is to happen.
        reason: Why, in their words; a rejection needs one.
        seen: The version that they had looked at.
        by: Who.
    """

    variant_id: str
    verdict: Verdict
    reason: str
    seen: int
    by: str

    @property
    def lacks_reason(self) -> bool:
        """Whether a rejection says nothing to whoever writes the next one."""
        return self.verdict is Verdict.REJECT and not self.reason.strip()


@dataclass(frozen=True)
class Done:
    """It was carried out."""

    row: StoredVariant


@dataclass(frozen=True)
class Refused:
    """It was not: somebody else did something first, or the state does not allow it.

    Attributes:
        row: The variant as it is now.
        changes: What was done to it after the version that was seen.
        why: The store's own words.
    """

    row: StoredVariant
    changes: Sequence[VariantEvent]
    why: str


@dataclass(frozen=True)
class Desk:
    """Carries rulings out.

    Attributes:
        shelf: The variants.
        clock: What time it is.
    """

    shelf: VariantShelf
    clock: Callable[[], datetime]

    def rule(self, ruling: Ruling) -> Done | Refused:
        """Carry a ruling out, unless the variant has changed since it was looked at.

        Raises:
            BadInputError: If no such variant is stored.
        """
        if ruling.verdict is Verdict.APPROVE and (ended := self._find_ended(ruling)) is not None:
            return ended
        act = {
            Verdict.APPROVE: self.shelf.approve,
            Verdict.REJECT: self.shelf.reject,
            Verdict.RETIRE: self.shelf.retire,
        }[ruling.verdict]
        try:
            act(
                ruling.variant_id,
                by=ruling.by,
                at=self.clock(),
                note=ruling.reason.strip(),
                seen=ruling.seen,
            )
        except ConflictError as error:
            history = self.shelf.history(ruling.variant_id)
            row = self.shelf.get(ruling.variant_id)
            return Refused(row, changes=history[ruling.seen :], why=str(error))
        return Done(self.shelf.get(ruling.variant_id))

    def _find_ended(self, ruling: Ruling) -> Refused | None:
        """A yes to a promise whose last day is over; it would be retired before it was sent."""
        row = self.shelf.get(ruling.variant_id)
        if row.offer is None or not row.offer.has_ended(self.clock().astimezone(UTC).date()):
            return None
        changes = self.shelf.history(ruling.variant_id)[ruling.seen :]
        return Refused(row, changes=changes, why=_describe_ended(row.offer))


def _describe_ended(offer: Offer) -> str:
    """Why a text is not sent whose offer has ended."""
    return f"It promises offer {offer.offer_id}, which ended on {offer.valid_until}."
