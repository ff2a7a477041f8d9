"""The rehearsal: policies side by side in a closed loop against the known truth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.cli.data import require_file_place
from serving.cli.output import JsonOption, progress, say
from serving.cli.rehearse_playbooks import (
    PAST_DAYS,
    PLACES,
    WEEKS,
    AskedPlaybooks,
    rehearse_in_worlds,
)
from serving.cli.rows import show_rows
from serving.rehearsal.measures import group_worlds, make_rows
from serving.rehearsal.policies import Cadence, PolicyName
from serving.rehearsal.report import describe_models, list_missing, make_page
from serving.rehearsal.run import RehearsalPlan, run_rehearsal
from serving.rehearsal.worlds import Foreign, Simulated, WorldSource
from serving.settings import read_settings

_CUSTOMERS = 20_000
_SEEDS = (0, 1, 2, 3, 4)
_DAYS = 60
_LAST_DAYS = 20
_RETRAIN_DAYS = 30
_SCORE_DAYS = 7
_DECIDE_HOURS = 3
_PAST_DAYS = 180


def rehearse(
    world: Annotated[
        str | None,
        typer.Option(help="path/to/file.py:ClassName of another world; ours when not given."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Of our world; may be repeated, all of them when not given."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days in the loop; 60 when not given.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=1, help="Last days, which the ratios are about; 20 when not given."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Of a world; may be repeated, 0 to 4 when not given."),
    ] = None,
    customers: Annotated[
        int | None, typer.Option(min=50, help="Of our world; 20,000 when not given.")
    ] = None,
    history: Annotated[
        int | None,
        typer.Option(
            min=10,
            help="Days before the loop, of ours; 180 when not given, 300 with --playbooks.",
        ),
    ] = None,
    policies: Annotated[
        list[PolicyName] | None,
        typer.Option(help="Which; may be repeated, all of them when not given."),
    ] = None,
    retrain_days: Annotated[
        int | None,
        typer.Option(min=1, help="Days after which models are made anew; 30 when not given."),
    ] = None,
    score_days: Annotated[
        int | None,
        typer.Option(min=1, help="Days after which everybody's churn is scored; 7 when not given."),
    ] = None,
    decide_hours: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=24,
            help="Hours between decisions about service, 3 when not given; 24: mornings.",
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder in which trained models are kept for the next rehearsal."
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="At once.")] = 2,
    playbooks: Annotated[
        bool,
        typer.Option(
            "--playbooks",
            help="Rehearse churn playbooks instead of messages: who gets a case, and what for.",
        ),
    ] = False,
    places: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Of --playbooks: cases open at once at most; {PLACES} when not given."
        ),
    ] = None,
    weeks: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Of --playbooks: weeks in which cases are opened; {WEEKS} when not given."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="HTML page with plots to write.", callback=require_file_place),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let policies act side by side, each in its own copy of a world whose truth is known."""
    if playbooks:
        if world is not None:
            raise BadInputError("--playbooks is for our own world, not for --world")
        of_messages = {
            "--policies": policies,
            "--models": models,
            "--last": last,
            "--days": days,
            "--retrain-days": retrain_days,
            "--score-days": score_days,
            "--decide-hours": decide_hours,
        }
        _refuse(of_messages, why="not for --playbooks")
        rehearse_in_worlds(
            AskedPlaybooks(
                scenarios=tuple(dict.fromkeys(scenario or ("calm",))),
                seeds=tuple(seed or _SEEDS),
                n_customers=customers or _CUSTOMERS,
                history_days=history or PAST_DAYS,
                n_places=places or PLACES,
                n_weeks=weeks or WEEKS,
                n_processes=processes,
            ),
            out=out,
            as_json=as_json,
        )
        return
    _refuse({"--places": places, "--weeks": weeks}, why="only for --playbooks")
    n_days, hours = days or _DAYS, decide_hours or _DECIDE_HOURS
    if last is not None and last > n_days:
        raise BadInputError(f"--last {last}: expected at most the {n_days} days of --days")
    if 24 % hours:
        raise BadInputError(f"--decide-hours {hours}: expected a divisor of 24")
    plan = RehearsalPlan(
        source=_find_source(world, scenario, customers=customers, history=history),
        seeds=tuple(dict.fromkeys(seed or _SEEDS)),
        n_days=n_days,
        last_days=min(_LAST_DAYS, n_days) if last is None else last,
        policies=tuple(dict.fromkeys(policies or PolicyName)),
        cadence=Cadence(retrain_days or _RETRAIN_DAYS, score_days or _SCORE_DAYS, hours),
        settings=read_settings(),
        models=models,
        n_processes=processes,
    )
    found = []
    with progress("rehearsing"):
        for one in run_rehearsal(plan):
            say(f"{one.case} {one.seed} {one.policy}: {one.seconds:.0f} s")
            found.append(one)
    grouped = group_worlds(found, last_days=plan.last_days)
    rows = [row for worlds in grouped for row in make_rows(worlds)]
    for worlds in grouped:
        if list_missing(worlds):
            say(f"{worlds.case}: {describe_models(worlds)}")
    if out is not None:
        make_page(grouped, rows, history_days=None if world else history or _PAST_DAYS).write(out)
        say(f"report: {out}")
    show_rows("rehearse", rows, as_json=as_json)


def _refuse(given: Mapping[str, object], *, why: str) -> None:
    """BadInputError names those of these options that were given."""
    named = [name for name, value in given.items() if value]
    if named:
        raise BadInputError(f"{', '.join(named)}: {why}")


def _find_source(
    world: str | None,
    scenario: list[str] | None,
    *,
    customers: int | None,
    history: int | None,
) -> WorldSource:
    if world is None:
        names = tuple(dict.fromkeys(scenario or ()))
        return Simulated(customers or _CUSTOMERS, history or _PAST_DAYS, names)
    of_ours = {"--scenario": scenario, "--customers": customers, "--history": history}
    _refuse(of_ours, why="for our own world, not for --world")
    return Foreign.at(world)
