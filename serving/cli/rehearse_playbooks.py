"""`opportune rehearse --playbooks`: who gets a case, and what that was truly worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from serving.cli.output import progress, say
from serving.cli.rows import show_rows
from serving.rehearsal.playbooks.figures import group_runs, make_rows
from serving.rehearsal.playbooks.loop import PlaybookRun, Span
from serving.rehearsal.playbooks.report import make_playbook_rehearsal
from serving.rehearsal.playbooks.run import NothingLearned, PlaybookPlan, run_playbooks
from serving.settings import read_settings

PLACES: Final = 30
WEEKS: Final = 3
PAST_DAYS: Final = 300
"""The first half makes a churn model, the second holds the pilot that contact is learned from."""

_HORIZON_DAYS: Final = 35
_BOOTSTRAP_SEED: Final = 0


@dataclass(frozen=True)
class AskedPlaybooks:
    """What was asked for.

    Attributes:
        scenarios: Of our world.
        seeds: Of the worlds.
        n_customers: Of each.
        history_days: Before the start.
        n_places: Cases that may be open at once.
        n_weeks: In which cases are opened.
        n_processes: Worlds at once.
    """

    scenarios: tuple[str, ...]
    seeds: tuple[int, ...]
    n_customers: int
    history_days: int
    n_places: int
    n_weeks: int
    n_processes: int


def rehearse_in_worlds(asked: AskedPlaybooks, *, out: Path | None, as_json: bool) -> None:
    """Rehearse, show the figures, and write the page where one is wanted."""
    plan = PlaybookPlan(
        seeds=asked.seeds,
        n_customers=asked.n_customers,
        history_days=asked.history_days,
        n_places=asked.n_places,
        span=Span(asked.n_weeks, _HORIZON_DAYS),
        scenarios=asked.scenarios,
        settings=read_settings(),
        n_processes=asked.n_processes,
    )
    found: list[PlaybookRun] = []
    silent: list[NothingLearned] = []
    with progress("rehearsing"):
        for one in run_playbooks(plan):
            if isinstance(one, NothingLearned):
                silent.append(one)
                say(f"{one.case} {one.seed}: not rehearsed, {one.reason}")
                continue
            found.append(one)
            say(f"{one.case} {one.seed} {one.policy}: {one.seconds:.0f} s")
    grouped = group_runs(found)
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    rows = [row for worlds in grouped for row in make_rows(worlds, rng=rng)]
    if out is not None:
        make_playbook_rehearsal(grouped, rows, silent=silent).write(out)
        say(f"report: {out}")
    show_rows("rehearse playbooks", rows, as_json=as_json)
