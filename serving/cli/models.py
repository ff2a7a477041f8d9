"""Commands about models: train, promote, rollback."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from features.sources import Location
from features.tables import Tables
from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.evaluate import (
    LogOption,
    PolicyOption,
    TablesOption,
    WindowOption,
    promote_policy,
    rollback_policy,
)
from serving.cli.judgements import show_policy_answer
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.cli.seeds import SeedOption
from serving.cli.signing import sign
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.settings import read_settings
from training.datasets.provenance import NotEnoughData
from training.evaluation.capacity import DEFAULT, Capacity
from training.gate import Hold, Promote, Refused, RolledBack
from training.policy_gate import HoldPolicy
from training.promote import promote as promote_through_gate
from training.promote import roll_back
from training.registry.entries import ModelName
from training.registry.tracking import Tracking
from training.search import SearchBudget
from training.train import TrainedModel, Trainings, train_model
from training.trained_on import TrainedOn

WHICH_MODEL = "Which model; delivery is the one registered as opportune-lateness."
CapacityOption = Annotated[
    str,
    typer.Option(
        "--capacity",
        envvar="OPPORTUNE_CAPACITY",
        help="How many of a list a team can call: 50 customers, or a share such as 10%.",
    ),
]
SearchOption = Annotated[
    int | None,
    typer.Option(
        "--search", min=1, help="Try so many settings of the trees, ten minutes at most (churn)."
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the trail.")]


class Trainable(StrEnum):
    """What can be trained and promoted, by the names of the command line."""

    CHURN = "churn"
    CHANNEL = "channel"
    SEND_TIME = "send-time"
    DELIVERY = "delivery"
    UPLIFT = "uplift"
    ALL = "all"

    def names(self) -> tuple[ModelName, ...]:
        """The models that are meant."""
        return tuple(_BY_WORD.values()) if self is Trainable.ALL else (_BY_WORD[self],)


_BY_WORD = {
    Trainable.CHURN: ModelName.CHURN,
    Trainable.CHANNEL: ModelName.CHANNEL,
    Trainable.SEND_TIME: ModelName.SEND_TIME,
    Trainable.DELIVERY: ModelName.LATENESS,
    Trainable.UPLIFT: ModelName.UPLIFT,
}


def train(
    data: DataOption,
    what: Annotated[Trainable, typer.Argument(help=WHICH_MODEL)] = Trainable.ALL,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    capacity: CapacityOption = str(DEFAULT),
    search: SearchOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit models, judge them on later days, log them to MLflow and register them."""
    calls = Capacity.parse(capacity)
    tables, moment = read_as_of(data, as_of)
    tracking = _open_registry(tables)
    trained_on = TrainedOn.of(tables, known_until=moment)
    trained: dict[ModelName, TrainedModel | NotEnoughData] = {}
    for name in what.names():
        with progress(f"training {name}"):
            trained[name] = train_model(
                name,
                tables,
                known_until=moment,
                tracking=tracking,
                seed=seed,
                capacity=calls,
                trained_on=trained_on,
                budget=None if search is None else SearchBudget(search),
            )
    if as_json:
        show_json({name.value: _describe_training(found) for name, found in trained.items()})
    else:
        show_trainings(trained)
        say(f"look at the runs with: mlflow ui --backend-store-uri {tracking.uri}")
        if not all(isinstance(found, NotEnoughData) for found in trained.values()):
            until = "" if as_of is None else f" --as-of {as_of}"
            say(f"next: opportune promote {what} --data {data}{until}")
    if all(isinstance(found, NotEnoughData) for found in trained.values()):
        raise typer.Exit(EXIT_REFUSED)


class Promotable(StrEnum):
    """What the gate judges: every model, and the policy."""

    CHURN = "churn"
    CHANNEL = "channel"
    SEND_TIME = "send-time"
    DELIVERY = "delivery"
    UPLIFT = "uplift"
    ALL = "all"
    POLICY = "policy"


