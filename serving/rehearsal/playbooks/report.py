"""The page of rehearsed playbooks: net value by policy, then the figures."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from serving.rehearsal.playbooks.figures import PlaybookWorlds
from serving.rehearsal.playbooks.policies import PlaybookPolicy
from serving.rehearsal.playbooks.run import NothingLearned
from serving.rehearsal.report import write_cells
from training.benchmarks.rows import BenchRow
from training.reports.page import Grid, Page, Picture, Section

_COLOURS: Final[Mapping[PlaybookPolicy, str]] = MappingProxyType(
    {
        PlaybookPolicy.OURS: "#0b6e6e",
        PlaybookPolicy.SHIPPED: "#5aa5a5",
        PlaybookPolicy.RISKIEST: "#b8742a",
        PlaybookPolicy.RANDOM: "#8a94a3",
        PlaybookPolicy.ORACLE: "#1c2430",
        PlaybookPolicy.NOBODY: "#c9cfd8",
    }
)


def make_playbook_rehearsal(
    cases: Sequence[PlaybookWorlds],
    rows: Sequence[BenchRow],
    *,
    silent: Sequence[NothingLearned] = (),
) -> Page:
    """The report of all cases.

    Args:
        cases: What came of the policies.
        rows: The figures.
        silent: Worlds in which nothing could be learned, and why.
    """
    sections = [_section(worlds, rows) for worlds in cases]
    if silent:
        points = [f"{one.case}, seed {one.seed}: {one.reason}" for one in silent]
        sections.append(Section("Worlds that could not be rehearsed", points=points))
    return Page(
        title="Opportune: playbooks rehearsed",
        lead=(
            "Policies side by side, each in its own copy of the same worlds, which know what every "
            "call, training and offer was truly worth. All have the same room for cases, the same "
            "budget, offers, steps and people."
        ),
        sections=tuple(sections),
        footer=(
            "Made by `opportune rehearse --playbooks`. Intervals are 95 %, Student's t over seeds; "
            "those against the holdout are a bootstrap over customers."
        ),
    )


def _section(worlds: PlaybookWorlds, rows: Sequence[BenchRow]) -> Section:
    seeds = ", ".join(map(str, sorted(worlds.by_seed)))
    sizes = [next(iter(runs.values())).n_customers for runs in worlds.by_seed.values()]
    words = (
        f"Seeds {seeds}; {min(sizes):,} to {max(sizes):,} customers a world at the start. Net "
        "value is the true value of every contact, taken when it was made, less offers and "
        "people's time, by customer of the company. Saved, and net as it happened, are beside the "
        "copy of the world in which nothing is done."
    )
    cells = [write_cells(row) for row in rows if row.case == worlds.case]
    header = ("measure", "value", "95 % interval", "beside", "of")
    return Section(
        worlds.case,
        (words,),
        grids=(Grid(header, cells),),
        pictures=(
            Picture(
                _draw(worlds),
                "True net value of what was done, cents a customer: bars are means over worlds, "
                "points the worlds.",
            ),
        ),
    )


def _draw(worlds: PlaybookWorlds) -> Figure:
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axes = figure.subplots()
    for at, policy in enumerate(worlds.policies):
        runs = [by_policy[policy] for by_policy in worlds.by_seed.values()]
        cents = np.array([run.net_cents / max(run.n_customers, 1) for run in runs])
        axes.bar(at, cents.mean(), color=_COLOURS[policy], width=0.6)
        axes.plot(np.full(len(cents), at), cents, "o", color="0.25", markersize=3)
    axes.axhline(0.0, color="0.4", linewidth=0.8)
    axes.set_xticks(range(len(worlds.policies)), [policy.value for policy in worlds.policies])
    axes.set_ylabel("cents a customer")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
