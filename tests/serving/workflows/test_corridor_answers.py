"""What the corridor, humans and others say, and what becomes of a step then."""

from datetime import timedelta

import pytest

from features.errors import ConflictError
from serving.corridor.actions import ActionState
from serving.corridor.settings import BrokenCorridor
from serving.corridor.stop_files import put_stop_file, remove_stop_files
from serving.store.flows import FlowState
from tests.serving.workflows.conftest import SmallMaker
from tests.serving.workflows.handling import approve, list_notices, run, say, state_of, veto
from tests.serving.workflows.small import LONG, NOON, make_corridor

# ------------------------------------------------------------ the corridor's answers


def test_silence_lets_cheap_things_go_and_asks_for_a_word_on_dear_ones(small: SmallMaker) -> None:
    case = small("steps: [{do: cheap}, {do: dear}]")

    run(case)

    assert state_of(case, "cheap") is ActionState.SETTLED
    assert state_of(case, "dear") is ActionState.EXPIRED
    assert list_notices(case) == ["case/c1/dear/asked", "case/c1/dear/asked-again"]


def test_a_yes_acts_at_once(small: SmallMaker) -> None:
    case = small("steps: [{do: dear}]")
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=2))
    assert not case.world.done

    approve(case, "dear")
    driver.run_now()

    assert case.world.done == {"case/c1/dear"}
    assert case.find().ended_at == NOON + timedelta(minutes=2)


def test_a_veto_beats_everything(small: SmallMaker) -> None:
    for step in ("cheap", "dear", "gift", "grave"):
        case = small(f"steps: [{{do: {step}}}]")
        case.start()
        driver = case.driver
        driver.run_until(NOON + timedelta(minutes=2))
        approve(case, step)
        veto(case, step)
        driver.run_to_end(until=NOON + LONG)

        assert not case.world.calls
        assert state_of(case, step) is ActionState.VETOED


def test_silence_drops_what_it_is_to_drop(small: SmallMaker) -> None:
    case = small("steps: [{do: gift}]")

    run(case)

    assert state_of(case, "gift") is ActionState.RELEASED
    assert case.find().ended_at == NOON + timedelta(minutes=10)


def test_what_needs_approval_waits_for_it_and_expires(small: SmallMaker) -> None:
    case = small("steps: [{do: grave}]")
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=30))
    approve(case, "grave")
    driver.run_now()
    assert case.world.done == {"case/c1/grave"}

    case = small("steps: [{do: grave}]")
    run(case)
    assert state_of(case, "grave") is ActionState.EXPIRED
    assert case.find().ended_at == NOON + timedelta(minutes=60)


def test_a_broken_corridor_is_a_no_for_all_but_what_needs_none(small: SmallMaker) -> None:
    case = small("steps: [{do: note}, {do: free}, {do: cheap}]")
    case.corridor = BrokenCorridor("a tab in line 3")

    run(case)

    assert not case.world.calls
    assert "step note: noted" in case.read_log()
    assert sum("by rule policy" in words for words in case.read_log()) == 4  # the desk's, and ours


def test_a_denial_that_escalates_is_asked_again_until_the_owner_mends_it(
    small: SmallMaker,
) -> None:
    case = small("steps: [{do: cheap, on_denied: escalate}]")
    case.corridor = make_corridor(per_day={"cents": 100, "actions": 9})
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=10))
    assert list_notices(case) == ["case/c1/cheap/denied"]
    assert not case.world.done

    case.corridor = make_corridor()
    driver.run_until(NOON + timedelta(minutes=60))

    assert case.world.done == {"case/c1/cheap"}


def test_a_denial_can_end_the_workflow(small: SmallMaker) -> None:
    case = small("""
    steps: [{do: cheap, on_denied: end}, {do: free}]
    closing: [{do: note}]
    """)
    case.corridor = make_corridor(currency="USD")

    run(case)

    assert not case.world.done
    assert "step note: noted" in case.read_log()
    assert "refused by rule currency" in (case.find().why or "")


def test_a_kill_switch_holds_everything_until_it_is_lifted(small: SmallMaker) -> None:
    case = small("steps: [{do: cheap}, {do: note}]")
    case.start()
    put_stop_file(case.home, branch="abay", note="a test")
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=20))
    assert not case.world.done
    assert "resumed" in case.find().topics

    remove_stop_files(case.home, branch="abay")
    say(case, "resumed")
    driver.run_now()
    driver.run_until(NOON + timedelta(minutes=26))

    assert case.world.done == {"case/c1/cheap"}


def test_a_kill_switch_that_stays_is_given_up_at_the_deadline(small: SmallMaker) -> None:
    case = small("steps: [{do: cheap, deadline_minutes: 60}, {do: note}]")
    put_stop_file(case.home, branch=None, note="a test")

    run(case)

    assert not case.world.done
    assert case.find().ended_at == NOON + timedelta(minutes=60)
    assert "step note: noted" in case.read_log()


