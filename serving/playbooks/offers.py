"""Offers as data: what one costs, whom it fits, what it is believed to do, how it is taken back."""

from decimal import Decimal
from enum import StrEnum
from math import ceil
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.vocabulary import Factor, Tier

Share = Annotated[float, Field(ge=0, le=1)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Family(StrEnum):
    """What an offer is meant to mend."""

    USAGE_RECOVERY = "usage_recovery"
    PRICE_SENSITIVITY = "price_sensitivity"
    FEATURE_GAPS = "feature_gaps"


class Cost(_Data):
    """What an offer costs us at most.

    Attributes:
        mrr_months: As many months of the customer's monthly revenue.
        cents: And as much beside.
    """

    mrr_months: float = Field(default=0.0, ge=0, le=36)
    cents: int = Field(default=0, ge=0, le=10**12, strict=True)

    def find_cents(self, mrr_cents: int | None) -> int | None:
        """What it costs for a customer of that monthly revenue; None where that must be known.

        >>> Cost(mrr_months=1.2, cents=50).find_cents(10_001), Cost(mrr_months=1).find_cents(None)
        (12052, None)
        >>> Cost(mrr_months=1.1).find_cents(100)
        110
        """
        if mrr_cents is None:
            return self.cents if self.mrr_months == 0 else None
        months = Decimal(str(self.mrr_months))  # as it is written: 1.1 x 100 is 110
        return ceil(months * mrr_cents) + self.cents  # a cent begun is a cent


class Prior(_Data):
    """What is believed before any case tells: the share of those who would leave that it keeps.

    Attributes:
        mean: The share.
        sd: How unsure that is.
    """

    mean: float = Field(ge=-1, le=1)
    sd: float = Field(gt=0, le=1)


class Offer(_Data):
    """One offer.

    Attributes:
        family: What it is meant to mend.
        title: As whoever presents it calls it.
        cost: What it costs us at most.
        fits: How far it answers a reason; reasons that are not listed get none.
        tiers: In which it may be made.
        prior: What it is believed to do.
        undo: How it is taken back.
        no_undo: Why it cannot be.
    """

    family: Family
    title: Annotated[str, Field(min_length=1, max_length=120)]
    cost: Cost
    fits: dict[Factor, Share] = Field(min_length=1)
    tiers: tuple[Tier, ...] = Field(min_length=1)
    prior: Prior
    undo: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    no_undo: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _undo_is_told(self) -> Self:
        if (self.undo is None) == (self.no_undo is None):
            raise ValueError("expected one of undo and no_undo")
        return self

    def fit(self, factors: tuple[Factor, ...]) -> float:
        """How far it answers the reasons: the first counts fully, the next ones half."""
        weights = (1.0, *(0.5 for _ in factors[1:]))
        found = (self.fits.get(f, 0.0) * w for f, w in zip(factors, weights, strict=False))
        return max(found, default=0.0)
