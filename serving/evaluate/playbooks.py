"""The page about playbooks: what they achieved beyond the holdout, by arm and by cohort."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure as Drawing

from serving.playbooks.measures import (
    CaseOutcomes,
    Comparison,
    Figure,
    Measure,
    NotEnoughCases,
    list_words,
)
from training.reports.page import Grid, Page, Picture, Section

_HEADER: Final = ("measure", "value", "95 % interval", "the others")
_COLOUR: Final = "#0b6e6e"

Found = Sequence[Comparison | NotEnoughCases]

WORDS: Final = {
    Measure.SAVE_RATE: "save rate: retained / intervened",
    Measure.NAIVE_ROI: "ROI as if nobody stayed by themselves",
    Measure.SAVED: "saved: save rate less the others'",
    Measure.CHURN_REDUCTION: "churn reduction",
    Measure.REVENUE_PROTECTED: "revenue protected, 12 x MRR",
    Measure.COST: "cost beyond the others'",
    Measure.NET: "revenue protected less cost",
    Measure.ROI: "ROI",
    Measure.LIFETIME_GAINED: "lifetime gained within the horizon",
    Measure.RECOVERED: "recovered, share beyond the others'",
    Measure.DAYS_TO_RECOVERY: "days to recovery beyond the others'",
}
"""As people say it."""


def make_playbook_page(found: Found, outcomes: CaseOutcomes) -> Page:
    """The report.

    Args:
        found: By `measure_playbooks`.
        outcomes: The cases that it is about.
    """
    overall = [one for one in found if not one.by]
    told = [one for one in overall if isinstance(one, Comparison)]
    lead = list_words(overall[:1])[0] if overall else "There is no case yet."
    cohorts = [one for one in found if one.by]
    sections = [
        Section(
            "What to know first",
            (_say_what_counts(outcomes),),
            points=list_words(found),
            pictures=(_picture(told, "The share of customers who stay, less that of the others."),)
            if told
            else (),
        ),
        *(_section(one) for one in told),
    ]
    if cohorts:
        sections.append(_cohort_section(cohorts))
    return Page(
        title="Opportune: churn playbooks",
        lead=lead,
        sections=tuple(sections),
        footer=(
            "Made by `opportune playbooks report`. Intervals are 95 %, percentiles of a bootstrap "
            "over customers. Offers count at their face cost, people's time by kind of task."
        ),
    )


def _say_what_counts(outcomes: CaseOutcomes) -> str:
    return (
        f"{len(outcomes):,} cases whose {outcomes.horizon_days} days are over. Customers recover "
        "by themselves, so the share that stayed says nothing without the share that stayed in "
        "the holdout, where nothing was done."
    )


def name_comparison(one: Comparison | NotEnoughCases) -> str:
    """Which arms, or which cohort."""
    if one.by:
        by = "reason" if one.by == "factor" else one.by
        return f"{by} {one.cohort}".replace("_", " ")
    return f"{' + '.join(one.ours)} against {one.theirs}"


def write_value(figure: Figure) -> str:
    """The value with its unit; `none` where there is none."""
    if not np.isfinite(figure.value):
        return "none"
    unit = "" if figure.unit == "1" else f" {figure.unit}"
    return f"{figure.value:,.4g}{unit}"


def _section(one: Comparison) -> Section:
    return Section(
        name_comparison(one),
        (f"{one.n:,} cases beside {one.n_theirs:,}.",),
        grids=(Grid(_HEADER, [_cells(figure) for figure in one.figures]),),
    )


def _cells(figure: Figure) -> tuple[str, ...]:
    known = np.isfinite(figure.low) and np.isfinite(figure.high)
    theirs = figure.theirs
    return (
        WORDS[figure.measure],
        write_value(figure),
        f"{figure.low:,.4g} to {figure.high:,.4g}" if known else "",
        "" if theirs is None or not np.isfinite(theirs) else f"{theirs:,.4g}",
    )


def _cohort_section(cohorts: Found) -> Section:
    told = [one for one in cohorts if isinstance(one, Comparison)]
    silent = [one for one in cohorts if isinstance(one, NotEnoughCases)]
    header = ("cohort", "cases", "holdout", "saved", "95 % interval", "net cents a case")
    rows = [
        (
            name_comparison(one),
            f"{one.n:,}",
            f"{one.n_theirs:,}",
            f"{one.find(Measure.SAVED).value:+.3f}",
            f"{one.find(Measure.SAVED).low:+.3f} to {one.find(Measure.SAVED).high:+.3f}",
            f"{one.find(Measure.NET).value:+,.0f}",
        )
        for one in told
    ]
    words = ["Cohorts by the month of opening, the tier and the strongest reason."]
    if silent:
        names = ", ".join(name_comparison(one) for one in silent)
        words.append(f"Too few cases to tell: {names}.")
    return Section(
        "Cohorts",
        words,
        grids=(Grid(header, rows),) if rows else (),
        pictures=(
            _picture(told, "The share of customers who stay, less that of the holdout, by cohort."),
        )
        if told
        else (),
    )


def _picture(told: Sequence[Comparison], caption: str) -> Picture:
    """Points with intervals, one for each comparison."""
    drawing = Drawing(figsize=(8.0, 1.2 + 0.38 * len(told)), layout="constrained")
    axes = drawing.subplots()
    figures = [one.find(Measure.SAVED) for one in told]
    at = np.arange(len(told))[::-1]
    value = np.array([figure.value for figure in figures])
    low = np.array([figure.low for figure in figures])
    high = np.array([figure.high for figure in figures])
    reach = np.vstack([np.maximum(value - low, 0.0), np.maximum(high - value, 0.0)])
    axes.errorbar(value, at, xerr=reach, fmt="o", color=_COLOUR, capsize=3)
    axes.axvline(0.0, color="0.6", linewidth=0.8)
    axes.set_yticks(at, [name_comparison(one) for one in told])
    axes.set_ylim(-0.7, len(told) - 0.3)
    axes.set_xlabel("share of customers saved")
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(drawing, caption)
