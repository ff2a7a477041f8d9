"""A delivering process that is killed at any step loses no message and writes none twice."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from serving.delivery.queue import DRY_RUN
from serving.store.claims import OutboxState
from serving.store.store import Store
from tests.serving.delivery.world import HOUR, NOON, Receiver, make_deliverer, plan

pytestmark = pytest.mark.e2e

N_MESSAGES = 2
STEPS = ("enqueue", "claim", "before", "after", "end")

# The process imports once; each child is killed at the nth time that it comes to a step.
NURSERY = """
import os, signal, sys
from pathlib import Path

from serving.store.outbox import OutboxDesk
from serving.store.store import Store
from serving.delivery.files import FolderTransport
from serving.copy.settings import CopySettings
from tests.serving.delivery.world import HOUR, NOON, make_deliverer

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def deliver(home, step, nth):
    left = [nth]
    def count():
        left[0] -= 1
        if not left[0]:
            die()
    real = FolderTransport(home / "out", sender="a@b.example", copy=CopySettings())
    class Killed:
        def hand_over(self, parcel, moment):
            if step == "before":
                count()
            receipt = real.hand_over(parcel, moment)
            if step == "after":
                count()
            return receipt
    if step in ("enqueue", "claim", "end"):
        whole = getattr(OutboxDesk, step)
        def cut(self, *a, **k):
            done = whole(self, *a, **k)
            count()  # written, not committed
            return done
        setattr(OutboxDesk, step, cut)
    store = Store(home / "store.db")
    make_deliverer(store, Killed()).look(lambda: NOON + HOUR)

for line in sys.stdin:
    home, step, nth = line.rsplit(maxsplit=2)
    child = os.fork()
    if child == 0:
        deliver(Path(home), step, int(nth))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)
"""


def test_a_killed_delivery_is_finished_by_the_next(tmp_path: Path) -> None:
    homes = []
    for step in STEPS:
        for nth in range(1, 2 if step == "enqueue" else N_MESSAGES + 1):
            home = tmp_path / f"{step}{nth}"
            store = Store(home / "store.db")
            for number in range(N_MESSAGES):
                plan(store, number, at=NOON + number * timedelta(seconds=1))
            store.close()
            homes.append((home, step, nth))
    asked = "".join(f"{home} {step} {nth}\n" for home, step, nth in homes)
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", NURSERY],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert killed.stdout.split() == [str(int(signal.SIGKILL))] * len(homes), killed.stderr

    for home, step, nth in homes:
        store = Store(home / "store.db")
        receiver = Receiver()
        deliverer = make_deliverer(store, receiver)
        deliverer.look(lambda: NOON + 2 * HOUR)
        with store.reading() as session:
            counts = session.outbox.count(lane=DRY_RUN)
        store.close()
        assert counts == {OutboxState.HANDED_OVER: N_MESSAGES}, (step, nth)
        # Handed over again under their keys: what was in the middle, and nothing that was settled.
        n_files = len(list((home / "out").glob("*.eml")))
        n_settled = N_MESSAGES - len(receiver.takes)
        n_in_the_middle = int(step in ("after", "end"))
        assert n_files == n_settled + n_in_the_middle, (step, nth)
        assert set(receiver.takes.values()) == {1}, (step, nth)
