"""Commands about models: train, promote."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from features.tables import Tables
from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.settings import read_settings
from training.datasets.provenance import NotEnoughData
from training.gate import Hold, Promote
from training.promote import promote as promote_through_gate
from training.registry.entries import ModelName
from training.registry.tracking import Tracking
from training.train import TrainedModel, Trainings, train_model

SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")]


class Trainable(StrEnum):
    """What can be trained and promoted, by the names of the command line."""

    CHURN = "churn"
    CHANNEL = "channel"
    SEND_TIME = "send-time"
    DELIVERY = "delivery"
    ALL = "all"

    def names(self) -> tuple[ModelName, ...]:
        """The models that are meant."""
        return tuple(_BY_WORD.values()) if self is Trainable.ALL else (_BY_WORD[self],)


_BY_WORD = {
    Trainable.CHURN: ModelName.CHURN,
    Trainable.CHANNEL: ModelName.CHANNEL,
    Trainable.SEND_TIME: ModelName.SEND_TIME,
    Trainable.DELIVERY: ModelName.LATENESS,
}


def train(
    data: DataOption,
    what: Annotated[Trainable, typer.Argument(help="Which model.")] = Trainable.ALL,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit models, judge them on later days, log them to MLflow and register them."""
    tables, moment = read_as_of(data, as_of)
    tracking = _open_registry(tables)
    trained: dict[ModelName, TrainedModel | NotEnoughData] = {}
    for name in what.names():
        with progress(f"training {name}"):
            trained[name] = train_model(
                name, tables, known_until=moment, tracking=tracking, seed=seed
            )
    if as_json:
        show_json({name.value: _describe_training(found) for name, found in trained.items()})
    else:
        show_trainings(trained)
        say(f"look at the runs with: mlflow ui --backend-store-uri {tracking.uri}")
        say(f"next: opportune promote {what} --data {data}")
    if all(isinstance(found, NotEnoughData) for found in trained.values()):
        raise typer.Exit(EXIT_REFUSED)


def promote(
    name: Annotated[Trainable, typer.Argument(help="Which model.")],
    data: DataOption,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """The gate: judge the challenger on later days, and promote it or say why not."""
    tables, moment = read_as_of(data, as_of)
    tracking = _open_registry(tables)
    answers: list[Promote | Hold] = []
    for model in name.names():
        with progress(f"judging {model}"):
            answers.append(
                promote_through_gate(
                    model, tables, known_until=moment, tracking=tracking, seed=seed
                )
            )
    if as_json:
        show_json({answer.name.value: _describe_answer(answer) for answer in answers})
    else:
        show_answers(answers)
    if any(isinstance(answer, Hold) for answer in answers):
        raise typer.Exit(EXIT_REFUSED)


def _open_registry(tables: Tables) -> Tracking:
    settings = read_settings()
    claim_home(settings.home, tables)
    return Tracking.in_folder(settings.registry)


def show_trainings(trained: Trainings) -> None:
    """Each model with its main figures on later days, or why there is none."""
    for name, found in trained.items():
        if isinstance(found, NotEnoughData):
            show(f"{name}: not trained, {found.reason}")
            continue
        show(f"{name} version {found.version.version}")
        for note in found.notes.values():
            show(f"  note: {note}")
        rows = [(metric, _write(value)) for metric, value in _main_metrics(found.metrics).items()]
        show_table(("  on later days", ""), [(f"  {metric}", cell) for metric, cell in rows])


def show_answers(answers: Sequence[Promote | Hold]) -> None:
    """What the gate said about each model, in words."""
    for answer in answers:
        if isinstance(answer, Promote):
            show(f"{answer.name}: version {answer.version} promoted")
        else:
            version = f"version {answer.version} " if answer.version else ""
            show(f"{answer.name}: {version}held")
            for reason in answer.reasons:
                show(f"  because {reason}")


def _write(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4f}"


def _main_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Without ends of intervals and figures by channel, which the registry and --json have."""
    return {
        name: value
        for name, value in metrics.items()
        if not name.endswith(("_low", "_high")) and name.count(".") < 2
    }


def _describe_training(found: TrainedModel | NotEnoughData) -> Json:
    if isinstance(found, NotEnoughData):
        return {"trained": False, "reason": found.reason}
    return {
        "trained": True,
        "version": found.version.version,
        "metrics": dict(found.metrics),
        "notes": dict(found.notes),
    }


def _describe_answer(answer: Promote | Hold) -> Json:
    if isinstance(answer, Promote):
        return {"promoted": True, "version": answer.version}
    return {"promoted": False, "version": answer.version, "reasons": list(answer.reasons)}
