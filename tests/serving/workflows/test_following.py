"""Requests that follow from others, rows that follow from deeds, and what cannot be written."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from serving.corridor.actions import ActionRequest, ActionState
from serving.store.flows import FlowState
from serving.store.store import StoreSession
from serving.workflows.actions import (
    Acted,
    Action,
    End,
    Failed,
    How,
    Outcome,
    Plan,
    Planned,
    Turn,
)
from serving.workflows.catalogue import Catalogue, Workflow
from serving.workflows.virtual import VirtualDriver
from tests.serving.workflows.conftest import SmallMaker
from tests.serving.workflows.small import LONG, NOON, Case, Small

# ruff: noqa: ARG002  # actions are given more than they need


@dataclass
class Vendors(Action[Case]):
    """Asks one vendor, and the next one where that says no."""

    refusals: set[str] = field(default_factory=set)
    costs: int = 500
    recorded: list[str] = field(default_factory=list)
    n_faults: int = 0
    ends: dict[str, How] = field(default_factory=dict)

    def plan(self, session: StoreSession, *, context: Case, turn: Turn, now: datetime) -> Planned:
        return Plan((self._ask(turn, "v1"),), words="the best first")

    def act(self, request: ActionRequest, *, context: Case, now: datetime) -> Outcome:
        assert request.vendor is not None
        if request.vendor in self.refusals:
            return Failed("they said no")
        return Acted(self.costs, "booked")

    def record(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        acted: Acted,
        context: Case,
        now: datetime,
    ) -> None:
        if self.n_faults > 0:
            self.n_faults -= 1
            raise RuntimeError
        self.recorded.append(request.action_id)

    def follow(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        end: End,
        context: Case,
        turn: Turn,
        now: datetime,
    ) -> tuple[ActionRequest, ...]:
        self.ends[request.action_id] = end.how
        if end.how is How.DONE or request.vendor == "v3":
            return ()
        return (self._ask(turn, f"v{int((request.vendor or 'v0')[1:]) + 1}"),)

    def describe(self, request: ActionRequest, *, context: Case) -> str:
        raise RuntimeError("no words")

    def _ask(self, turn: Turn, vendor: str) -> ActionRequest:
        return ActionRequest(
            turn.name_action(vendor), "cheap", turn.workflow_id, 500, "KZT", True, vendor=vendor
        )


def run(small: Small, vendors: Vendors) -> None:
    workflow = Workflow(
        "case", lambda _: small.spec, {"ask": vendors}, {}, lambda flow: Case(flow, small.world)
    )
    driver = VirtualDriver(Catalogue([workflow]), small.parts, clock=small.clock, keeps=small.keeps)
    small.start()
    driver.run_to_end(until=NOON + LONG)


def states_of(small: Small) -> dict[str, ActionState]:
    with small.store.reading() as session:
        assert session.holds.find_faults() == []
        held = session.holds.find_of("case/c1")
    return {one.request.action_id.removeprefix("case/c1/ask/"): one.state for one in held}


def test_the_next_one_is_asked_where_the_first_says_no(small: SmallMaker) -> None:
    case, vendors = small("steps: [{do: ask}]"), Vendors({"v1"})

    run(case, vendors)

    assert states_of(case) == {"v1": ActionState.RELEASED, "v2": ActionState.SETTLED}
    assert vendors.ends == {"case/c1/ask/v1": How.FAILED, "case/c1/ask/v2": How.DONE}
    assert vendors.recorded == ["case/c1/ask/v2"]
    assert "step ask: plans 1: cheap (the best first)" in case.read_log()


def test_a_step_failed_where_all_of_them_did(small: SmallMaker) -> None:
    case, vendors = small("steps: [{do: ask, on_failed: end}]"), Vendors({"v1", "v2", "v3"})

    run(case, vendors)

    assert set(states_of(case).values()) == {ActionState.RELEASED}
    assert case.find().state is FlowState.FAILED


def test_a_row_that_cannot_be_written_is_tried_again(small: SmallMaker) -> None:
    case, vendors = small("steps: [{do: ask}]"), Vendors(n_faults=3)

    run(case, vendors)

    assert vendors.recorded == ["case/c1/ask/v1"]
    assert states_of(case) == {"v1": ActionState.SETTLED}


def test_a_row_that_can_never_be_written_is_told_and_the_cost_is_booked(small: SmallMaker) -> None:
    case, vendors = small("steps: [{do: ask, deadline_minutes: 60}]"), Vendors(n_faults=1_000)

    run(case, vendors)

    assert states_of(case) == {"v1": ActionState.SETTLED}
    assert vendors.recorded == []
    with case.store.reading() as session:
        (notice,) = session.notices.find_of("case/c1")
    # The words of the action fail, too: then the corridor's own tell of it.
    assert notice.key == "case/c1/ask/v1/record"
    assert notice.subject == "cheap (v1, 5.00 KZT): please have a look"


def test_what_cost_more_than_was_held_is_booked_at_that_and_told(small: SmallMaker) -> None:
    case, vendors = small("steps: [{do: ask}]"), Vendors(costs=900)

    run(case, vendors)

    with case.store.reading() as session:
        held = session.holds.find("case/c1/ask/v1")
        assert held is not None
        assert held.settled_cents == 500
        assert [notice.key for notice in session.notices.find_of("case/c1")] == [
            "case/c1/ask/v1/cost"
        ]


def test_a_cost_that_cannot_be_booked_at_all_is_told(small: SmallMaker) -> None:
    case = small("steps: [{do: ask}]")

    class Freed(Vendors):
        def act(self, request: ActionRequest, *, context: Case, now: datetime) -> Outcome:
            with case.store.transaction() as session:
                by = "workflow/case"
                case.desk.release(session, request.action_id, by=by, now=now, why="a test")
            return Acted(500, "booked")

    run(case, Freed())

    assert states_of(case) == {"v1": ActionState.RELEASED}
    with case.store.reading() as session:
        (notice,) = session.notices.find_of("case/c1")
    assert "nor could those be spent: it is released, not claimed" in notice.body


def test_looks_at_the_exits_do_not_pile_up_behind_a_signal(small: SmallMaker) -> None:
    case = small("""
    steps: [{do: dear, deadline_minutes: 6000}]
    exits: [left]
    wakes: [changed]
    look_every_minutes: 5
    """)
    case.start()
    driver = case.driver
    driver.run_until(NOON + timedelta(minutes=58))
    turns = case.find().turn
    assert turns >= 11
    with case.store.transaction() as session:
        session.flows.signal("case/c1", topic="changed", at=case.clock.now, key="k")

    driver.run_now()

    assert case.find().turn == turns + 1
    assert case.find().due_at == NOON + timedelta(minutes=63)
