"""The demonstration command."""

import resource
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from serving.cli.output import JsonOption, Stages, say, show, show_json
from serving.cli.seeds import SeedOption
from serving.demo.page import make_page
from serving.demo.real import RealResult, run_real
from serving.demo.simulated import SimulatedResult, SimulatedSize, run_simulated
from serving.demo.words import describe_decision
from serving.settings import read_settings
from training.datasets.provenance import NotEnoughData
from training.registry.entries import ModelName


def demo(
    customers: Annotated[int, typer.Option(min=200, help="Simulated customers.")] = 5000,
    days: Annotated[int, typer.Option(min=90, help="Simulated days of history.")] = 180,
    loop_days: Annotated[int, typer.Option(min=1, help="Days in the closed loop.")] = 6,
    households: Annotated[
        int | None, typer.Option(min=200, help="Of the real households; all when not given.")
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the whole loop on real and simulated data; ends with a report and a decision.

    Everything goes to the folder `demo` of the home, which is emptied first.
    """
    settings = read_settings()
    home = settings.home / "demo"
    shutil.rmtree(home, ignore_errors=True)
    stages = Stages()
    real_settings = settings.model_copy(update={"home": home / "complete_journey"})
    real = run_real(real_settings, stage=stages.stage, seed=seed, n_households=households)
    world_settings = settings.model_copy(update={"home": home / "world"})
    size = SimulatedSize(customers, days, loop_days)
    simulated = run_simulated(world_settings, size=size, stage=stages.stage, seed=seed)
    report = home / "report.html"
    with stages.stage("report"):
        page = make_page(real, simulated, seconds=stages.seconds, peak_gib=_peak_gib())
        page.write(report)
    if as_json:
        show_json(
            {
                "report": str(report),
                "seconds": dict(stages.seconds),
                "peak_gib": _peak_gib(),
                "cases": len(simulated.log.cases),
                "outcomes": simulated.log.n_outcomes,
            }
        )
        return
    _show_results(real, simulated)
    _show_next_steps(home, stages)


def _show_results(real: RealResult, simulated: SimulatedResult) -> None:
    churn = real.training[ModelName.CHURN]
    if not isinstance(churn, NotEnoughData):
        m = churn.metrics
        show(
            f"\nReal households, later months: churn AUC {m['auc']:.3f} against "
            f"{m['auc_baseline']:.3f} from recency alone; calibration error "
            f"{m['calibration_error']:.3f}."
        )
    show(f"Decisions for them as of {real.as_of:%Y-%m-%d}: {len(real.decisions):,}.")
    show("\nSimulated world, true cents per case by arm with 95 % interval (the world knows):")
    for arm, row in simulated.log.by_arm().iterrows():
        show(
            f"  {arm:<8} {row['mean_cents']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
            f"   {row['n_sent']:,.0f} of {row['n_cases']:,.0f} cases sent"
        )
    if simulated.log.example is not None:
        show("\nOne decision, for a human to read:")
        for line in describe_decision(simulated.log.example):
            show(f"  {line}")


def _show_next_steps(home: Path, stages: Stages) -> None:
    program = Path(sys.argv[0])
    world, real = home / "world", home / "complete_journey"
    show(
        f"\n{sum(stages.seconds.values()):.0f} s, peak {_peak_gib():.2f} GiB. Where it all is:\n"
        f"  report     {home / 'report.html'}\n"
        f"  decisions  {world / 'store.db'} and {real / 'store.db'} (SQLite)\n"
        f"  models     {world / 'mlflow'} and {real / 'mlflow'} (MLflow)\n"
        f"  snapshots  {world / 'snapshots'}\n"
        "\nWhat to do next:\n"
        f"  serve decisions:  OPPORTUNE_HOME={world} {program} serve\n"
        "                    (or make serve; it prints a key and a curl line)\n"
        f"  look at models:   {program.with_name('mlflow')} ui --backend-store-uri "
        f"sqlite:///{world / 'mlflow' / 'mlflow.db'}\n"
        f"  your own tables:  {program} check --data DIR, then train, promote, decide and serve\n"
        "                    with the same --data; docs/tables.md says what they hold"
    )
    say("[green]the demo is done[/green]")


def _peak_gib() -> float:
    """Peak resident memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024  # the BSDs count bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
