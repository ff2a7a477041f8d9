"""The driver that acts: what it wakes, what it starts again, and that there is one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from features.errors import ConflictError
from serving.corridor.stop_files import put_stop_file
from serving.store.acting_lock import hold_acting_lock
from serving.store.flows import FlowRow, FlowState
from serving.store.store import Store
from serving.workflows.catalogue import Catalogue, Workflow
from serving.workflows.dbos_driver import DbosDriver
from serving.workflows.switches import SwitchWatch
from tests.conftest import NewDatabase
from tests.serving.workflows.small import NOON, Case, Small, make_workflow, read_spec

_MOST_SECONDS = 30.0


@contextmanager
def acting(small: Small, *, workflow: Workflow[Case] | None = None) -> Iterator[DbosDriver]:
    catalogue = Catalogue([workflow or make_workflow(small.spec, small.world)])
    with DbosDriver(catalogue, small.parts, small.home / "workflows.db") as driver:
        yield driver


def look_until(driver: DbosDriver, holds: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + _MOST_SECONDS
    while not holds():
        assert time.monotonic() < ends_at
        driver.look()
        time.sleep(0.01)


@pytest.fixture
def small(store: Store, tmp_path: Path) -> Small:
    return Small(store, tmp_path, read_spec("steps: [{do: free, after_minutes: 30}]"))


def test_many_workflows_sleep_as_rows_and_are_woken_when_due(small: Small) -> None:
    ids = [f"case/c{n}" for n in range(20)]
    for workflow_id in ids:
        small.start(workflow_id)
    with acting(small) as driver:
        look_until(driver, lambda: all(small.find(i).turn == 1 for i in ids))
        look_until(driver, lambda: driver.n_awake == 0)
        assert driver.look() == 0
        small.clock.now = NOON + timedelta(minutes=31)
        look_until(driver, lambda: all(small.find(i).state is FlowState.ENDED for i in ids))

    assert small.world.calls == {f"{i}/free": 1 for i in ids}


def test_a_wake_up_that_failed_is_started_again(small: Small) -> None:
    faults = iter([ValueError("the context cannot be made")])
    good = make_workflow(small.spec, small.world)

    def make_context(flow: FlowRow) -> Case:
        for fault in faults:
            raise fault
        return Case(flow, small.world)

    small.start()
    broken = Workflow(good.kind, good.choose_spec, good.actions, good.conditions, make_context)
    with acting(small, workflow=broken) as driver:
        look_until(driver, lambda: small.find().turn == 1 and driver.n_awake == 0)
        assert small.find().due_at == NOON + timedelta(minutes=2)
        small.clock.now = NOON + timedelta(minutes=3)
        look_until(driver, lambda: small.find().turn == 2)

    assert small.find().due_at == NOON + timedelta(minutes=30)
    assert [w for w in small.read_log() if "cannot go on" in w] == [
        "cannot go on, and is tried again: ValueError"
    ]
    with small.store.reading() as session:
        (notice,) = session.notices.find_of("case/c1")
        assert "cannot be made" not in notice.body


def test_a_workflow_of_a_kind_that_nobody_knows_is_left_alone(small: Small) -> None:
    with small.store.transaction() as session:
        session.flows.start("other/o1", kind="other", subject="o", given_json="{}", at=NOON)
    with acting(small) as driver:
        assert driver.look() == 0

    assert small.find("other/o1").state is FlowState.ASKED


def test_a_lifted_switch_wakes_what_waits_for_it(small: Small) -> None:
    small.spec = read_spec("steps: [{do: free}]")
    small.start()
    with small.store.transaction() as session:
        session.switches.throw(branch="abay", is_stopped=True, by="Dana", at=NOON)
    watch = SwitchWatch(small.store, small.home)
    assert watch.look(NOON) == 0
    with acting(small) as driver:
        look_until(driver, lambda: "resumed" in small.find().topics)
        assert watch.look(NOON) == 0
        with small.store.transaction() as session:
            session.switches.throw(branch="abay", is_stopped=False, by="Dana", at=NOON)
        assert watch.look(NOON) == 1
        look_until(driver, lambda: small.find().state is FlowState.ENDED)

    assert small.world.done == {"case/c1/free"}


def test_a_home_that_can_be_looked_at_again_wakes_like_a_lifted_switch(small: Small) -> None:
    small.spec = read_spec("steps: [{do: free}]")
    put_stop_file(small.home, branch="abay", note="a test")
    small.start()
    small.driver.run_now()
    assert "resumed" in small.find().topics
    watch = SwitchWatch(small.store, small.home / "gone")
    assert watch.look(NOON) == 0

    (small.home / "gone").mkdir()

    assert watch.look(NOON) == 1


def test_a_second_process_may_not_act_on_a_file(tmp_path: Path) -> None:
    with hold_acting_lock(tmp_path / "store.db") as lock:
        lock.require()
        with (
            pytest.raises(ConflictError, match="another process acts"),
            hold_acting_lock(f"sqlite:///{tmp_path / 'store.db'}"),
        ):
            pass
    with hold_acting_lock(tmp_path / "store.db"):
        pass


def test_a_second_process_may_not_act_on_postgres(new_postgres_database: NewDatabase) -> None:
    url = new_postgres_database()
    with hold_acting_lock(url) as lock:
        lock.require()
        with pytest.raises(ConflictError, match="another process acts"), hold_acting_lock(url):
            pass
    with hold_acting_lock(url):
        pass


def test_workflows_run_on_postgres(new_postgres_database: NewDatabase, tmp_path: Path) -> None:
    url = new_postgres_database()
    store = Store(url)
    case = Small(store, tmp_path, read_spec("steps: [{do: free}, {do: cheap}]"))
    case.start()
    catalogue = Catalogue([make_workflow(case.spec, case.world)])
    with DbosDriver(catalogue, case.parts, url) as driver:
        look_until(driver, lambda: case.find().turn == 1)
        case.clock.now = NOON + timedelta(minutes=6)
        look_until(driver, lambda: case.find().state is FlowState.ENDED)
    store.close()

    assert case.world.done == {"case/c1/free", "case/c1/cheap"}
