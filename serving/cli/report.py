"""Reports for people: `opportune report model`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.sources import Location, locate
from serving.cli.data import AsOfOption, read_as_of, require_file_place
from serving.cli.output import JsonOption, progress, say, show, show_json
from serving.cli.seeds import SeedOption
from serving.home import claim_home
from serving.settings import read_settings
from training.monitoring.freshness import check_freshness
from training.monitoring.monitor import ModelHealth, monitor_models
from training.monitoring.status import Status
from training.registry.entries import ModelName
from training.registry.tracking import Tracking
from training.reports.model_report import make_report, read_reported

report = typer.Typer(no_args_is_help=True, help="Reports for people, as HTML pages.")


@report.callback()
def _keep_names() -> None:
    """A group of commands, even while it has one."""


@report.command()
def model(
    out: Annotated[
        Path, typer.Option("--out", help="HTML file to write.", callback=require_file_place)
    ],
    data: Annotated[
        Location | None,
        typer.Option(
            "--data",
            parser=locate,
            metavar="PLACE",
            help="Tables; with them the report says how the served models do today.",
        ),
    ] = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What each model knows, how well, for whom, and how it does as of a day."""
    settings = read_settings()
    health: dict[ModelName, ModelHealth] = {}
    tracking, warning = Tracking.in_folder(settings.registry), ""
    if data is not None:
        tables, moment = read_as_of(data, as_of)
        claim_home(settings.home, tables)
        if as_of is None:
            warning = _warn_of_age(moment)
        with progress("looking at every champion"):
            found = monitor_models(tables, as_of=moment, tracking=tracking, seed=seed)
        health = {name: one for name, one in found.items() if isinstance(one, ModelHealth)}
    with progress("writing the report"):
        models = read_reported(tracking, health=health)
        page = make_report(models, made_on=f"{datetime.now(UTC):%d %B %Y}", warning=warning)
        page.write(out)
    if as_json:
        show_json({"out": str(out), "models": [one.name.value for one in models]})
    else:
        show(str(out))
        if data is None:
            say("with --data PLACE it also says how the served models do")


def _warn_of_age(moment: datetime) -> str:
    """That the tables' last day is long past, where it is; empty where it is not."""
    fresh = check_freshness(moment, now=datetime.now(UTC))
    if fresh.status is Status.OK:
        return ""
    return f"{fresh.findings[0].words}. {fresh.meaning[0].upper()}{fresh.meaning[1:]}."
