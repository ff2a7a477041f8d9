"""Random steps, words, switches, faults and crashes: it always ends, and nothing is done twice.

The suite tries 40 workflows; as many as you like: `FLOW_RUNS=2000 pytest` on this file.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.audit.chain import verify_chain
from serving.corridor.actions import ActionState
from serving.store.flows import FlowState
from serving.store.store import Store
from serving.workflows.catalogue import Catalogue
from serving.workflows.spec import WorkflowSpec
from serving.workflows.virtual import VirtualDriver
from serving.workflows.words import approve_action, veto_action
from tests.serving.workflows.small import (
    ACTIONS,
    KINDS,
    NOON,
    Small,
    World,
    make_corridor,
    make_workflow,
)

N_RUNS = int(os.environ.get("FLOW_RUNS", "40"))
UNTIL = NOON + timedelta(days=90)
_OPEN = (ActionState.WAITING, ActionState.CLAIMED)


class Crash(BaseException):
    """The process ends here."""


@dataclass
class CrashAt:
    """Ends the process at some of the points it comes by."""

    points: list[int]
    n: int = 0

    def __call__(self, point: str) -> None:
        self.n += 1
        if self.n in self.points:
            raise Crash(point)


@dataclass(frozen=True)
class Happening:
    """Something that is said or thrown while a workflow runs."""

    after_minutes: int
    what: str
    action: int


STEPS = st.fixed_dictionaries(
    {
        "do": st.sampled_from([*ACTIONS]),
        "after_minutes": st.sampled_from([0, 0, 7, 90]),
        "when": st.sampled_from([None, None, "holds"]),
        "deadline_minutes": st.sampled_from([20, 200]),
        "on_denied": st.sampled_from(["skip", "escalate", "end"]),
        "on_failed": st.sampled_from(["skip", "end"]),
        "repeat": st.sampled_from([None, None, {"every_minutes": 30, "times": 2}]),
        "undo_on_exit": st.booleans(),
    }
)
HAPPENINGS = st.lists(
    st.builds(
        Happening,
        st.integers(0, 300),
        st.sampled_from(["approve", "veto", "exit", "stop", "go on", "small", "well", "reply"]),
        st.integers(0, 5),
    ),
    max_size=8,
)


def make_spec(steps: list[dict[str, object]]) -> WorkflowSpec:
    named = []
    for n, step in enumerate(steps):
        undo = {"undo": step["do"]} if step["undo_on_exit"] and step["do"] in KINDS else {}
        undo = undo or {"no_undo": "none", "undo_on_exit": False}
        named.append({**step, "name": f"s{n}", **undo})
    return WorkflowSpec.model_validate(
        {
            "name": "random",
            "version": 1,
            "steps": named,
            "exits": ["left"],
            "wakes": ["changed"],
            "closing": [
                {"name": "c", "do": "note", "deadline_minutes": 5, "no_undo": "a note stays"}
            ],
        }
    )


def happen(small: Small, happening: Happening) -> None:
    now = small.clock.now
    with small.store.transaction() as session:
        found = [held.request.action_id for held in session.holds.find_of("case/c1")]
        action_id = found[happening.action % len(found)] if found else "none"
        match happening.what:
            case "approve":
                approve_action(
                    session, action_id, desk=small.desk, by="Dana", role="owner", now=now
                )
            case "veto":
                veto_action(session, action_id, desk=small.desk, by="Dana", role="any", now=now)
            case "exit":
                small.world.exits = True
                session.flows.signal("case/c1", topic="changed", at=now, key=str(happening))
            case "stop" | "go on":
                is_stopped = happening.what == "stop"
                session.switches.throw(branch=None, is_stopped=is_stopped, by="Dana", at=now)
            case "small":
                small.corridor = make_corridor(per_subject={"cents": 900, "actions": 2})
            case "well":
                small.world.holds = True
            case "reply":
                topic = f"reply/{action_id}"
                session.flows.signal(
                    "case/c1", topic=topic, at=now, key=topic, body_json='{"yes": true}'
                )


def live(small: Small, until: datetime, crash: CrashAt) -> None:
    """Run until a moment; after a crash another process goes on."""
    while True:
        driver = VirtualDriver(
            Catalogue([make_workflow(small.spec, small.world)]),
            small.parts,
            clock=small.clock,
            keeps=small.keeps,
            reach=crash,
        )
        try:
            driver.run_until(until)
        except Crash:
            continue
        return


@settings(max_examples=N_RUNS)
@given(
    steps=st.lists(STEPS, min_size=1, max_size=4),
    happenings=HAPPENINGS,
    faults=st.dictionaries(st.sampled_from(["s0", "s1"]), st.integers(1, 9), max_size=2),
    replies=st.sets(st.sampled_from(["s0", "s2"])),
    refusals=st.sets(st.sampled_from(["s1", "s3"])),
    holds=st.booleans(),
    keeps=st.booleans(),
    crashes=st.lists(st.integers(1, 200), max_size=6),
)
def test_any_workflow_ends_with_books_that_add_up_and_nothing_done_twice(
    new_store: Path,
    steps: list[dict[str, object]],
    happenings: list[Happening],
    faults: dict[str, int],
    replies: set[str],
    refusals: set[str],
    *,
    holds: bool,
    keeps: bool,
    crashes: list[int],
) -> None:
    world = World(faults=faults, replies=replies, refusals=refusals, holds=holds)
    with TemporaryDirectory() as folder:
        shutil.copy(new_store, Path(folder) / "store.db")
        store = Store(Path(folder) / "store.db")
        small = Small(store, Path(folder), make_spec(steps), world, keeps=keeps)
        small.start()
        crash = CrashAt(crashes)
        for happening in sorted(happenings, key=lambda h: h.after_minutes):
            live(small, NOON + timedelta(minutes=happening.after_minutes), crash)
            happen(small, happening)
        live(small, UNTIL, crash)
        check(small)
        store.close()


def check(small: Small) -> None:
    with small.store.reading() as session:
        (flow,) = session.flows.list()
        assert flow.state in (FlowState.ENDED, FlowState.FAILED)
        assert session.holds.find_faults() == []
        held = session.holds.find_of("case/c1")
        assert not [one for one in held if one.state in _OPEN]
        assert verify_chain(session.audit.read()).fault is None
        vetoed = {one.request.action_id for one in held if one.state is ActionState.VETOED}
        settled = {one.request.action_id for one in held if one.state is ActionState.SETTLED}
    # What was vetoed was never begun, and what stands as done outside was settled inside.
    assert not vetoed & small.world.calls.keys()
    assert small.world.done <= settled
    undone = small.world.undone.keys()
    assert settled <= small.world.done | undone
