"""Which customers to look at first: by risk, or by what is expected to be lost with them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from features.churn import CHURN_FEATURES
from serving.policy.cases import Floats
from serving.snapshot.state import Customers

MONTHS: Final = 12
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
