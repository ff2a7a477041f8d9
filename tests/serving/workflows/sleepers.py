"""What sleeping workflows cost: ours as rows, or DBOS's own in `recv`; and how a wake-up grows.

python -m tests.serving.workflows.sleepers rows 10000
python -m tests.serving.workflows.sleepers recv 1000
python -m tests.serving.workflows.sleepers weeks 1000
"""

# ruff: noqa: T201  # a command that prints

import asyncio
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from dbos import DBOS, DBOSConfig, SetWorkflowID

from serving.store.store import Store
from serving.workflows.catalogue import Catalogue
from serving.workflows.dbos_driver import DbosDriver
from tests.serving.workflows.small import NOON, Small, make_workflow, read_spec

CASE = """
steps:
  - {do: free}
  - {name: second, do: free, after_minutes: 4320}
  - {name: watch, do: note, after_minutes: 10080, repeat: {every_minutes: 10080, times: 8}}
exits: [left]
wakes: [changed]
look_every_minutes: 1440
"""
WEEKS = 9
LOOKS = 20
SECONDS = 10


def main() -> None:
    how, n = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        if how == "rows":
            sleep_as_rows(n, Path(folder))
        elif how == "weeks":
            live_for_weeks(n, Path(folder))
        else:
            asyncio.run(sleep_in_recv(n, Path(folder)))
        sys.stdout.flush()
        os._exit(0)  # nobody waits for those that sleep


def sleep_as_rows(n: int, home: Path) -> None:
    steps = read_spec("steps: [{do: note}, {do: free, after_minutes: 10000}]")
    small = Small(Store(home / "store.db"), home, steps)
    with small.store.transaction() as session:
        for i in range(n):
            session.flows.start(f"case/{i}", kind="case", subject="c", given_json="{}", at=NOON)
    before = read_mebibytes()
    with open_driver(small) as driver:
        began, cpu = time.perf_counter(), time.process_time()
        while driver.look() or driver.n_awake:
            time.sleep(0.002)
        spent = (time.process_time() - cpu) / n * 1_000
        print(f"{n:,} begun in {time.perf_counter() - began:.1f} s, {spent:.1f} ms CPU each")
        print(f"memory: {read_mebibytes() - before:.0f} MiB more than before")
        cpu = time.process_time()
        for _ in range(LOOKS):
            driver.look()
        print(f"a look: {(time.process_time() - cpu) / LOOKS * 1_000:.2f} ms CPU")
    began = time.perf_counter()
    with open_driver(small) as driver:
        driver.look()
        print(f"restart: {time.perf_counter() - began:.2f} s")


def live_for_weeks(n: int, home: Path) -> None:
    """Cases like those of a playbook: a look at the exits each day, a check each week."""
    small = Small(Store(home / "store.db"), home, read_spec(CASE), keeps=False)
    for i in range(n):
        small.start(f"case/{i}")
    driver = small.driver
    driver.run_now()
    for week in range(WEEKS - 1):  # in the last one they end
        cpu = time.process_time()
        ends_at = NOON + timedelta(weeks=week + 1) - timedelta(minutes=1)
        woken = driver.run_until(ends_at)
        spent = (time.process_time() - cpu) / woken * 1_000
        with small.store.reading() as session:
            began = time.process_time()
            rows = len(session.flows.read_results("case/0"))
            read = (time.process_time() - began) * 1_000
        words = (
            f"a wake-up {spent:.1f} ms CPU; then {rows} rows in a journal, read in {read:.1f} ms"
        )
        print(f"week {week + 1}: {words}")


def open_driver(small: Small) -> DbosDriver:
    catalogue = Catalogue([make_workflow(small.spec, small.world)])
    return DbosDriver(catalogue, small.parts, small.home / "workflows.db")


async def sleep_in_recv(n: int, home: Path) -> None:
    config = DBOSConfig(
        name="sleepers",
        system_database_url=f"sqlite:///{home / 'dbos.db'}",
        application_version="1",
        log_level="ERROR",
        notification_listener_polling_interval_sec=0.25,
    )
    DBOS(config=config)

    async def sleep(_: int) -> None:
        await DBOS.recv_async("news", timeout_seconds=86_400)

    workflow = DBOS.workflow(name="sleep")(sleep)
    DBOS.launch()
    before, began = read_mebibytes(), time.perf_counter()
    for i in range(n):
        with SetWorkflowID(f"w{i}"):
            await DBOS.start_workflow_async(workflow, i)
    await asyncio.sleep(5)  # the last ones fall asleep
    print(f"{n:,} begun in {time.perf_counter() - began - 5:.1f} s")
    print(f"memory: {read_mebibytes() - before:.0f} MiB more than before")
    cpu = time.process_time()
    await asyncio.sleep(SECONDS)
    print(f"asleep: {(time.process_time() - cpu) / SECONDS:.2f} s CPU a second")


def read_mebibytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