def promote(
    name: Annotated[
        Promotable, typer.Argument(help=f"{WHICH_MODEL} The policy is judged on a log.")
    ],
    data: TablesOption = None,
    policy: PolicyOption = None,
    log: LogOption = None,
    window_days: WindowOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """The gate: judge the challenger on later days, and promote it or say why not.

    A policy is judged on the log of the running one: --policy, and --log or this home's store.
    """
    if name is Promotable.POLICY:
        if policy is None:
            raise typer.BadParameter("promote policy needs the file that asks: --policy NEW.yaml")
        answer = promote_policy(
            policy,
            log=log,
            data=data,
            window_days=window_days,
            as_of=as_of,
            seed=seed,
            audit=sign(reason),
        )
        show_policy_answer(answer, as_json=as_json)
        if isinstance(answer, HoldPolicy):
            raise typer.Exit(EXIT_REFUSED)
        return
    if data is None:
        raise typer.BadParameter(f"promote {name} needs the tables: --data PLACE")
    _promote_models(Trainable(name.value), data, as_of, seed=seed, reason=reason, as_json=as_json)


class Restorable(StrEnum):
    """What has champions, or versions, that can come back."""

    CHURN = "churn"
    CHANNEL = "channel"
    SEND_TIME = "send-time"
    DELIVERY = "delivery"
    UPLIFT = "uplift"
    RETENTION = "retention"
    ALL = "all"
    POLICY = "policy"

    def names(self) -> tuple[ModelName, ...]:
        """The models that are meant; `all` are those of the tables."""
        if self is Restorable.RETENTION:
            return (ModelName.RETENTION,)
        return Trainable(self.value).names()


def _promote_models(
    name: Trainable, data: Location, as_of: str | None, *, seed: int, reason: str, as_json: bool
) -> None:
    tables, moment = read_as_of(data, as_of)
    tracking = _open_registry(tables)
    audit = sign(reason)
    answers: list[Promote | Hold] = []
    for model in name.names():
        with progress(f"judging {model}"):
            answers.append(
                promote_through_gate(
                    model, tables, known_until=moment, tracking=tracking, seed=seed, audit=audit
                )
            )
    if as_json:
        show_json({answer.name.value: _describe_answer(answer) for answer in answers})
    else:
        show_answers(answers)
    if any(isinstance(answer, Hold) for answer in answers):
        raise typer.Exit(EXIT_REFUSED)


def rollback(
    name: Annotated[
        Restorable,
        typer.Argument(help=f"{WHICH_MODEL} Or the policy, or retention, the judge of cases."),
    ],
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Let the champion or the policy before run again, and keep who asked for it, when and why."""
    audit = sign(reason)
    answers: list[RolledBack | Refused]
    if name is Restorable.POLICY:
        answers = [rollback_policy(audit)]
    else:
        tracking = Tracking.in_folder(read_settings().registry)
        answers = [roll_back(model, tracking=tracking, audit=audit) for model in name.names()]
    if as_json:
        show_json({answer.name: _describe_rollback(answer) for answer in answers})
    else:
        for answer in answers:
            show(_word_rollback(answer))
    if any(isinstance(answer, RolledBack) for answer in answers):
        say("it runs from the next start or publication on: opportune serve --data DIR")
    if any(isinstance(answer, Refused) for answer in answers):
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
        rows = [(f"  {metric}", cell) for metric, cell in _main_metrics(found.metrics).items()]
        show_table(("  on later days", "[95 % interval]"), rows)


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


def _word_rollback(answer: RolledBack | Refused) -> str:
    if isinstance(answer, Refused):
        return f"{answer.name}: not rolled back, {answer.reason}"
    return f"{answer.name}: version {answer.version} again, instead of {answer.instead_of}"


def _main_metrics(metrics: Mapping[str, float]) -> dict[str, str]:
    """Each with its interval; without figures by channel, which the registry and --json have."""
    ends = {f"{name}{end}" for name in metrics for end in ("_low", "_high")}
    return {
        name: _write_metric(name, metrics)
        for name in metrics
        if name not in ends and name.count(".") < 2
    }


def _write_metric(name: str, metrics: Mapping[str, float]) -> str:
    """A figure, and its interval where it has one.

    >>> _write_metric("auc", {"auc": 0.8, "auc_low": 0.75, "auc_high": 0.85})
    '0.8000 [0.7500, 0.8500]'
    >>> _write_metric("capacity.n_called", {"capacity.n_called": 60.4})
    '60.4'
    """
    value = metrics[name]
    if float(value).is_integer():
        return f"{value:,.0f}"
    if name.rpartition(".")[2].startswith("n_"):
        return f"{value:,.1f}"
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    interval = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"
    return f"{value:.4f}{interval}"


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


def _describe_rollback(answer: RolledBack | Refused) -> Json:
    if isinstance(answer, Refused):
        return {"rolled_back": False, "reason": answer.reason}
    return {"rolled_back": True, "version": answer.version, "instead_of": answer.instead_of}
