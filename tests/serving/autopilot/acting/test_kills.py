"""SIGKILL at points between two writes of an incident, on the driver that acts.

The suite dies wherever an action was done and nobody has kept that: it is then done again. Other
points are the interpreter's, whose own tests die there; KILL_POINTS=all takes all of them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.audit.chain import verify_chain
from serving.corridor.actions import ActionState
from serving.store.amends import IssuedCredit, VendorAsk
from serving.store.bursts import BurstRow
from serving.store.flows import FlowState
from serving.store.incidents import Incident
from serving.store.letters import Letter
from serving.store.store import Store
from serving.workflows.virtual import VirtualClock, VirtualDriver
from tests.serving.autopilot.acting.chain import CUSTOMERS, START
from tests.serving.autopilot.acting.kill_scene import INCIDENT, WORKFLOW, open_scene
from tests.serving.workflows.kills import NOT_KEPT, POINTS, Zygote, read_end

AGAIN = "done, not kept"
SAME = "watch/"  # the same actions as those of `respond`
TAKES_ALL = os.environ.get("KILL_POINTS") == "all"
SCENE = "tests.serving.autopilot.acting.kill_scene"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as opened:
        yield opened


@dataclass(frozen=True)
class Done:
    """What was done in the world, beside flows, actions, log and notices."""

    letters: list[Letter]
    messages: list[str]
    credits: list[IssuedCredit]
    asks: list[VendorAsk]
    pauses: list[Incident]
    burst: BurstRow | None


def read_done(folder: Path) -> Done:
    store = Store(folder / "store.db")
    with store.reading() as session:
        done = Done(
            letters=session.letters.find_of(WORKFLOW),
            messages=sorted(
                f"{message.message_id} {message.content.body}"
                for lot in session.read_decisions()
                for decision in lot
                for message in decision.messages
            ),
            credits=session.amends.find_credits(WORKFLOW),
            asks=session.amends.find_asks(WORKFLOW),
            pauses=session.incidents.find_all(),
            burst=session.bursts.find(INCIDENT),
        )
    store.close()
    return done


def spare_points(folder: Path) -> list[str]:
    """Points at which nothing of ours is done again, by a run of the same in this process."""
    folder.mkdir()
    clock = VirtualClock(START)
    scene = open_scene(folder, clock)
    points: dict[str, None] = {}
    driver = VirtualDriver(
        scene.catalogue,
        scene.parts,
        clock=clock,
        keeps=False,
        reach=lambda point: points.update({point: None}),
    )
    with scene.parts.store.transaction() as session:
        scene.begin(session, scene.start)
    for after, act in sorted(scene.script.items(), key=lambda one: one[0]):
        driver.run_until(scene.start + after)
        with scene.parts.store.transaction() as session:
            act(session, clock.now)
    driver.run_to_end(until=scene.start + scene.until)
    scene.parts.store.close()
    spared = [
        point
        for point in points
        if not point.endswith(NOT_KEPT) and (not point.endswith(AGAIN) or point.startswith(SAME))
    ]
    wakings = [f"{WORKFLOW}@{n}: {what}" for n in range(100) for what in ("begins", "over")]
    return [*spared, *wakings]


def test_a_kill_of_an_incident_leaves_what_no_kill_leaves(zygote: Zygote, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    zygote.run_whole(SCENE, whole)
    end, done = read_end(whole), read_done(whole)
    states = {
        held.request.action_id.removeprefix(f"{WORKFLOW}/"): held.state for held in end.actions
    }
    assert states == {
        "pause": ActionState.SETTLED,
        "respond/ask-cool-air": ActionState.RELEASED,
        "respond/ask-klima": ActionState.SETTLED,
        "respond/book-klima": ActionState.SETTLED,
        "respond/checking": ActionState.SETTLED,
        "watch/checking": ActionState.SETTLED,
        "watch/pause": ActionState.SETTLED,
        "watch/0.1/cause": ActionState.VETOED,
        f"amends/credit-{CUSTOMERS[0]}": ActionState.SETTLED,
        "amends/over": ActionState.SETTLED,
    }
    assert {(one.customer_id, one.stage) for one in done.letters if one.reason == "sent"} >= {
        (customer_id, "checking") for customer_id in CUSTOMERS[:3]
    }
    assert len(done.credits) == 1

    spared = [] if TAKES_ALL else spare_points(tmp_path / "counted")
    (killed / POINTS).write_text("".join(f"{point}\n" for point in spared), encoding="utf-8")

    points = zygote.run_killed(SCENE, killed)

    died = set(points) - set(spared)
    assert sum(point.endswith(AGAIN) for point in died) >= 10
    # The same rows, moments and hashes: nothing was done twice, and nothing left out.
    assert read_end(killed) == end
    assert read_done(killed) == done
    assert verify_chain(end.log).fault is None
    assert end.ledger_faults == ()
    assert [flow.state for flow in end.flows] == [FlowState.ENDED]
