"""A case from its first step to its end, on the virtual driver."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.vocabulary import Arm, Factor, Trigger, UpliftGroup
from serving.corridor.actions import ActionState
from serving.corridor.settings import BrokenCorridor
from serving.delivery.queue import LIVE
from serving.playbooks.settings import default_playbooks
from serving.playbooks.words import drop_task, finish_task, stop_case, take_task
from serving.policy.cases import to_us
from serving.store.cases import CaseExit, CaseState, OfferRow, OfferState
from serving.store.flows import FlowState
from serving.store.store import Store
from serving.store.tasks import TaskAnswer, TaskOutcome, TaskRow, TaskState
from serving.workflows.words import approve_action, veto_action
from tests.serving.playbooks.conftest import BedMaker
from tests.serving.playbooks.small import DAY, HOUR, Bed, SaidJudge, all_in

LONG = timedelta(days=200)


def tasks_of(bed: Bed, case_id: str) -> dict[str, TaskRow]:
    with bed.store.reading() as session:
        found = session.tasks.list(states=tuple(TaskState), case_id=case_id)
    return {task.task_id.split("/")[2]: task for task in found}


def offers_of(bed: Bed, case_id: str) -> list[OfferRow]:
    with bed.store.reading() as session:
        return list(session.cases.list_offers(case_id=case_id))


def waiting(bed: Bed) -> list[str]:
    with bed.store.reading() as session:
        return [held.request.action_id for held in session.holds.find_in(ActionState.WAITING)]


def approve_all(bed: Bed) -> None:
    for action_id in waiting(bed):
        with bed.store.transaction() as session:
            approve_action(
                session, action_id, desk=bed.desk(), by="Dana", role="owner", now=bed.clock.now
            )


def require_sound(bed: Bed) -> None:
    """Money adds up, nothing is held, nothing waits."""
    with bed.store.reading() as session:
        assert session.holds.find_faults() == []
        assert session.holds.find_in(ActionState.WAITING) == []
        assert session.holds.find_in(ActionState.CLAIMED) == []
        assert session.flows.list(state=FlowState.RUNNING) == []
        assert session.cases.list(state=CaseState.OPEN) == []


def test_tasks_are_made_whatever_currency_the_company_counts_in(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    settings = bed.engine.copy_settings.model_copy(update={"currency": "USD"})
    bed.engine = replace(bed.engine, copy_settings=settings)
    (case,) = bed.open("c001")

    bed.driver.run_until(bed.clock.now + 25 * HOUR)
    assert "executive_call" in tasks_of(bed, case.case_id)
    assert waiting(bed) == []  # an offer of another currency is refused


def test_critical_case_is_worked_on_from_alert_to_offer_and_checks(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    opened_at = bed.clock.now

    bed.driver.run_until(opened_at + 25 * HOUR)
    tasks = tasks_of(bed, case.case_id)
    assert tasks["executive_call"].due_at <= opened_at + 24 * HOUR
    assert tasks["executive_call"].owner == "leadership"
    assert "## Timeline" in tasks["executive_call"].brief
    with bed.store.reading() as session:
        told = {n.subject: n.to.kind.value for n in session.notices.find_of(f"case/{case.case_id}")}
    assert {"csm", "sales", "leadership", "owner"} <= set(told.values())
    (proposed,) = offers_of(bed, case.case_id)
    assert proposed.state is OfferState.PROPOSED
    assert 0 < proposed.propensity <= 1

    approve_all(bed)
    bed.driver.run_now()
    (made,) = offers_of(bed, case.case_id)
    presented = tasks_of(bed, case.case_id)["custom_offer"]
    assert made.state is OfferState.MADE
    assert presented.kind == "offer"
    with bed.store.transaction() as session:
        finish_task(
            session,
            presented.task_id,
            by="Aliya",
            outcome=TaskOutcome.ACCEPTED,
            now=bed.clock.now,
        )
    bed.driver.run_to_end(until=opened_at + LONG)

    (accepted,) = offers_of(bed, case.case_id)
    assert accepted.state is OfferState.ACCEPTED
    assert bed.case(case.case_id).exit_reason is CaseExit.COMPLETED
    story = "\n".join(bed.story(case.case_id))
    assert story.count("looks again") == 8
    assert "finishes the task: accepted" in story
    require_sound(bed)


def test_restarted_at_every_wake_up_a_case_has_the_same_story(
    bed_of: BedMaker, tmp_path: Path
) -> None:
    kept = bed_of({"c002": 0.7})
    store = Store(tmp_path / "again.db")
    engine = replace(kept.engine, store=store)
    anew = Bed(store, engine, tmp_path, keeps=False)
    stories = []
    for bed in (kept, anew):
        (case,) = bed.open("c002")
        bed.driver.run_until(bed.clock.now + 5 * DAY)
        stories.append(bed.story(case.case_id))
    store.close()

    assert len(stories[0]) > 50
    assert stories[0] == stories[1]


def test_medium_case_is_automated(bed_of: BedMaker) -> None:
    bed = bed_of({"c003": 0.4})
    (case,) = bed.open("c003")

    bed.driver.run_until(bed.clock.now + 20 * DAY)

    with bed.store.reading() as session:
        decisions = [d for lot in session.read_decisions() for d in lot]
    assert [decision.trigger for decision in decisions] == [Trigger.CHURN_RISK] * 2
    assert all(decision.customer_id == "c003" for decision in decisions)
    assert set(tasks_of(bed, case.case_id)) == {"webinar"}
    keys = [decision.idempotency_key for decision in decisions]
    assert keys == [f"case/{case.case_id}/nurture_message", f"case/{case.case_id}/second_message"]


def test_recovery_ends_a_case_at_once_and_releases_what_waits(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_until(bed.clock.now + 25 * HOUR)
    assert waiting(bed)
    with bed.store.transaction() as session:
        taken = f"case/{case.case_id}/account_audit"
        assert take_task(session, taken, by="Aliya", now=bed.clock.now) is TaskAnswer.DONE
    bed.learn({"c001": 0.2})

    bed.driver.run_until(bed.clock.now + 25 * HOUR)  # the daily look

    closed = bed.case(case.case_id)
    assert closed.exit_reason is CaseExit.RECOVERED
    assert closed.p_churn_at_close == pytest.approx(0.2)
    assert [offer.state for offer in offers_of(bed, case.case_id)] == [OfferState.WITHDRAWN]
    states = {name: task.state for name, task in tasks_of(bed, case.case_id).items()}
    assert states["executive_call"] is TaskState.DROPPED
    assert states["account_audit"] is TaskState.TAKEN  # somebody is at it
    require_sound(bed)


def test_hysteresis_a_little_below_the_border_is_no_recovery(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_now()
    bed.clock.now += HOUR
    bed.learn({"c001": 0.27})  # below .3, above .8 of it

    bed.driver.run_until(bed.clock.now + 3 * DAY)

    assert bed.case(case.case_id).state is CaseState.OPEN


def test_message_that_is_planned_is_cancelled_when_the_case_ends(bed_of: BedMaker) -> None:
    bed = bed_of({"c003": 0.4})
    (case,) = bed.open("c003")
    bed.driver.run_now()
    bed.clock.now += timedelta(minutes=5)
    with bed.store.transaction() as session:
        assert stop_case(session, case.case_id, by="Dana", now=bed.clock.now, why="a mistake")

    bed.driver.run_now()

    assert bed.case(case.case_id).exit_reason is CaseExit.STOPPED
    with bed.store.reading() as session:
        (decision,) = [d for lot in session.read_decisions() for d in lot]
        assert decision.send
        assert session.find_cancelled() == [m.message_id for m in decision.messages]


def test_customer_who_left_ends_a_case(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_now()
    bed.clock.now += HOUR
    bed.learn({"c001": np.nan})

    bed.driver.run_until(bed.clock.now + 2 * DAY)

    assert bed.case(case.case_id).exit_reason is CaseExit.LEFT


def test_customer_who_was_erased_ends_a_case(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_now()
    bed.clock.now += HOUR
    bed.learn({})
    bed.forget("c001")

    bed.driver.run_until(bed.clock.now + 2 * DAY)

    assert bed.case(case.case_id).exit_reason is CaseExit.ERASED
    require_sound(bed)


def test_snapshot_older_than_the_case_tells_nothing_of_it(bed_of: BedMaker) -> None:
    """Facts opened it since; that the old snapshot knows of no risk is no recovery."""
    bed = bed_of({"c001": 0.9})
    bed.clock.now += HOUR
    (case,) = bed.open("c001")
    bed.driver.run_now()
    bed.unlearn({"c001": 0.01})

    bed.driver.run_until(bed.clock.now + 3 * DAY)

    assert bed.case(case.case_id).state is CaseState.OPEN


def test_who_is_not_to_be_disturbed_hears_nothing(bed_of: BedMaker) -> None:
    judge = SaidJudge(default=UpliftGroup.DO_NOT_DISTURB)
    bed = bed_of({"c001": 0.9, "c002": 0.7, "c003": 0.4}, judge=judge)
    cases = bed.open("c001", "c002", "c003")

    bed.driver.run_until(bed.clock.now + 20 * DAY)

    items = default_playbooks().items
    for case in cases:
        assert not any(items[name].contacts for name in tasks_of(bed, case.case_id))
        assert offers_of(bed, case.case_id) == []
    with bed.store.reading() as session:
        assert [d for lot in session.read_decisions() for d in lot] == []


def test_without_an_uplift_model_people_act_and_nothing_is_offered(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9}, judge=SaidJudge(default=None))
    (case,) = bed.open("c001")

    bed.driver.run_until(bed.clock.now + 3 * DAY)

    assert "executive_call" in tasks_of(bed, case.case_id)
    assert offers_of(bed, case.case_id) == []
    assert any("no model says" in line for line in bed.story(case.case_id))


def test_who_becomes_one_to_leave_alone_gets_no_offer(bed_of: BedMaker) -> None:
    judge = SaidJudge()
    bed = bed_of({"c001": 0.9}, judge=judge)
    (case,) = bed.open("c001")
    bed.driver.run_until(bed.clock.now + 12 * HOUR)
    judge.groups["c001"] = UpliftGroup.DO_NOT_DISTURB

    bed.driver.run_until(bed.clock.now + 2 * DAY)

    assert offers_of(bed, case.case_id) == []


def test_vetoed_offer_was_never_made(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_until(bed.clock.now + 25 * HOUR)
    (action_id,) = waiting(bed)
    with bed.store.transaction() as session:
        veto_action(session, action_id, desk=bed.desk(), by="Dana", role="owner", now=bed.clock.now)

    bed.driver.run_until(bed.clock.now + HOUR)

    assert [offer.state for offer in offers_of(bed, case.case_id)] == [OfferState.WITHDRAWN]
    assert "custom_offer" not in tasks_of(bed, case.case_id)
    assert waiting(bed) == []


def test_offer_that_was_made_is_never_made_again(bed_of: BedMaker) -> None:
    """In four cases of one customer, one after the other."""
    bed = bed_of({"c001": 0.9}, playbooks=all_in(Arm.RANDOM))
    for _ in range(4):
        (case,) = bed.open("c001")
        bed.driver.run_until(bed.clock.now + 25 * HOUR)
        approve_all(bed)
        bed.driver.run_now()
        with bed.store.transaction() as session:
            stop_case(session, case.case_id, by="Dana", now=bed.clock.now, why="enough")
        bed.driver.run_until(bed.clock.now + 40 * DAY)

    with bed.store.reading() as session:
        made = session.cases.list_offers(customer_ids=["c001"])
        settled = session.holds.find_in(ActionState.SETTLED)
    names = [offer.offer for offer in made if offer.state is OfferState.MADE]
    offered = [held.request.action_id for held in settled if held.request.amount_cents]
    assert len(names) >= 2
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(action.rpartition("/")[2] for action in offered)


def test_budget_of_a_month_is_never_exceeded(bed_of: BedMaker) -> None:
    """Eight cases at once, money for three."""
    playbooks = all_in(Arm.LEARNED)
    choice = playbooks.choice.model_copy(update={"cents_per_month": 1_300_000})
    bed = bed_of(
        {f"c{n:03d}": 0.9 for n in range(8)},
        playbooks=playbooks.model_copy(update={"choice": choice}),
    )
    bed.open(*(f"c{n:03d}" for n in range(8)))

    bed.driver.run_until(bed.clock.now + 25 * HOUR)

    with bed.store.reading() as session:
        offers = session.cases.list_offers()
    assert 1 <= len(offers) <= 3
    assert sum(offer.cost_cents for offer in offers) <= 1_300_000


def test_cases_without_a_step_for_an_offer_take_no_budget(
    bed_of: BedMaker, reasons: dict[str, tuple[Factor, ...]]
) -> None:
    """An offer would bring more to the medium one, whose steps hold none."""
    reasons["c001"] = (Factor.BILLING_CONCERNS, Factor.LOW_USAGE)
    reasons["c002"] = (Factor.DECLINING_USAGE,)
    playbooks = all_in(Arm.LEARNED)
    only = {"premium_trial": playbooks.offers["premium_trial"]}
    choice = playbooks.choice.model_copy(update={"cents_per_month": 500_000, "explore": 0.0})
    changed = playbooks.model_copy(update={"choice": choice, "offers": only})
    bed = bed_of({"c001": 0.81, "c002": 0.6}, playbooks=changed)
    critical, _ = bed.open("c001", "c002")

    bed.driver.run_until(bed.clock.now + 25 * HOUR)

    assert [offer.offer for offer in offers_of(bed, critical.case_id)] == ["premium_trial"]


def test_offer_is_paid_by_the_month_of_its_proposal(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_until(bed.clock.now + 25 * HOUR)
    (proposed,) = offers_of(bed, case.case_id)
    bed.clock.now += HOUR

    approve_all(bed)
    bed.driver.run_now()

    (made,) = offers_of(bed, case.case_id)
    assert made == replace(proposed, state=OfferState.MADE)
    with bed.store.reading() as session:
        assert session.cases.sum_offers(since=proposed.at + HOUR) == 0


def test_broken_corridor_makes_no_task_but_tells_people(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9}, corridor=BrokenCorridor("no such file"))
    (case,) = bed.open("c001")

    bed.driver.run_until(bed.clock.now + 3 * DAY)

    assert tasks_of(bed, case.case_id) == {}
    assert offers_of(bed, case.case_id) == [] or {
        offer.state for offer in offers_of(bed, case.case_id)
    } == {OfferState.WITHDRAWN}
    with bed.store.reading() as session:
        subjects = [n.subject for n in session.notices.find_of(f"case/{case.case_id}")]
    assert "At risk: c001 (critical)" in subjects


def test_kill_switch_holds_a_case_until_it_is_lifted(bed_of: BedMaker) -> None:
    bed = bed_of({"c002": 0.7})
    (case,) = bed.open("c002")
    (bed.home / "STOP").touch()
    bed.driver.run_until(bed.clock.now + 2 * HOUR)
    assert tasks_of(bed, case.case_id) == {}
    (bed.home / "STOP").unlink()

    bed.driver.run_until(bed.clock.now + 2 * HOUR)

    assert "success_review" in tasks_of(bed, case.case_id)


def test_who_asks_for_rest_is_left_alone(bed_of: BedMaker) -> None:
    bed = bed_of({"c002": 0.7})
    (case,) = bed.open("c002")
    bed.driver.run_now()
    task = tasks_of(bed, case.case_id)["success_review"]
    with bed.store.transaction() as session:
        answer = finish_task(
            session,
            task.task_id,
            by="Aliya",
            outcome=TaskOutcome.LEAVE_ALONE,
            now=bed.clock.now,
            note="call me never at +7 701 123 45 67",
        )

    bed.driver.run_now()

    assert answer is TaskAnswer.DONE
    assert bed.case(case.case_id).exit_reason is CaseExit.LEFT_ALONE
    story = "\n".join(bed.story(case.case_id))
    assert "+7 701" not in story
    require_sound(bed)


def test_task_is_one_persons_and_done_once(bed_of: BedMaker) -> None:
    bed = bed_of({"c002": 0.7})
    (case,) = bed.open("c002")
    bed.driver.run_now()
    task_id = tasks_of(bed, case.case_id)["success_review"].task_id
    now = bed.clock.now
    with bed.store.transaction() as session:
        assert take_task(session, "nothing", by="Aliya", now=now) is TaskAnswer.UNKNOWN
        assert take_task(session, task_id, by="Aliya", now=now) is TaskAnswer.DONE
        assert take_task(session, task_id, by="Aliya", now=now) is TaskAnswer.AGAIN
        assert take_task(session, task_id, by="Bolat", now=now) is TaskAnswer.OTHERS
        done = {"outcome": TaskOutcome.STAYS, "now": now}
        assert finish_task(session, task_id, by="Bolat", **done) is TaskAnswer.OTHERS
        assert finish_task(session, task_id, by="Aliya", **done) is TaskAnswer.DONE
        assert finish_task(session, task_id, by="Aliya", **done) is TaskAnswer.AGAIN
        assert drop_task(session, task_id, by="Dana", now=now, why="late") is TaskAnswer.OVER
    assert bed.case(case.case_id).state is CaseState.OPEN


def test_customer_without_a_plan_gets_people_and_no_offer_priced_by_it(
    bed_of: BedMaker, reasons: dict[str, tuple[Factor, ...]]
) -> None:
    reasons["c001"] = (Factor.BILLING_CONCERNS,)
    bed = bed_of({"c001": 0.9})
    bed.unsubscribe()
    (case,) = bed.open("c001")

    bed.driver.run_until(bed.clock.now + 5 * DAY)

    assert case.mrr_cents is None
    assert {"billing_review", "billing_call"} <= set(tasks_of(bed, case.case_id))
    assert offers_of(bed, case.case_id) == []


def test_customer_without_a_reason_gets_the_steps_of_the_tier(
    bed_of: BedMaker, reasons: dict[str, tuple[Factor, ...]]
) -> None:
    reasons["c002"] = ()
    bed = bed_of({"c002": 0.7})
    (case,) = bed.open("c002")

    bed.driver.run_until(bed.clock.now + 5 * DAY)

    assert case.playbook == "default/high/any"
    assert set(tasks_of(bed, case.case_id)) == {
        "success_review", "training_session", "feature_optimisation",
    }  # fmt: skip


def test_notice_waits_for_working_hours(bed_of: BedMaker) -> None:
    """The case of a Wednesday evening: the CSM hears of the task on Thursday at nine."""
    bed = bed_of({"c002": 0.7})
    bed.clock.now += 8 * HOUR  # 20:00 in Almaty
    (case,) = bed.open("c002")
    bed.driver.run_now()

    with bed.store.reading() as session:
        told = session.notices.find(f"case/{case.case_id}/success_review/told")

    assert told is not None
    assert told.not_before is not None
    assert told.not_before.isoformat() == "2026-06-11T04:00:00+00:00"


def test_nobody_presents_an_offer_to_whoever_asked_to_be_left_alone(bed_of: BedMaker) -> None:
    bed = bed_of({"c001": 0.9})
    (case,) = bed.open("c001")
    bed.driver.run_until(bed.clock.now + 25 * HOUR)
    approve_all(bed)
    bed.driver.run_now()
    tasks = tasks_of(bed, case.case_id)
    assert tasks["custom_offer"].state is TaskState.OPEN
    with bed.store.transaction() as session:
        finish_task(
            session,
            tasks["executive_call"].task_id,
            by="Aliya",
            outcome=TaskOutcome.LEAVE_ALONE,
            now=bed.clock.now,
        )
    bed.driver.run_until(bed.clock.now + 2 * DAY)
    assert tasks_of(bed, case.case_id)["custom_offer"].state is TaskState.DROPPED


@pytest.mark.parametrize("is_live", [True, False])
def test_a_message_that_is_due_and_not_delivered_yet_is_taken_back(
    bed_of: BedMaker, *, is_live: bool
) -> None:
    """`opportune deliver` is late; where others send, what is due may have gone out."""
    bed = bed_of({"c003": 0.4})
    (case,) = bed.open("c003")
    if is_live:
        with bed.store.transaction() as session:
            session.outbox.open_lane(LIVE, at_us=to_us(bed.clock.now))
    bed.driver.run_now()
    with bed.store.reading() as session:
        (decision,) = [one for lot in session.read_decisions() for one in lot]
    assert decision.send_at is not None
    bed.clock.now = decision.send_at + timedelta(minutes=20)
    with bed.store.transaction() as session:
        stop_case(session, case.case_id, by="Dana", now=bed.clock.now, why="please")
    bed.driver.run_now()

    now_us = to_us(bed.clock.now)
    with bed.store.transaction() as session:
        session.outbox.enqueue(lane=LIVE, at_us=now_us, since_us=0)
        queued = session.outbox.find_due(lane=LIVE, at_us=now_us)
    assert (queued is None) == is_live