# ------------------------------------------------------------ failures


def test_what_raises_is_tried_again_and_its_words_are_not_told(small: SmallMaker) -> None:
    case = small("steps: [{do: free}]")
    case.world.faults = {"free": 3}

    run(case)

    assert case.world.done == {"case/c1/free"}
    assert case.world.calls == {"case/c1/free": 4}
    assert case.find().ended_at == NOON + timedelta(seconds=5 + 15 + 45)
    assert not any("secret" in words for words in case.read_log())


@pytest.mark.parametrize("fault", [RuntimeError, ConflictError])
def test_what_raises_until_the_deadline_is_undone_released_and_told(
    small: SmallMaker, fault: type[Exception]
) -> None:
    case = small("""
    steps: [{do: cheap, undo: cheap, deadline_minutes: 30, on_failed: end}, {do: free}]
    closing: [{do: note}]
    """)
    case.world.faults, case.world.fault = {"cheap": 1_000}, fault

    run(case)

    assert case.find().state is FlowState.FAILED
    assert case.world.undone == {"case/c1/cheap": 1}
    assert state_of(case, "cheap") is ActionState.RELEASED
    assert list_notices(case) == ["case/c1/cheap/given-up", "case/c1/failed"]
    assert "case/c1/free" not in case.world.done


def test_a_retry_asks_the_kill_switch_once_more(small: SmallMaker) -> None:
    case = small("steps: [{do: free, deadline_minutes: 60}]")
    case.world.faults = {"free": 1_000}
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(seconds=6))
    n_calls = case.world.calls.total()
    put_stop_file(case.home, branch=None, note="a test")

    driver.run_until(NOON + timedelta(minutes=30))

    assert case.world.calls.total() == n_calls


def test_an_expected_failure_is_released_at_once(small: SmallMaker) -> None:
    case = small("steps: [{do: cheap, on_failed: end}, {do: free}]")
    case.world.refusals = {"cheap"}

    run(case)

    assert case.world.calls == {"case/c1/cheap": 1}
    assert state_of(case, "cheap") is ActionState.RELEASED
    assert case.find().why == "step cheap failed"


# ------------------------------------------------------------ answers from outside


@pytest.mark.parametrize(
    ("answer", "state"),
    [(True, ActionState.SETTLED), (False, ActionState.RELEASED), (None, ActionState.RELEASED)],
)
def test_an_answer_confirms_and_silence_means_what_the_action_says(
    small: SmallMaker, *, answer: bool | None, state: ActionState
) -> None:
    case = small("steps: [{do: free}]")
    case.world.replies = {"free"}
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=3))
    assert state_of(case, "free") is ActionState.CLAIMED
    if answer is not None:
        say(case, "reply/case/c1/free", yes=answer)

    driver.run_to_end(until=NOON + LONG)

    assert state_of(case, "free") is state
    minutes = 30 if answer is None else 3
    assert case.find().ended_at == NOON + timedelta(minutes=minutes)


def test_an_answer_is_heard_while_silence_is_to_be_read_once_more(small: SmallMaker) -> None:
    case = small("steps: [{do: free}]")
    case.world.replies = {"free"}
    case.world.unread = 4
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=30, seconds=30))  # three tries have failed
    assert state_of(case, "free") is ActionState.CLAIMED

    say(case, "reply/case/c1/free", key="yes")
    driver.run_now()  # the fourth, with the answer
    say(case, "reply/case/c1/free", key="no", yes=False)
    driver.run_to_end(until=NOON + LONG)

    assert state_of(case, "free") is ActionState.SETTLED
    assert case.world.read == [None, None, None, "yes", "yes"]


def test_an_exit_is_heard_while_an_answer_is_to_be_read_once_more(small: SmallMaker) -> None:
    case = small("""
    steps: [{do: free, undo: free}]
    exits: [left]
    wakes: [changed]
    """)
    case.world.replies = {"free"}
    case.world.unread = 1_000
    case.start()
    driver = case.driver
    say(case, "reply/case/c1/free")
    driver.run_until(NOON + timedelta(minutes=90))
    case.world.exits = True
    say(case, "changed", key="left")
    driver.run_now()

    assert case.find().ended_at == NOON + timedelta(minutes=90)
    assert case.world.undone == {"case/c1/free": 1}
    assert state_of(case, "free") is ActionState.RELEASED


def test_a_signal_that_nobody_waits_for_yet_is_not_lost(small: SmallMaker) -> None:
    case = small("steps: [{do: free, after_minutes: 60}]")
    case.world.replies = {"free"}
    case.start()
    driver = case.driver
    driver.run_now()
    say(case, "reply/case/c1/free")

    driver.run_until(NOON + timedelta(minutes=61))

    assert state_of(case, "free") is ActionState.SETTLED
