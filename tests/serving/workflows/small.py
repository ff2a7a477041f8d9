"""A small workflow, a corridor and a book of what was done, for tests."""

# ruff: noqa: ARG002  # actions are given more than they need

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from serving.corridor.actions import ActionRequest
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.decide import Engine
from serving.store.flows import FlowRow, Signal
from serving.store.store import Store, StoreSession
from serving.workflows.actions import (
    Acted,
    Action,
    Awaiting,
    Failed,
    Later,
    Outcome,
    Plan,
    Planned,
    Skip,
    Turn,
    Written,
)
from serving.workflows.catalogue import Catalogue, Workflow
from serving.workflows.parts import ActingParts
from serving.workflows.spec import WorkflowSpec
from serving.workflows.virtual import VirtualClock, VirtualDriver

NOON = datetime(2026, 6, 10, 7, tzinfo=UTC)  # noon in Almaty
LONG = timedelta(days=60)

KINDS = {
    "free": {"max_cents": 0, "veto_minutes": 0, "on_silence": "go", "reversible": True},
    "cheap": {"max_cents": 1_000, "veto_minutes": 5, "on_silence": "go", "reversible": True},
    "dear": {
        "max_cents": 50_000,
        "veto_minutes": 10,
        "on_silence": "escalate",
        "reversible": False,
    },
    "gift": {"max_cents": 9_000, "veto_minutes": 10, "on_silence": "drop", "reversible": False},
    "grave": {
        "max_cents": 50_000,
        "veto_minutes": 0,
        "on_silence": "escalate",
        "reversible": False,
        "needs_approval": True,
    },
}


def make_corridor(**changes: object) -> Corridor:
    """A corridor whose limits are far away."""
    room = {"cents": 10**8, "actions": 10**4}
    kinds = {
        name: {"per_day": room, "hold_minutes": 60, "approvers": ["owner"], **kind}
        for name, kind in KINDS.items()
    }
    return Corridor.model_validate(
        {
            "name": "small",
            "currency": "KZT",
            "zone": "Asia/Almaty",
            "silent_go_cents": 1_000,
            "approval_minutes": 60,
            "quiet": None,
            "per_day": room,
            "per_vendor": room,
            "per_subject": room,
            "total": room,
            "kinds": kinds,
            **changes,
        }
    )


@dataclass
class World:
    """What the actions did, outside of the store.

    Attributes:
        done: Times each action was done, by its identity: idempotent, so more than 1 counts once.
        calls: Calls of `act`, by identity.
        undone: Calls of `undo`, by identity.
        faults: How often `act` of a step raises before it does anything.
        fault: What it raises then.
        replies: Steps that await an answer.
        unread: How often `confirm` raises before it reads anything.
        read: Keys of the answers that `confirm` was given; None: silence.
        exits: Whether the exit holds.
    """

    done: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    undone: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    fault: type[Exception] = RuntimeError
    replies: set[str] = field(default_factory=set)
    refusals: set[str] = field(default_factory=set)
    unread: int = 0
    read: list[str | None] = field(default_factory=list)
    exits: bool = False
    holds: bool = True

    def do(self, action_id: str) -> None:
        """It is done, under its key."""
        self.done.add(action_id)

    def take_back(self, action_id: str) -> None:
        """It is not done any more."""
        self.undone[action_id] += 1
        self.done.discard(action_id)

    def takes_fault(self, step: str, *, now: datetime) -> bool:
        """Whether trying fails this time."""
        if self.faults.get(step, 0) <= 0:
            return False
        self.faults[step] -= 1
        return True


class FileWorld(World):
    """A world outside of the store that outlives a crash: a receiver who knows its keys."""

    def __init__(self, path: Path, *, faults: dict[str, int], replies: set[str]) -> None:
        super().__init__(faults=faults, replies=replies)
        self._path = path
        path.mkdir(exist_ok=True)
        self.exits = (path / "left").exists()

    def leave(self) -> None:
        (self._path / "left").touch()
        self.exits = True

    def do(self, action_id: str) -> None:
        with (self._path / "calls").open("a", encoding="utf-8") as file:
            file.write(f"do {action_id}\n")

    def take_back(self, action_id: str) -> None:
        with (self._path / "calls").open("a", encoding="utf-8") as file:
            file.write(f"undo {action_id}\n")

    def takes_fault(self, step: str, *, now: datetime) -> bool:
        """A step's tries fail for as many minutes after noon, whatever crashes."""
        return now <= NOON + timedelta(minutes=self.faults.get(step, -1))


@dataclass(frozen=True)
class Case:
    """What actions are given."""

    flow: FlowRow
    world: World


