"""What came of cases: who stayed, for how long, and what it cost."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.vocabulary import Arm, Factor, Tier
from serving.playbooks.outcomes import CaseBooks, collect_outcomes
from serving.store.cases import CaseExit, CaseRow, CaseState, OfferRow, OfferState
from serving.store.tasks import TaskRow, TaskState
from training.world.simulated import SimulatedWorld

Tables = Mapping[str, pd.DataFrame]


@pytest.fixture(scope="module")
def past() -> SimulatedWorld:
    return SimulatedWorld(seed=1, n_customers=150, days=80)


def make_case(customer_id: str, opened_at: datetime, **changes: object) -> CaseRow:
    given: dict[str, object] = {
        "case_id": f"k-{customer_id}",
        "customer_id": customer_id,
        "source": "test",
        "tier": Tier.HIGH,
        "arm": Arm.LEARNED,
        "p_arm": 0.7,
        "factor": Factor.LOW_USAGE,
        "factors": (Factor.LOW_USAGE,),
        "p_churn": 0.4,
        "mrr_cents": 990,
        "value_cents": 5_000.0,
        "uplift_group": None,
        "language": "en",
        "playbook": "default/high/low_usage",
        "model_version": "1",
        "opened_at": opened_at,
    }
    return CaseRow(**{**given, **changes})  # type: ignore[arg-type]  # written by name


def find_leavers(tables: Tables) -> pd.Series:
    rows = tables["subscriptions"]
    return rows[rows["status"] == "canceled"].groupby("customer_id")["valid_from"].min()


def test_who_stays_and_for_how_long_is_read_from_the_tables(past: SimulatedWorld) -> None:
    tables = past.tables(past.start)
    left = find_leavers(tables)
    opened_at = past.start - timedelta(days=60)
    signed = tables["customers"].set_index("customer_id")["signed_up_at"]
    ids = [
        one
        for one in signed.index[signed < pd.Timestamp(opened_at)]
        if one not in left or left[one] > pd.Timestamp(opened_at)
    ]
    books = CaseBooks([make_case(one, opened_at) for one in ids], [], [])
    found = collect_outcomes(books, tables, known_until=past.start)
    gone = np.array([one in left.index for one in ids])
    assert gone.any()
    assert np.array_equal(found.retained, ~gone)
    days = [
        (left[one] - pd.Timestamp(opened_at)) / pd.Timedelta(days=1) if one in left else 60.0
        for one in ids
    ]
    assert np.abs(found.days_kept - days).max() <= 5.0  # looked at every 10 days
    assert set(found.cohorts["factor"]) == {"low_usage"}


def test_cases_whose_horizon_is_not_over_do_not_count(past: SimulatedWorld) -> None:
    early, late = past.start - timedelta(days=30), past.start - timedelta(days=29)
    ids = past.tables(past.start)["customers"]["customer_id"][:2]
    books = CaseBooks([make_case(ids[0], early), make_case(ids[1], late)], [], [])
    found = collect_outcomes(
        books, past.tables(past.start), known_until=past.start, horizon_days=30
    )
    assert list(found.customer_id) == [ids[0]]


def test_no_cases_have_no_outcomes(past: SimulatedWorld) -> None:
    found = collect_outcomes(CaseBooks([], [], []), past.tables(past.start), known_until=past.start)
    assert (len(found), found.days_kept.shape) == (0, (0,))


def test_costs_are_offers_that_were_given_and_tasks_that_were_done(past: SimulatedWorld) -> None:
    opened_at = past.start - timedelta(days=60)
    one = str(past.tables(past.start)["customers"]["customer_id"].iloc[0])
    case = make_case(one, opened_at)
    offers = [
        OfferRow(one, name, case.case_id, state, cents, "KZT", 1.0, 0.2, opened_at)
        for name, state, cents in (
            ("a", OfferState.ACCEPTED, 700),
            ("b", OfferState.MADE, 50),
            ("c", OfferState.DECLINED, 9_000),
            ("d", OfferState.WITHDRAWN, 9_000),
            ("e", OfferState.PROPOSED, 9_000),
        )
    ]
    tasks = [
        TaskRow(name, case.case_id, one, kind, "t", "b", "csm", opened_at, opened_at, state)
        for name, kind, state in (
            ("1", "call", TaskState.DONE),
            ("2", "call", TaskState.DROPPED),
            ("3", "hug", TaskState.DONE),
        )
    ]
    found = collect_outcomes(
        CaseBooks([case], offers, tasks),
        past.tables(past.start),
        known_until=past.start,
        task_cents={"call": 30.0},
    )
    assert found.cost_cents.tolist() == [780.0]


def test_days_to_recovery_count_within_the_horizon(past: SimulatedWorld) -> None:
    opened_at = past.start - timedelta(days=60)
    ids = past.tables(past.start)["customers"]["customer_id"][:3].tolist()
    closed = {"state": CaseState.CLOSED, "exit_reason": CaseExit.RECOVERED}
    cases = [
        make_case(ids[0], opened_at, closed_at=opened_at + timedelta(days=12), **closed),
        make_case(ids[1], opened_at, closed_at=opened_at + timedelta(days=31), **closed),
        make_case(ids[2], opened_at, mrr_cents=None, factor=None),
    ]
    found = collect_outcomes(
        CaseBooks(cases, [], []),
        past.tables(past.start),
        known_until=past.start,
        horizon_days=30,
    )
    assert found.recovered.tolist() == [True, False, False]
    assert found.days_to_recovery[0] == pytest.approx(12.0)
    assert np.isnan(found.mrr_cents[2])
    assert found.cohorts["factor"][2] == "none"
