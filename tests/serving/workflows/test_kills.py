"""SIGKILL at every point between two writes, on the driver that acts."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.audit.chain import verify_chain
from serving.corridor.actions import ActionState
from serving.store.flows import FlowState
from tests.serving.workflows.kills import POINTS, Zygote, read_end

SCENE = "tests.serving.workflows.scene"
TAKES_ALL = os.environ.get("KILL_POINTS") == "all"
# How a step begins and ends is written by the same lines for each: `note` and `cheap` die there.
ALIKE = ("exits/0", "asked", "begin/0", "plan/0/0", "act/0/asked", "act/0/ended", "end")
SPARED = [
    f"{step}/{what}: kept"
    for step in ("asked/0", "vetoed/0", "flaky/0", "flaky/1", "never/0")
    for what in ALIKE
]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scene ran without a crash."""
    folder = tmp_path_factory.mktemp("whole")
    zygote.run_whole(SCENE, folder)
    return folder


def test_a_kill_at_every_point_leaves_what_no_kill_leaves(
    zygote: Zygote, whole: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    spared = [] if TAKES_ALL else SPARED
    (killed / POINTS).write_text("".join(f"{point}\n" for point in spared), encoding="utf-8")

    points = zygote.run_killed(SCENE, killed)

    died = points[len(spared) :]
    assert len(died) > 70
    assert len(set(points)) == len(points)
    end = read_end(killed)
    # The same rows, moments and hashes: nothing was done twice, and nothing left out.
    assert end == read_end(whole)
    assert verify_chain(end.log).fault is None
    assert end.ledger_faults == ()
    (flow,) = end.flows
    assert (flow.state, flow.why) == (FlowState.ENDED, "left")
    states = {held.request.action_id: held.state for held in end.actions}
    assert states["case/c1/asked"] is ActionState.SETTLED
    assert states["case/c1/vetoed"] is ActionState.VETOED
    assert states["case/c1/never"] is ActionState.RELEASED
    # Outside of the store a kill may lie between the deed and its record: then the same key comes
    # again, as often as it was killed there and just before.
    calls, once = (
        Counter((folder / "world" / "calls").read_text(encoding="utf-8").splitlines())
        for folder in (killed, whole)
    )
    assert calls.keys() == once.keys()
    assert max(once.values()) == 1
    assert max(calls.values()) <= 3


def test_a_lost_database_of_dbos_loses_nothing(zygote: Zygote, whole: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    for _ in range(12):  # killed a dozen times, and its database goes with it each time
        assert not zygote.live(SCENE, killed, is_killed=True)
        for file in killed.glob("workflows.db*"):
            file.unlink()

    zygote.run_whole(SCENE, killed)

    assert read_end(killed) == read_end(whole)
