"""The features that decisions were made with, kept so that they can be compared with the tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from serving.assemble import CaseBook
from serving.lots.lot import UNKNOWN_US, DecisionLot
from serving.policy.arms import stable_uniforms
from serving.policy.cases import Floats
from serving.store.kept import ServedLot

N_HOURS: Final = 168

_N_CHURN: Final = len(CHURN_FEATURES.names)
_N_ENGAGEMENT: Final = len(ENGAGEMENT_FEATURES.names)


def running_features() -> str:
    """Digest of the declarations that served numbers belong to."""
    return f"{CHURN_FEATURES.digest}+{ENGAGEMENT_FEATURES.digest}"


@dataclass(frozen=True)
class ServedNumbers:
    """What the models of a decision read: features of both sets, and hours of the week, (168,)."""

    churn: Floats
    engagement: Floats
    hours: Floats


def list_served(
    book: CaseBook, lot: DecisionLot, positions: Sequence[int], *, share: float
) -> ServedLot | None:
    """What the models read, of a share of the decisions that used one; None where none did.

    Args:
        book: The cases.
        lot: Their decisions.
        positions: Of the decisions' cases in the book.
        share: Of decisions, chosen by their identity.
    """
    is_used = (~np.isnan(lot.p_churn) | lot.is_scored) & (lot.features_us != UNKNOWN_US)
    rows = np.flatnonzero(is_used)
    if share < 1:
        u = stable_uniforms("served", names=[lot.decision_ids[row] for row in rows.tolist()])
        rows = rows[u < share]
    if not len(rows):
        return None
    at = [positions[row] for row in rows.tolist()]
    return ServedLot(
        decision_ids=[lot.decision_ids[row] for row in rows.tolist()],
        customer_ids=[lot.customer_ids[row] for row in rows.tolist()],
        as_of_us=lot.features_us[rows],
        online=np.array([position in book.live for position in at], dtype=bool),
        features=lot.head.feature_hash,
        numbers=_join_numbers(book, at),
    )


def split_numbers(rows: Iterable[Floats]) -> ServedNumbers:
    """Served numbers, a row for each: (n, features of each set) and (n, 168)."""
    listed = list(rows)
    flat = np.vstack(listed) if listed else np.empty((0, _N_CHURN + _N_ENGAGEMENT + N_HOURS))
    end = _N_CHURN + _N_ENGAGEMENT
    return ServedNumbers(flat[:, :_N_CHURN], flat[:, _N_CHURN:end], flat[:, end:])


def _join_numbers(book: CaseBook, positions: Sequence[int]) -> Floats:
    """What the models read of these cases, features of both sets and hours, (k, numbers)."""
    customers = book.snapshot.customers
    rows = book.rows[np.asarray(positions, dtype=np.int64)]
    numbers = np.empty((len(positions), _N_CHURN + _N_ENGAGEMENT + N_HOURS))
    known = slice(None) if (rows >= 0).all() else rows >= 0
    at = 0
    for part in (customers.churn, customers.engagement, customers.week_counts):
        numbers[known, at : at + part.shape[1]] = part[rows[known]]
        at += part.shape[1]
    for at, position in enumerate(positions if book.live else ()):
        if (live := book.live.get(position)) is not None:
            numbers[at] = np.concatenate([live.churn, live.engagement, live.week_counts])
    return numbers
