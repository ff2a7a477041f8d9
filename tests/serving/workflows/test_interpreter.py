"""What becomes of steps: in order, delayed, skipped, repeated, left, undone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from features.errors import ConfigurationError
from serving.corridor.actions import ActionState
from serving.store.flows import FlowState
from serving.store.store import StoreSession
from serving.workflows.catalogue import Catalogue, Workflow
from serving.workflows.spec import WorkflowSpec
from serving.workflows.virtual import VirtualDriver
from tests.serving.workflows.conftest import SmallMaker
from tests.serving.workflows.handling import list_notices, run, say, state_of
from tests.serving.workflows.small import LONG, NOON, Case, make_workflow, read_spec

# ------------------------------------------------------------ the way through


def test_steps_are_taken_in_their_order_at_their_moments(small: SmallMaker) -> None:
    case = small("""
    steps:
      - {do: note}
      - {do: cheap, after_minutes: 30}
      - {do: free, after_minutes: 60, after: start}
      - {do: three}
    closing: [{do: nothing}]
    """)

    run(case)

    found = case.find()
    assert found.state is FlowState.ENDED
    assert found.why == "all steps were taken"
    # 30 minutes' delay and a window of 5; until an hour after the start; another window of 5.
    assert found.ended_at == NOON + timedelta(minutes=65)
    assert case.world.done == {
        "case/c1/cheap",
        "case/c1/free",
        *(f"case/c1/three/{n}" for n in range(3)),
    }
    assert max(case.world.calls.values()) == 1


def test_a_step_repeats_as_often_as_it_says(small: SmallMaker) -> None:
    case = small("steps: [{do: free, repeat: {every_minutes: 1440, times: 3}}]")

    run(case)

    assert case.world.done == {"case/c1/free", "case/c1/free/1.0", "case/c1/free/2.0"}
    assert case.find().ended_at == NOON + timedelta(days=2)


def test_a_plan_that_says_again_is_planned_again(small: SmallMaker) -> None:
    case = small("steps: [{do: thrice}]")

    run(case)

    assert case.world.done == {"case/c1/thrice", "case/c1/thrice/0.1", "case/c1/thrice/0.2"}


def test_a_condition_that_does_not_hold_skips_the_step(small: SmallMaker) -> None:
    case = small("steps: [{do: free, when: holds}, {do: note}]")
    case.world.holds = False

    run(case)

    assert not case.world.done
    assert "step free is skipped: not holds" in case.read_log()


def test_a_plan_for_later_is_planned_again_then_or_at_a_signal(small: SmallMaker) -> None:
    case = small("steps: [{do: watch}]")
    case.world.holds = False
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=25))
    planned = [words for words in case.read_log() if "looks again at" in words]
    assert len(planned) == 3

    case.world.holds = True
    say(case, "news")
    driver.run_now()

    assert case.find().ended_at == NOON + timedelta(minutes=25)


def test_what_is_for_later_ends_at_the_deadline_and_the_owner_hears_of_it(
    small: SmallMaker,
) -> None:
    case = small("steps: [{do: watch, deadline_minutes: 35}]")
    case.world.holds = False

    run(case)

    assert case.find().ended_at == NOON + timedelta(minutes=35)
    assert any("was not done by its deadline" in words for words in case.read_log())
    assert list_notices(case) == ["case/c1/watch/0/later/3/late"]


# ------------------------------------------------------------ exits


def test_an_exit_releases_what_waits_undoes_what_says_so_and_closes(small: SmallMaker) -> None:
    case = small("""
    steps:
      - {do: free, undo: free, undo_on_exit: true}
      - {name: stays, do: free}
      - {do: dear}
      - {do: cheap}
    exits: [left]
    wakes: [changed]
    closing: [{do: note}]
    """)
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=3))
    case.world.exits = True
    say(case, "changed")
    driver.run_now()

    assert case.find().why == "left"
    assert state_of(case, "dear") is ActionState.RELEASED
    assert case.world.done == {"case/c1/stays"}
    assert "step note: noted" in case.read_log()


def test_exits_are_looked_at_though_nobody_says_anything(small: SmallMaker) -> None:
    case = small("""
    steps: [{do: free, after_minutes: 10000}]
    exits: [left]
    look_every_minutes: 60
    """)
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=90))
    case.world.exits = True

    driver.run_to_end(until=NOON + LONG)

    assert case.find().ended_at == NOON + timedelta(minutes=120)
    assert not case.world.calls


def test_exits_that_cannot_be_looked_at_fail_the_workflow_after_the_last_try(
    small: SmallMaker,
) -> None:
    case = small("{steps: [{do: free}], exits: [left], closing: [{do: note}]}")
    good = make_workflow(case.spec, case.world)
    n_looks: list[datetime] = []

    def look(session: StoreSession, context: Case, now: datetime) -> bool:
        n_looks.append(now)
        raise RuntimeError

    broken = replace(good, conditions={"left": look})
    case.start()
    driver = VirtualDriver(Catalogue([broken]), case.parts, clock=case.clock, keeps=case.keeps)
    driver.run_to_end(until=NOON + LONG)

    assert case.find().why == "the exits could not be looked at"
    assert case.find().ended_at == n_looks[-1] == NOON + timedelta(seconds=5_420)
    assert len(n_looks) == 9
    assert not case.world.calls
    assert "step note: noted" in case.read_log()
    assert list_notices(case) == ["case/c1/failed"]


def test_what_is_undone_at_the_end_is_undone_without_an_exit(small: SmallMaker) -> None:
    case = small("steps: [{do: cheap, undo: cheap, undo_at_end: true}, {do: free}]")

    run(case)

    assert case.world.done == {"case/c1/free"}
    assert any("cheap is taken back" in words for words in case.read_log())


# ------------------------------------------------------------ what cannot be run


def test_unknown_names_are_refused_all_at_once(small: SmallMaker) -> None:
    case = small("steps: [{do: free}]")
    spec = read_spec("""
    steps: [{do: dance, when: raining}, {do: free, undo: note}]
    exits: [gone]
    """)

    with pytest.raises(ConfigurationError) as raised:
        make_workflow(spec, case.world).require_known(spec)

    for words in ("do: dance", "when: raining", "undo: note", "exits: gone"):
        assert words in str(raised.value)


def test_a_workflow_that_cannot_start_fails_and_tells(small: SmallMaker) -> None:
    case = small("steps: [{do: dance}]")

    run(case)

    assert case.find().state is FlowState.FAILED
    assert list_notices(case) == ["case/c1/unstarted"]


def test_a_workflow_whose_steps_cannot_be_chosen_fails_and_tells(small: SmallMaker) -> None:
    case = small("steps: [{do: free}]")
    good = make_workflow(case.spec, case.world)

    def choose_spec(given_json: str) -> WorkflowSpec:
        raise ValueError(f"secret=1234 {given_json}")

    broken = Workflow(good.kind, choose_spec, good.actions, good.conditions, good.make_context)
    case.start()
    VirtualDriver(Catalogue([broken]), case.parts, clock=case.clock, keeps=case.keeps).run_now()

    assert case.find().state is FlowState.FAILED
    assert case.find().why == "it cannot be started: ValueError"
    assert list_notices(case) == ["case/c1/unstarted"]


def test_a_closing_step_can_fail_the_workflow(small: SmallMaker) -> None:
    case = small("""
    steps: [{do: note}]
    closing: [{do: cheap, on_failed: end}]
    """)
    case.world.refusals = {"cheap"}

    run(case)

    assert case.find().state is FlowState.FAILED
    assert case.find().why == "step cheap failed"


def test_a_workflow_keeps_the_steps_it_was_started_with(small: SmallMaker) -> None:
    case = small("steps: [{do: free, after_minutes: 60}]")
    case.start()
    case.driver.run_now()
    case.keeps = False
    case.spec = read_spec("steps: [{do: cheap}]")

    case.driver.run_to_end(until=NOON + LONG)

    assert case.world.done == {"case/c1/free"}


def test_a_kind_that_nobody_knows_holds_up_no_other(small: SmallMaker) -> None:
    case = small("steps: [{do: free}]")
    with case.store.transaction() as session:
        session.flows.start("other/o1", kind="other", subject="o", given_json="{}", at=NOON)
        session.flows.begin("other/o1", spec_json="{}", at=NOON)
        session.flows.sleep("other/o1", turn=1, until=NOON, topics=["news"])
        session.flows.signal("other/o1", topic="news", at=NOON, key="k")
    case.start()

    case.driver.run_until(NOON + timedelta(minutes=1))

    assert case.find().state is FlowState.ENDED
    assert case.find("other/o1").turn == 1


def test_asking_twice_starts_one(small: SmallMaker) -> None:
    case = small("steps: [{do: free}]")
    run(case)
    with case.store.transaction() as session:
        assert not session.flows.start(
            "case/c1", kind="case", subject="c1", given_json="{}", at=case.clock.now
        )
    case.driver.run_now()

    assert case.world.calls == {"case/c1/free": 1}
