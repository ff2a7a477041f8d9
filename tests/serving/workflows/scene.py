"""A workflow that meets everything: for the tests that kill it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from serving.corridor.desk import CorridorDesk
from serving.store.store import Store, StoreSession
from serving.workflows.catalogue import Catalogue
from serving.workflows.parts import ActingParts
from serving.workflows.words import approve_action, veto_action
from tests.serving.workflows.kills import Scene
from tests.serving.workflows.small import (
    NOON,
    FileWorld,
    make_corridor,
    make_workflow,
    no_engine,
    read_spec,
)

SPEC = """
steps:
  - {do: note}
  - {do: cheap, undo: cheap, undo_on_exit: true, when: holds}
  - {name: asked, do: dear, undo: dear, after_minutes: 30}
  - {name: vetoed, do: dear}
  - {name: flaky, do: free, repeat: {every_minutes: 60, times: 2}}
  - {name: never, do: grave}
closing: [{name: report, do: note}]
exits: [left]
wakes: [changed]
"""


def open_scene(folder: Path, clock: Callable[[], datetime]) -> Scene:
    store = Store(folder / "store.db")
    world = FileWorld(folder / "world", faults={"flaky": 43}, replies={"asked"})
    desk = CorridorDesk(make_corridor(), home=folder)
    parts = ActingParts(store, lambda: desk, no_engine, clock)

    def begin(session: StoreSession, now: datetime) -> None:
        session.flows.start("case/c1", kind="case", subject="c1", given_json="{}", at=now)

    def approve(session: StoreSession, now: datetime) -> None:
        approve_action(session, "case/c1/asked", desk=desk, by="Dana", role="owner", now=now)

    def reply(session: StoreSession, now: datetime) -> None:
        topic = "reply/case/c1/asked"
        session.flows.signal("case/c1", topic=topic, at=now, key="reply", body_json='{"yes": true}')

    def veto(session: StoreSession, now: datetime) -> None:
        veto_action(session, "case/c1/vetoed", desk=desk, by="Dana", role="owner", now=now)

    def leave(session: StoreSession, now: datetime) -> None:
        world.leave()
        session.flows.signal("case/c1", topic="changed", at=now, key="changed")

    script = {37: approve, 40: reply, 43: veto, 130: leave}
    return Scene(
        Catalogue([make_workflow(read_spec(SPEC), world)]),
        parts,
        NOON,
        begin,
        {timedelta(minutes=minutes): act for minutes, act in script.items()},
    )
