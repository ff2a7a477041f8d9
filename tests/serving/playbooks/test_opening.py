"""Cases are opened once, in an arm, for those who may have one."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from features.vocabulary import Arm, Tier, UpliftGroup
from serving.playbooks.batch import start_cases
from serving.playbooks.following import RiskFollower
from serving.playbooks.seen import see_snapshot
from serving.playbooks.settings import Capacity, Playbooks, StartBy, default_playbooks
from serving.playbooks.words import finish_task, stop_case, take_task
from serving.store.cases import CaseExit, CaseRow, CaseState
from serving.store.store import Store
from serving.store.tasks import TaskAnswer, TaskOutcome
from tests.serving.playbooks.conftest import BedMaker
from tests.serving.playbooks.small import DAY, HOUR, MRR_CENTS, Bed, SaidJudge, all_in, with_risk


def follow(bed: Bed, risk: dict[str, float]) -> list[CaseRow]:
    """Facts arrive that give these customers these probabilities."""
    snapshot = with_risk(bed.engine.snapshot, risk, as_of=bed.clock.now)
    seen = see_snapshot(snapshot, list(risk), rules=bed.opener.rules)
    with bed.store.transaction() as session:
        return RiskFollower(bed.opener).follow(
            session, seen, bed.engine.snapshot, now=bed.clock.now
        )


def by_capacity(n: int) -> Playbooks:
    playbooks = all_in(Arm.LEARNED)
    start = playbooks.start.model_copy(
        update={"by": StartBy.CAPACITY, "capacity": Capacity(cases=n, tier=Tier.HIGH)}
    )
    return playbooks.model_copy(update={"start": start})


def test_rising_over_a_border_opens_one_case_and_asks_for_its_workflow(bed_of: BedMaker) -> None:
    bed = bed_of({})

    (case,) = follow(bed, {"c001": 0.7, "c002": 0.2})

    assert (case.customer_id, case.tier, case.mrr_cents) == ("c001", Tier.HIGH, MRR_CENTS)
    assert case.value_cents == pytest.approx(MRR_CENTS * 0.3 * 12, rel=0.01)
    row = bed.engine.snapshot.customers.row_of["c001"]
    refused = int((~bed.engine.snapshot.customers.consent[row]).sum())
    segment = bed.engine.snapshot.customers.segments[row]
    assert (case.judge, case.n_refused, case.segment) == ("test 1", refused, segment)
    assert bed.case(case.case_id) == case
    assert follow(bed, {"c001": 0.9}) == []  # open already
    with bed.store.reading() as session:
        flow = session.flows.find(f"case/{case.case_id}")
        assert len(session.flows.list(kind="case")) == 1
    assert flow is not None
    assert json.loads(flow.given_json)["case_id"] == case.case_id
    assert "p 0.70" in bed.story(case.case_id)[0]


def test_who_was_at_risk_before_does_not_rise_by_a_fact(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.7})

    assert follow(bed, {"c001": 0.75}) == []
    assert follow(bed, {"c001": 0.2}) == []
    assert len(follow(bed, {"c001": 0.65})) == 1


def test_within_a_tier_and_below_those_that_act_nothing_rises(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.35})

    assert follow(bed, {"c001": 0.55, "c002": 0.29, "c003": np.nan}) == []
    assert len(follow(bed, {"c001": 0.61})) == 1  # from medium to high


def test_acts_from_leaves_lower_tiers_alone(bed_of: BedMaker) -> None:
    playbooks = all_in(Arm.LEARNED)
    start = playbooks.start.model_copy(update={"acts_from": Tier.HIGH})
    bed = bed_of({}, playbooks=playbooks.model_copy(update={"start": start}))

    assert follow(bed, {"c001": 0.5}) == []
    assert len(follow(bed, {"c001": 0.7})) == 1


def test_cool_down_after_the_end_of_a_case(bed_of: BedMaker) -> None:
    bed = bed_of({})
    (case,) = follow(bed, {"c001": 0.7})
    with bed.store.transaction() as session:
        session.cases.close(case.case_id, reason=CaseExit.RECOVERED, at=bed.clock.now)
    follow(bed, {"c001": 0.1})
    bed.clock.now += 29 * DAY
    assert follow(bed, {"c001": 0.7}) == []
    follow(bed, {"c001": 0.1})
    bed.clock.now += 2 * DAY

    (again,) = follow(bed, {"c001": 0.7})

    assert again.case_id != case.case_id


def test_who_asked_for_rest_gets_no_other_case(bed_of: BedMaker) -> None:
    bed = bed_of({})
    (case,) = follow(bed, {"c001": 0.7})
    with bed.store.transaction() as session:
        session.cases.close(case.case_id, reason=CaseExit.LEFT_ALONE, at=bed.clock.now)
    bed.clock.now += 400 * DAY
    follow(bed, {"c001": 0.1})

    assert follow(bed, {"c001": 0.9}) == []


def test_who_asked_for_rest_after_the_end_gets_no_other_case(bed_of: BedMaker) -> None:
    """Somebody had taken the task, and called when the case was over."""
    bed = bed_of({"c001": 0.7})
    (case,) = bed.open("c001")
    bed.driver.run_now()
    now = bed.clock.now
    with bed.store.transaction() as session:
        task_id = f"case/{case.case_id}/success_review"
        assert take_task(session, task_id, by="Aliya", now=now) is TaskAnswer.DONE
        assert stop_case(session, case.case_id, by="Dana", now=now, why="enough")
    bed.driver.run_now()
    rest = TaskOutcome.LEAVE_ALONE
    with bed.store.transaction() as session:
        assert finish_task(session, task_id, by="Aliya", outcome=rest, now=now) is TaskAnswer.DONE
    bed.clock.now += 400 * DAY
    follow(bed, {"c001": 0.1})

    assert bed.case(case.case_id).exit_reason is CaseExit.STOPPED
    assert follow(bed, {"c001": 0.9}) == []


def test_holdout_gets_a_case_and_nothing_is_done(bed_of: BedMaker) -> None:
    bed = bed_of({}, playbooks=all_in(Arm.HOLDOUT))
    bed.clock.now += HOUR  # the snapshot is older than the facts

    (case,) = follow(bed, {"c001": 0.7})
    bed.clock.now += HOUR
    follow(bed, {"c001": 0.9})  # worse, and nobody is told
    bed.driver.run_to_end(until=bed.clock.now + 200 * DAY)

    assert case.arm is Arm.HOLDOUT
    assert bed.case(case.case_id).exit_reason is CaseExit.COMPLETED
    with bed.store.reading() as session:
        assert session.tasks.list() == []
        assert session.cases.list_offers() == []
        assert session.holds.find_of(f"case/{case.case_id}") == []
        assert session.notices.find_of(f"case/{case.case_id}") == []


def test_arms_have_a_salt_of_their_own_and_their_shares(bed_of: BedMaker) -> None:
    bed = bed_of({f"c{n:03d}": 0.9 for n in range(60)}, playbooks=default_playbooks())

    cases = bed.open(*(f"c{n:03d}" for n in range(60)))

    shares = default_playbooks().arms
    assert len(cases) == 60
    assert all(case.p_arm == shares[case.arm] for case in cases)
    assert len({case.arm for case in cases}) > 1


def test_one_of_many_at_once_opens_the_case(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: bed.open("c001"), range(8)))

    assert sum(len(cases) for cases in opened) == 1
    with bed.store.reading() as session:
        assert len(session.cases.list(state=CaseState.OPEN)) == 1
        assert len(session.flows.list(kind="case")) == 1


def test_store_refuses_a_second_open_case_itself(store: Store, bed_of: BedMaker) -> None:
    """Whoever forgets to look: the key of the table does not."""
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")

    with store.transaction() as session:
        assert not session.cases.open(replace(case, case_id="another"))


def test_scores_open_everybody_at_risk_once(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9, "c002": 0.7, "c003": 0.2, "c004": np.nan})

    started = start_cases(bed.store, bed.opener, bed.engine.snapshot, now=bed.clock.now)

    assert {case.customer_id for case in started.opened} == {"c001", "c002"}
    assert started.n_at_risk == 2
    again = start_cases(bed.store, bed.opener, bed.engine.snapshot, now=bed.clock.now + HOUR)
    assert (again.opened, again.n_told) == ([], 0)


def test_scores_tell_open_cases_that_their_customer_recovered(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9, "c002": 0.7})
    start_cases(bed.store, bed.opener, bed.engine.snapshot, now=bed.clock.now)
    bed.driver.run_now()
    bed.clock.now += DAY
    bed.learn({"c001": 0.1, "c002": 0.5})

    told = start_cases(bed.store, bed.opener, bed.engine.snapshot, now=bed.clock.now)
    bed.driver.run_now()

    assert told.n_told == 1
    with bed.store.reading() as session:
        states = {case.customer_id: case.state for case in session.cases.list()}
    assert states == {"c001": CaseState.CLOSED, "c002": CaseState.OPEN}


def test_capacity_takes_the_best_by_net_value_and_leaves_alone_whom_to_leave(
    bed_of: BedMaker,
) -> None:
    """Nobody is in a tier that acts: the borders are too high for them."""
    risk = {"c001": 0.20, "c002": 0.25, "c003": 0.28, "c004": 0.15, "c005": 0.0}
    judge = SaidJudge({"c003": UpliftGroup.DO_NOT_DISTURB})
    bed = bed_of(risk, playbooks=by_capacity(2), judge=judge)

    started = start_cases(bed.store, bed.opener, bed.engine.snapshot, now=bed.clock.now)

    assert [case.customer_id for case in started.opened] == ["c002", "c001"]
    assert {case.tier for case in started.opened} == {Tier.HIGH}
    again = start_cases(bed.store, bed.opener, bed.engine.snapshot, now=bed.clock.now + HOUR)
    assert again.opened == []  # there is no room
    bed.driver.run_until(bed.clock.now + 3 * DAY)
    assert bed.case(started.opened[0].case_id).state is CaseState.OPEN  # low, and yet at risk


def test_events_open_no_more_than_there_is_room_for(bed_of: BedMaker) -> None:
    bed = bed_of({}, playbooks=by_capacity(2))

    opened = follow(bed, {"c001": 0.5, "c002": 0.7, "c003": 0.9})

    assert [case.customer_id for case in opened] == ["c003", "c002"]


def test_worse_risk_of_an_open_case_is_told_to_its_csm_once(bed_of: BedMaker) -> None:
    bed = bed_of({})
    (case,) = follow(bed, {"c001": 0.4})
    for p_churn in (0.7, 0.75, 0.9):
        bed.clock.now += HOUR
        follow(bed, {"c001": p_churn})

    with bed.store.reading() as session:
        told = session.notices.find_of(f"case/{case.case_id}")
    assert [notice.subject for notice in told] == [
        "Worse: c001 is high now",
        "Worse: c001 is critical now",
    ]
