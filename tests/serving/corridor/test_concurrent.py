"""Many at once on real databases: one actor per action, no limit passed, one chain."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from serving.audit.chain import verify_chain
from serving.corridor.actions import ActionState, Claimed, Done, Wait
from serving.corridor.desk import CorridorDesk
from serving.store.store import Store
from tests.serving.corridor.small import CHEAP, NOW, make_corridor

N_ACTIONS, N_WORKERS = 40, 6
LATER = NOW + timedelta(minutes=11)


def open_desk(home: Path) -> CorridorDesk:
    many = {"cents": 10**6, "actions": 10**6}
    limited = {"cents": 50 * 12, "actions": 10**6}  # twelve of forty fit
    kinds = make_corridor().model_dump()["kinds"]
    kinds["cheap"]["per_day"] = many
    corridor = make_corridor(
        per_day=limited, per_vendor=many, per_subject=many, total=many, kinds=kinds
    )
    return CorridorDesk(corridor, home=home)


def test_threads_hold_no_more_than_fits_and_each_action_has_one_actor(
    store: Store, home: Path
) -> None:
    desk = open_desk(home)
    requests = [replace(CHEAP, action_id=f"a{n}") for n in range(N_ACTIONS)]

    def work(worker: int) -> tuple[set[str], set[str], set[str]]:
        order = np.random.default_rng(worker).permutation(N_ACTIONS)
        held, vetoed, claimed = set(), set(), set()
        for n in order:
            with store.transaction() as session:
                if isinstance(desk.propose(session, requests[n], now=NOW), Wait):
                    held.add(f"a{n}")
        for n in order[: N_ACTIONS // 4] if worker == 0 else order:
            key = f"a{n}"
            with store.transaction() as session:
                if worker == 0:
                    done = desk.veto(session, key, by="Dana", role="owner", now=LATER)
                    vetoed |= {key} if isinstance(done, Done) else set()
                else:
                    got = desk.claim(
                        session, key, actor=f"w{worker}", now=NOW + timedelta(minutes=11)
                    )
                    claimed |= {key} if isinstance(got, Claimed) and not got.is_again else set()
        return held, vetoed, claimed

    with ThreadPoolExecutor(N_WORKERS) as pool:
        parts = list(pool.map(work, range(N_WORKERS)))

    claimed = [key for _, _, part in parts for key in part]
    vetoed = parts[0][1]
    with store.reading() as session:
        assert session.holds.find_faults() == []
        assert verify_chain(session.audit.read()).fault is None
        kept = {one.request.action_id: one.state for one in session.holds.find_of("incident/i1")}
    assert len(claimed) == len(set(claimed)) > 0
    assert not vetoed & set(claimed)
    assert {key for key, state in kept.items() if state is ActionState.CLAIMED} == set(claimed)
    assert {key for key, state in kept.items() if state is ActionState.VETOED} == vetoed
    taken = [key for key, state in kept.items() if state is not ActionState.VETOED]
    assert 1 <= len(taken) <= 12


def _claim_all(place: Path, home: Path, actor: str) -> list[str]:
    store, desk = Store(place), open_desk(home)
    got = []
    for n in range(12):
        with store.transaction() as session:
            answer = desk.claim(session, f"a{n}", actor=actor, now=LATER)
        got += [f"a{n}"] if isinstance(answer, Claimed) else []
    store.close()
    return got


def test_processes_share_actions_without_doing_one_twice(tmp_path: Path, home: Path) -> None:
    place, desk = tmp_path / "store.db", open_desk(home)
    store = Store(place)
    for n in range(12):
        with store.transaction() as session:
            desk.propose(session, replace(CHEAP, action_id=f"a{n}"), now=NOW)

    with get_context("spawn").Pool(2) as pool:
        got = pool.starmap(_claim_all, [(place, home, "w1"), (place, home, "w2")])

    assert sorted(got[0] + got[1]) == sorted(f"a{n}" for n in range(12))
    with store.reading() as session:
        assert verify_chain(session.audit.read()).fault is None
    store.close()
