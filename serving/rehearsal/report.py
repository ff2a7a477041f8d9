"""The page of a rehearsal: each policy's net value day by day, then the figures."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from features.vocabulary import Arm
from serving.policy.cases import Floats
from serving.rehearsal.measures import Worlds
from serving.rehearsal.policies import PolicyName
from training.benchmarks.rows import BenchRow, write_figure
from training.reports.page import Grid, Page, Picture, Section

_COLOURS: Mapping[PolicyName, str] = MappingProxyType(
    {
        PolicyName.LEARNED: "#0b6e6e",
        PolicyName.RULES: "#b8742a",
        PolicyName.RANDOM: "#8a94a3",
        PolicyName.SINGLE_CHANNEL: "#7a5195",
        PolicyName.ORACLE: "#1c2430",
        PolicyName.NOBODY: "#c9cfd8",
    }
)
_SMOOTH_DAYS = 7


def make_page(
    cases: Sequence[Worlds], rows: Sequence[BenchRow], *, history_days: int | None
) -> Page:
    """The report of all cases.

    Args:
        cases: What came of the policies.
        rows: The figures.
        history_days: Days before the loop; None where the world is another's, and decides itself.
    """
    return Page(
        title="Opportune: a rehearsal",
        lead=(
            "Policies side by side, each in its own copy of the same worlds, whose truth is known: "
            "what every message was truly worth when it was decided."
        ),
        sections=tuple(_section(worlds, rows, history_days) for worlds in cases),
        footer=(
            "Made by `opportune rehearse`. Every policy is measured on the same customers, those "
            "of the learned arm. Intervals are 95 %, Student's t over seeds; those of falls of "
            "calls and of the gain of retained customers are over customers, and do not say how "
            "another world would come out."
        ),
    )


def _section(worlds: Worlds, rows: Sequence[BenchRow], history_days: int | None) -> Section:
    words = (
        f"Ratios and counts are about the last "
        f"{worlds.last_days} days, calls against holdout and retained customers about all days. "
        "There is no ratio to a policy that earns nothing, and no fall from no calls."
    )
    cells = [write_cells(row) for row in rows if row.case == worlds.case]
    header = ("measure", "learned policy or as named", "95 % interval", "beside", "of")
    return Section(
        worlds.case,
        (describe_setting(worlds, history_days), describe_models(worlds), words),
        grids=(Grid(header, cells),),
        pictures=(
            Picture(
                _draw(worlds, "value_cents", "cents per customer and day"),
                f"Net value of what was sent, mean of {_SMOOTH_DAYS} days and of the worlds; bands "
                "are the least and the most of the worlds.",
            ),
            Picture(
                _draw(worlds, "messages", "messages per customer and day"),
                "Messages sent: a policy that sees no effect stops.",
            ),
        ),
    )


def describe_setting(worlds: Worlds, history_days: int | None) -> str:
    """Seeds, customers and days, and what one seed cannot say."""
    found = [one for by_policy in worlds.by_seed.values() for one in by_policy.values()]
    sizes = sorted({len(one.customers) for one in found})
    size = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    n_days = found[0].daily.index.get_level_values("day").nunique()
    seeds = sorted(worlds.by_seed)
    history = "a history of its own" if history_days is None else f"{history_days} days of history"
    single = (
        " One seed has no interval over seeds: how another world would come out is not known."
        if len(seeds) == 1
        else ""
    )
    return (
        f"{'Seeds' if len(seeds) > 1 else 'Seed'} {', '.join(map(str, seeds))}; {size} customers "
        f"a world; {history}, then {n_days} days in the loop.{single}"
    )


def list_missing(worlds: Worlds) -> list[str]:
    """The models that policies had to do without at the start, and why, a line for each seed."""
    return [
        f"seed {seed}: {', '.join(f'{name} ({why})' for name, why in sorted(missing.items()))}"
        for seed, by_policy in sorted(worlds.by_seed.items())
        if (missing := next(iter(by_policy.values())).without_models)
    ]


def describe_models(worlds: Worlds) -> str:
    """Which models policies had to do without at the start, by seed, and why."""
    lines = list_missing(worlds)
    if not lines:
        return "At the start every model had passed the gate."
    return (
        f"Models that were not served at the start: {'; '.join(lines)}. Rules stand in where the "
        "learned policy lacks channel or send_time."
    )


def write_cells(row: BenchRow) -> tuple[str, ...]:
    """A figure as cells: measure, value, interval, what stands beside, and whose that is."""
    interval, unit = "", ""
    if math.isfinite(row.ours):
        unit = "" if row.unit == "1" else f" {row.unit}"
        if row.low is not None and row.high is not None:
            interval = f"{write_figure(row.low)} to {write_figure(row.high)}"
    return (
        row.metric.replace("_", " "),
        f"{write_figure(row.ours)}{unit}",
        interval,
        "" if row.reference is None else write_figure(row.reference),
        row.reference_name or "",
    )


def _draw(worlds: Worlds, what: str, label: str) -> Figure:
    """A count by customer and day of every policy, on the customers of the learned arm."""
    figure = Figure(figsize=(8.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for policy in worlds.policies:
        curves = np.stack([_smooth(_curve(worlds, policy, what, seed)) for seed in worlds.by_seed])
        days = np.arange(curves.shape[1]) + 1
        colour = _COLOURS[policy]
        axes.plot(days, curves.mean(axis=0), color=colour, label=policy.replace("_", " "))
        axes.fill_between(days, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15)
    axes.axhline(0.0, color="0.6", linewidth=0.8)
    axes.set(xlabel="day", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _curve(worlds: Worlds, policy: PolicyName, what: str, seed: int) -> Floats:
    daily = worlds.by_seed[seed][policy.value].daily.xs(Arm.LEARNED.value, level="arm")
    customers = np.maximum(daily["customers"].to_numpy(dtype=np.float64), 1.0)
    curve: Floats = daily[what].to_numpy(dtype=np.float64) / customers
    return curve


def _smooth(curve: Floats) -> Floats:
    """Mean of the last days up to each."""
    return pd.Series(curve).rolling(_SMOOTH_DAYS, min_periods=1).mean().to_numpy(dtype=np.float64)