class DoKind(Action[Case]):
    """Does one request of a kind."""

    def __init__(self, kind: str, *, cents: int = 500, n: int = 1, again: int = 0) -> None:
        self.kind, self.cents, self.n, self.again = kind, cents, n, again

    def plan(self, session: StoreSession, *, context: Case, turn: Turn, now: datetime) -> Planned:
        requests = tuple(
            ActionRequest(
                action_id=turn.name_action(part if self.n > 1 else None),
                kind=self.kind,
                subject=turn.workflow_id,
                amount_cents=0 if self.kind == "free" else self.cents,
                currency="KZT",
                is_reversible=self.kind in ("free", "cheap"),
                branch="abay",
            )
            for part in range(self.n)
        )
        return Plan(requests, again=turn.attempt < self.again)

    def act(self, request: ActionRequest, *, context: Case, now: datetime) -> Outcome:
        step = request.action_id.split("/")[2]
        world = context.world
        world.calls[request.action_id] += 1
        if world.takes_fault(step, now=now):
            raise world.fault("secret=1234")
        if step in world.refusals:
            return Failed("they said no")
        if step in world.replies:
            return Awaiting(f"reply/{request.action_id}", now + timedelta(minutes=30))
        world.do(request.action_id)
        return Acted(request.amount_cents, "done")

    def confirm(
        self, signal: Signal | None, *, request: ActionRequest, context: Case, now: datetime
    ) -> Outcome:
        context.world.read.append(None if signal is None else signal.key)
        if context.world.unread > 0:
            context.world.unread -= 1
            raise RuntimeError
        if signal is None or not json.loads(signal.body_json).get("yes"):
            return Failed("no answer" if signal is None else "they said no")
        context.world.do(request.action_id)
        return Acted(request.amount_cents, "they said yes")

    def undo(self, request: ActionRequest, *, context: Case, now: datetime) -> None:
        context.world.take_back(request.action_id)


class Note(Action[Case]):
    """Writes a notice, and asks nobody."""

    def plan(self, session: StoreSession, *, context: Case, turn: Turn, now: datetime) -> Planned:
        return Written("noted")


class Nothing(Action[Case]):
    def plan(self, session: StoreSession, *, context: Case, turn: Turn, now: datetime) -> Planned:
        return Skip("there is nothing to do")


class Watch(Action[Case]):
    """Looks every ten minutes until the world is well."""

    def plan(self, session: StoreSession, *, context: Case, turn: Turn, now: datetime) -> Planned:
        if context.world.holds:
            return Written("it is well")
        return Later(now + timedelta(minutes=10), ("news",), "not well yet")


ACTIONS: dict[str, Action[Case]] = {
    **{kind: DoKind(kind) for kind in KINDS},
    "three": DoKind("cheap", n=3),
    "thrice": DoKind("free", again=2),
    "note": Note(),
    "nothing": Nothing(),
    "watch": Watch(),
}


def make_workflow(spec: WorkflowSpec, world: World) -> Workflow[Case]:
    """A workflow of the kind `case` with these steps."""
    return Workflow(
        kind="case",
        choose_spec=lambda _: spec,
        actions=ACTIONS,
        conditions={
            "left": lambda _, case, __: case.world.exits,
            "holds": lambda _, case, __: case.world.holds,
        },
        make_context=lambda flow: Case(flow, world),
    )


def read_spec(text: str) -> WorkflowSpec:
    """Steps as YAML; every step may leave out what tests do not care for."""
    content = yaml.safe_load(text)
    content = {"name": "small", "version": 1, **content}
    for step in [*content["steps"], *content.get("closing", [])]:
        step.setdefault("name", step["do"])
        step.setdefault("deadline_minutes", 600)
        if "undo" not in step:
            step.setdefault("no_undo", "a test")
    return WorkflowSpec.model_validate(content)


def no_engine() -> Engine:
    raise NotImplementedError


@dataclass
class Small:
    """A workflow on a virtual clock."""

    store: Store
    home: Path
    spec: WorkflowSpec
    world: World = field(default_factory=World)
    corridor: Corridor | BrokenCorridor = field(default_factory=make_corridor)
    keeps: bool = True
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOON))

    @property
    def desk(self) -> CorridorDesk:
        return CorridorDesk(self.corridor, home=self.home)

    @property
    def parts(self) -> ActingParts:
        return ActingParts(self.store, lambda: self.desk, no_engine, self.clock)

    @property
    def driver(self) -> VirtualDriver:
        catalogue = Catalogue([make_workflow(self.spec, self.world)])
        return VirtualDriver(catalogue, self.parts, clock=self.clock, keeps=self.keeps)

    def start(self, workflow_id: str = "case/c1") -> None:
        with self.store.transaction() as session:
            assert session.flows.start(
                workflow_id, kind="case", subject="c1", given_json="{}", at=self.clock.now
            )

    def find(self, workflow_id: str = "case/c1") -> FlowRow:
        with self.store.reading() as session:
            flow = session.flows.find(workflow_id)
        assert flow is not None
        return flow

    def read_log(self) -> list[str]:
        with self.store.reading() as session:
            return [entry.words for entry in session.audit.read()]
