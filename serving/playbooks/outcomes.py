"""What came of cases: read from the store and from the tables, for the measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.churn import churn_labels
from features.tables import Tables
from serving.playbooks.measures import CaseOutcomes, Flags, Floats
from serving.store.cases import CaseExit, CaseRow, OfferRow, OfferState
from serving.store.store import StoreSession
from serving.store.tasks import TaskRow, TaskState

HORIZON_DAYS: Final = 60
"""Two horizons of the churn model: a playbook runs for weeks."""

_LOOKS: Final = 6
"""Moments of the horizon at which is looked whether they are still a customer."""

_GIVEN: Final = frozenset({OfferState.MADE, OfferState.ACCEPTED})
"""An offer that was declined costs nothing."""


@dataclass(frozen=True)
class CaseBooks:
    """Everything that the store knows of cases.

    Attributes:
        cases: All, of every arm.
        offers: Theirs.
        tasks: Theirs.
    """

    cases: Sequence[CaseRow]
    offers: Sequence[OfferRow]
    tasks: Sequence[TaskRow]


def read_books(session: StoreSession) -> CaseBooks:
    """What the store knows."""
    tasks = session.tasks.list(states=tuple(TaskState))
    return CaseBooks(session.cases.list(), session.cases.list_offers(), tasks)


def collect_outcomes(
    books: CaseBooks,
    tables: Tables,
    *,
    known_until: datetime,
    horizon_days: int = HORIZON_DAYS,
    task_cents: Mapping[str, float] | None = None,
) -> CaseOutcomes:
    """Cases whose horizon is over, and what came of each.

    Who is still a customer is read from the tables, as labels of the churn model are
    (`features.churn.churn_labels`), of every arm alike. Offers that were made or accepted count at
    their face cost, tasks that were done at a price by kind.

    Args:
        books: What the store knows.
        tables: Conformed.
        known_until: The tables hold what was known strictly before.
        horizon_days: Days after the opening that count.
        task_cents: Cents of a task by kind; kinds that are not listed cost nothing.
    """
    horizon = timedelta(days=horizon_days)
    told = [case for case in books.cases if case.opened_at + horizon <= known_until]
    cost = _sum_costs(books, task_cents or {})
    stays = _look(told, tables, known_until=known_until, horizon_days=horizon_days)
    days = np.array([_days_to_recovery(case, horizon=horizon) for case in told], dtype=np.float64)
    return CaseOutcomes(
        customer_id=_names([case.customer_id for case in told]),
        arm=_names([case.arm.value for case in told]),
        cohorts={
            "month": _names([f"{case.opened_at:%Y-%m}" for case in told]),
            "tier": _names([case.tier.value for case in told]),
            "factor": _names([case.factor.value if case.factor else "none" for case in told]),
        },
        retained=stays[:, -1],
        days_kept=_count_days(stays, horizon_days=horizon_days),
        recovered=np.isfinite(days),
        days_to_recovery=days,
        mrr_cents=np.array(
            [np.nan if case.mrr_cents is None else case.mrr_cents for case in told], dtype=float
        ),
        cost_cents=np.array([cost.get(case.case_id, 0.0) for case in told], dtype=float),
        p_churn=np.array([case.p_churn for case in told], dtype=float),
        horizon_days=horizon_days,
    )


def _sum_costs(books: CaseBooks, task_cents: Mapping[str, float]) -> dict[str, float]:
    cost: dict[str, float] = {}
    for offer in books.offers:
        if offer.state in _GIVEN:
            cost[offer.case_id] = cost.get(offer.case_id, 0.0) + offer.cost_cents
    for task in books.tasks:
        if task.case_id is not None and task.state is TaskState.DONE:
            cents = task_cents.get(task.kind, 0.0)
            cost[task.case_id] = cost.get(task.case_id, 0.0) + cents
    return cost


def _look(
    cases: Sequence[CaseRow], tables: Tables, *, known_until: datetime, horizon_days: int
) -> Flags:
    """Whether each was still a customer at each look, the last one at the end, (n, looks)."""
    if not cases:
        return np.zeros((0, _LOOKS), dtype=np.bool_)
    spine = pd.DataFrame(
        {
            "customer_id": pd.Series([case.customer_id for case in cases], dtype="str"),
            "as_of": pd.to_datetime([case.opened_at for case in cases], utc=True).as_unit("us"),
        }
    )
    looks = [
        churn_labels(tables, spine, known_until=known_until, horizon_days=days)
        for days in _list_looks(horizon_days)
    ]
    return np.column_stack([~lost.to_numpy(dtype=np.bool_) for lost in looks])


def _list_looks(horizon_days: int) -> list[int]:
    """Days of the looks, evenly spread.

    >>> _list_looks(60)
    [10, 20, 30, 40, 50, 60]
    """
    return [max(horizon_days * look // _LOOKS, 1) for look in range(1, _LOOKS + 1)]


def _count_days(stays: Flags, *, horizon_days: int) -> Floats:
    """Days as a customer: who was there at one look and gone at the next was there for half."""
    days = np.array([0, *_list_looks(horizon_days)], dtype=np.float64)
    there = np.column_stack([np.ones(len(stays)), stays])
    kept: Floats = ((there[:, 1:] + there[:, :-1]) / 2.0) @ np.diff(days)
    return kept


def _days_to_recovery(case: CaseRow, *, horizon: timedelta) -> float:
    """Days until the risk fell; NaN where it did not within the horizon."""
    if case.exit_reason is not CaseExit.RECOVERED or case.closed_at is None:
        return np.nan
    took = case.closed_at - case.opened_at
    return took / timedelta(days=1) if took <= horizon else np.nan


def _names(values: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return np.array(values, dtype=object)
