"""Which customers to look at first: by risk, or by what is expected to be lost with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from features.churn import CHURN_FEATURES
from features.churn.risk import RiskRules
from features.vocabulary import Tier
from serving.policy.cases import Floats
from serving.snapshot.state import Customers

MONTHS: Final = 12
FEW: Final = 0.01
"""Where no larger share of customers is in the upper two tiers, the page says so."""

_MRR = CHURN_FEATURES.names.index("mrr_cents")


class RiskOrder(StrEnum):
    """What comes first."""

    RISK = "risk"
    VALUE = "value"


@dataclass(frozen=True)
class AtRisk:
    """A customer of the list.

    Attributes:
        customer_id: Who.
        p_churn: Probability of being lost.
        mrr_cents: What they pay a month; None where that is not known.
        at_stake_cents: What is expected to be lost with them in a year; None likewise.
    """

    customer_id: str
    p_churn: float
    mrr_cents: int | None
    at_stake_cents: int | None


@dataclass(frozen=True)
class TierCounts:
    """How many customers are in each tier.

    Attributes:
        n_by_tier: The riskiest tier first; who has no score is in none.
        above: The score above which each begins.
    """

    n_by_tier: Mapping[Tier, int]
    above: Mapping[Tier, float]

    @property
    def n(self) -> int:
        """Customers with a score."""
        return sum(self.n_by_tier.values())

    @property
    def few_are_upper(self) -> bool:
        """Whether hardly anybody is critical or high, which playbooks for those tiers wait for."""
        n_upper = self.n_by_tier[Tier.CRITICAL] + self.n_by_tier[Tier.HIGH]
        return self.n > 0 and n_upper <= FEW * self.n


def count_tiers(customers: Customers, *, rules: RiskRules) -> TierCounts:
    """How many customers are in each tier, by the rules that decide it elsewhere."""
    risk = rules.assess(customers.p_churn, features=customers.churn, names=CHURN_FEATURES.names)
    rising = (Tier.MEDIUM, Tier.HIGH, Tier.CRITICAL)
    borders = [rules.borders.find_border(tier) for tier in rising]
    known = risk.deciding[~np.isnan(risk.deciding)]
    n_borders_below = np.searchsorted(borders, known, side="left")
    n_by_rank = np.bincount(n_borders_below, minlength=len(rising) + 1).tolist()
    falling = (*reversed(rising), Tier.LOW)
    return TierCounts(
        n_by_tier=dict(zip(falling, reversed(n_by_rank), strict=True)),
        above=dict(zip(rising, borders, strict=True)),
    )


def rank_customers(customers: Customers, *, order: RiskOrder, most: int) -> list[AtRisk]:
    """The first customers in that order; those without a probability are left out.

    What is at stake is the probability times twelve months of revenue. In the order of value those
    whose revenue is not known come last: nobody has said that it is nothing.
    """
    p_churn, mrr = customers.p_churn, customers.churn[:, _MRR]
    at_stake = p_churn * mrr * MONTHS
    rows = np.flatnonzero(~np.isnan(p_churn))
    keys = (at_stake if order is RiskOrder.VALUE else p_churn)[rows]
    known = np.where(np.isnan(keys), -np.inf, keys)
    # Of equal ones the riskier, then as the snapshot has them, so that the list does not jump.
    first = rows[np.lexsort((rows, -p_churn[rows], -known))][:most]
    names = customers.profile["customer_id"]
    return [
        AtRisk(
            customer_id=str(names.iloc[row]),
            p_churn=float(p_churn[row]),
            mrr_cents=_to_cents(mrr, row),
            at_stake_cents=_to_cents(at_stake, row),
        )
        for row in first.tolist()
    ]


def _to_cents(values: Floats, row: int) -> int | None:
    return None if np.isnan(values[row]) else round(float(values[row]))
