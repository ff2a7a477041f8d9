"""Random runs of corridor and ledger. All 10,000: `CORRIDOR_RUNS=10000 pytest` on this file."""

import os
from collections import Counter
from pathlib import Path

from serving.corridor.actions import ActionState, Rule
from serving.store.store import Store
from tests.serving.corridor.runs import run_once

N_RUNS = int(os.environ.get("CORRIDOR_RUNS", "150"))
N_STEPS = 30


def test_no_random_run_breaks_a_limit_acts_after_a_veto_or_lets_a_fault_pass(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    store = Store("sqlite://")
    seen: Counter[str] = Counter()
    for seed in range(N_RUNS):
        try:
            seen += run_once(store, home, seed=seed, n_steps=N_STEPS)
        except AssertionError as fault:
            raise AssertionError(f"run of seed {seed}") from fault
    store.close()

    # Every way to end and every rule was met: the runs are about something.
    assert {*ActionState} <= {*seen}
    rules = {*Rule} - {Rule.UNKNOWN}
    assert rules <= {*seen}, rules - {*seen}
    assert seen["crash"] > N_RUNS / 10
