"""Facts open cases, and end them: in the transaction that takes them in."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from features.churn import CHURN_FEATURES
from features.tables import Tables
from features.vocabulary import Arm, Tier
from serving.decide import Engine
from serving.online.desk import EventDesk
from serving.online.rebuild import rebuild_online
from serving.online.records import Event, EventReceipt, EventReport
from serving.playbooks.following import RiskFollower
from serving.playbooks.opening import Opener
from serving.playbooks.settings import default_playbooks
from serving.policy.cases import Floats
from serving.snapshot.state import Models, Snapshot
from serving.store.cases import CaseExit, CaseRow
from serving.store.store import Store
from tests.serving.playbooks.small import DAY, HOUR, Bed
from training.registry.servable import ChurnModel

EventMaker = Callable[..., Event]
_OPEN = CHURN_FEATURES.names.index("tickets_open")


class TicketModel(ChurnModel):
    """Who has an open ticket will leave."""

    def predict(self, X: Floats) -> Floats:
        return np.where(np.nan_to_num(X[:, _OPEN]) > 0, 0.9, 0.05)


@pytest.fixture
def bed(
    store: Store,
    tables: Tables,
    snapshot: Snapshot,
    engine_of: Callable[[Snapshot], Engine],
    tmp_path: Path,
) -> Bed:
    churn = snapshot.models.churn
    assert churn is not None
    model = TicketModel(churn.version, churn.signature, churn.boosters, churn.reference)
    rebuild_online(store, tables, as_of=snapshot.as_of)
    calm = replace(snapshot.customers, p_churn=np.full(len(snapshot.customers.p_churn), 0.05))
    return Bed(
        store,
        engine_of(replace(snapshot, models=Models(churn=model), customers=calm)),
        tmp_path,
    )


def post(bed: Bed, *events: Event, at: datetime, opener: Opener | None = None) -> EventReceipt:
    desk = EventDesk(
        bed.store,
        takes_callers_time=True,
        follower=RiskFollower(opener or bed.opener),
    )
    report = EventReport(events=list(events), known_at=at, find_triggers=False)
    return desk.take(report, bed.engine.snapshot, now=at)


def cases_of(bed: Bed) -> list[CaseRow]:
    with bed.store.reading() as session:
        return list(session.cases.list())


def ticket(event: EventMaker, *, at: datetime, customer_id: str = "c001", **more: object) -> Event:
    return event(
        "tickets",
        ticket_id=f"t-{customer_id}",
        customer_id=customer_id,
        opened_at=at,
        escalated=False,
        **more,
    )


def test_an_event_that_raises_the_risk_opens_a_case_once(bed: Bed, event: EventMaker) -> None:
    at = bed.clock.now + HOUR

    receipt = post(bed, ticket(event, at=at), at=at)
    again = post(bed, ticket(event, at=at), at=at + HOUR)
    post(bed, event("activity", customer_id="c001", at=at, kind="login"), at=at + 2 * HOUR)

    assert [(one.customer_id, one.tier) for one in receipt.churn] == [("c001", Tier.CRITICAL)]
    assert again.states == ["duplicate"]
    (case,) = cases_of(bed)
    assert (case.customer_id, case.tier, case.source) == ("c001", Tier.CRITICAL, "events")
    assert case.opened_at == receipt.known_at
    with bed.store.reading() as session:
        assert [flow.workflow_id for flow in session.flows.list()] == [f"case/{case.case_id}"]


def test_many_events_at_once_open_one_case_each(bed: Bed, event: EventMaker) -> None:
    """Two tickets each of three customers, from four threads; known in whatever order."""
    desk = EventDesk(bed.store, follower=RiskFollower(bed.opener))

    def tell(n: int) -> EventReceipt:
        one = event(
            "tickets",
            ticket_id=f"t{n}",
            customer_id=f"c00{n % 3}",
            opened_at=bed.clock.now,
            escalated=False,
        )
        report = EventReport(events=[one], find_triggers=False)
        return desk.take(report, bed.engine.snapshot, now=bed.clock.now + HOUR)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, range(6)))

    assert sorted(case.customer_id for case in cases_of(bed)) == ["c000", "c001", "c002"]


def test_facts_and_the_case_are_kept_together_or_not_at_all(bed: Bed, event: EventMaker) -> None:
    class Broken:
        def judge(self, *_: object) -> list[object]:
            raise RuntimeError("the judge fell ill")

    at = bed.clock.now + HOUR
    broken = replace(bed.opener, judge=Broken())  # type: ignore[arg-type]  # it is broken
    with pytest.raises(RuntimeError):
        post(bed, ticket(event, at=at), at=at, opener=broken)
    assert cases_of(bed) == []

    receipt = post(bed, ticket(event, at=at), at=at)

    assert receipt.states == ["applied"]  # it was not told before
    assert len(cases_of(bed)) == 1


def test_an_event_that_ends_the_risk_ends_the_case_at_once(bed: Bed, event: EventMaker) -> None:
    at = bed.clock.now + HOUR
    post(bed, ticket(event, at=at), at=at)
    bed.clock.now = at
    bed.driver.run_until(at + 3 * HOUR)
    (case,) = cases_of(bed)
    with bed.store.reading() as session:
        brief = session.cases.find_brief(case.case_id)
    assert brief is not None
    assert "t-c001, since 2026-06-10" in brief

    solved = at + 3 * HOUR
    post(bed, ticket(event, at=at, resolved_at=solved), at=solved)
    bed.driver.run_now()

    assert bed.case(case.case_id).exit_reason is CaseExit.RECOVERED
    with bed.store.reading() as session:
        assert session.tasks.list() == []


def test_new_case_after_recovery_waits_for_the_cool_down(bed: Bed, event: EventMaker) -> None:
    at = bed.clock.now + HOUR
    post(bed, ticket(event, at=at), at=at)
    bed.clock.now = at
    bed.driver.run_now()
    post(bed, ticket(event, at=at, resolved_at=at + HOUR), at=at + HOUR)
    bed.clock.now = at + HOUR
    bed.driver.run_now()
    later = at + 40 * DAY
    second = event("tickets", ticket_id="t2", customer_id="c001", opened_at=later, escalated=False)

    post(bed, second, at=at + 10 * DAY)
    assert len(cases_of(bed)) == 1  # the ticket is of the future, and it is too early

    bed.clock.now = later + DAY
    third = event(
        "tickets", ticket_id="t3", customer_id="c001", opened_at=later + DAY, escalated=False
    )
    post(bed, third, at=later + DAY + HOUR)

    assert len(cases_of(bed)) == 2


def test_in_the_service_s_own_arms_a_tenth_is_held_out(bed: Bed, event: EventMaker) -> None:
    opener = replace(bed.opener, playbooks=default_playbooks())
    at = bed.clock.now + HOUR
    tickets = [ticket(event, at=at, customer_id=f"c{n:03d}") for n in range(60)]

    post(bed, *tickets, at=at, opener=opener)

    arms = [case.arm for case in cases_of(bed)]
    assert len(arms) == 60
    assert 0 < arms.count(Arm.HOLDOUT) < 20
