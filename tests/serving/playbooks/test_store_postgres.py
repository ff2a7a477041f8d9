"""Cases, tasks and offers in PostgreSQL: every answer of the books is the same there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from features.vocabulary import Tier
from serving.decide import Engine
from serving.playbooks.words import finish_task, take_task
from serving.snapshot.state import Snapshot
from serving.store.cases import CaseExit, CaseState, OfferRow, OfferState, RiskLevel
from serving.store.store import Store
from serving.store.tasks import TaskAnswer, TaskOutcome, TaskRow
from tests.serving.playbooks.small import Bed, with_risk


def test_books_answer_alike_on_postgresql(
    new_postgres_database: Callable[[], str],
    engine_of: Callable[[Snapshot], Engine],
    snapshot: Snapshot,
    tmp_path: Path,
) -> None:
    store = Store(new_postgres_database())
    engine = replace(engine_of(with_risk(snapshot, {"c001": 0.9})), store=store)
    bed = Bed(store, engine, tmp_path)
    now = bed.clock.now

    with ThreadPoolExecutor(3) as pool:
        opened = [
            case for cases in pool.map(lambda _: bed.open("c001"), range(3)) for case in cases
        ]

    (case,) = opened
    task = TaskRow(
        "t1", case.case_id, "c001", "call", "Call", "brief", "csm", now, now + timedelta(hours=2)
    )
    offer = OfferRow(
        "c001", "premium_trial", case.case_id, OfferState.PROPOSED, 5, "KZT", 0.5, 0.1, now
    )
    with store.transaction() as session:
        assert [session.tasks.add(task), session.tasks.add(task)] == [True, False]
        assert take_task(session, "t1", by="Dana", now=now) is TaskAnswer.DONE
        outcome = TaskOutcome.STAYS
        assert finish_task(session, "t1", by="Dana", outcome=outcome, now=now) is TaskAnswer.DONE
        assert session.cases.propose_offer(offer)
        assert session.cases.propose_offer(offer)  # the same case, once more
        assert not session.cases.propose_offer(replace(offer, case_id="another"))
        withdrawn = {"offer": "premium_trial", "case_id": case.case_id}
        assert session.cases.set_offer("c001", state=OfferState.WITHDRAWN, **withdrawn)
        assert session.cases.sum_offers(since=now) == 0
        assert session.cases.propose_offer(offer)
        assert session.cases.sum_offers(since=now) == 5
        for tier in (Tier.HIGH, Tier.LOW):
            session.cases.set_level("c001", RiskLevel(tier, 0.5, now))
        assert session.cases.find_levels(["c001", "c002"]) == {
            "c001": RiskLevel(Tier.LOW, 0.5, now)
        }
        assert session.cases.close(case.case_id, reason=CaseExit.RECOVERED, at=now)
        assert not session.cases.close(case.case_id, reason=CaseExit.LEFT, at=now)
    with store.reading() as session:
        (kept,) = session.cases.find_of(["c001"])["c001"]
        assert (kept.state, kept.exit_reason) == (CaseState.CLOSED, CaseExit.RECOVERED)
        assert session.cases.list(state=CaseState.OPEN) == []
        assert session.tasks.list() == []
    store.close()
