"""The command that judges the risk rules."""

from dataclasses import dataclass

import typer

from features.churn.risk import TierSource
from features.errors import NotReadyError
from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.models import CapacityOption
from serving.cli.output import Json, JsonOption, progress, show, show_json
from serving.cli.seeds import SeedOption
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.runtime import read_risk_rules
from serving.settings import read_settings
from training.datasets.provenance import NotEnoughData
from training.evaluation.capacity import DEFAULT, Capacity
from training.models.risk import describe_risk, measure_risk
from training.registry.entries import Alias, ModelName, ModelVersion
from training.registry.tracking import Tracking
from training.risk import Verdict, judge_later


def risk(
    data: DataOption,
    as_of: AsOfOption = None,
    capacity: CapacityOption = str(DEFAULT),
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Judge the risk rules that are configured, on days the churn model has not seen.

    The model is the one that is served; before there is one, the one that was trained last. The
    exit status is 1 where the days speak against the score that the tier comes from.
    """
    tables, moment = read_as_of(data, as_of)
    settings = read_settings()
    claim_home(settings.home, tables)
    rules = read_risk_rules(settings.risk)
    model = _find_model(Tracking.in_folder(settings.registry))
    with progress("judging the risk rules"):
        judged = judge_later(
            rules,
            model.version,
            tables,
            known_until=moment,
            seed=seed,
            capacity=Capacity.parse(capacity),
        )
    if isinstance(judged, NotEnoughData):
        if as_json:
            show_json({"judged": False, "model": model.describe(), "reason": judged.reason})
        else:
            show(f"not judged with {model}: {judged.reason}")
        raise typer.Exit(EXIT_REFUSED)
    if as_json:
        show_json(
            {
                "judged": True,
                "model": model.describe(),
                "verdict": judged.verdict.name.lower(),
                "tier_from": rules.tier_from.value,
                "favours": judged.favours.value,
                "words": describe_risk(judged),
                "metrics": measure_risk(judged),
            }
        )
    else:
        show(f"Judged with {model}.")
        show(describe_risk(judged))
        show(f"The tier comes from {rules.tier_from}.")
    if _speaks_against(rules.tier_from, judged.verdict):
        raise typer.Exit(EXIT_REFUSED)


def _speaks_against(tier_from: TierSource, verdict: Verdict) -> bool:
    if tier_from is TierSource.RISK_SCORE:
        return verdict in (Verdict.HARM, Verdict.MIXED)
    return verdict is Verdict.HELP


@dataclass(frozen=True)
class _JudgingModel:
    """The model whose probabilities the rules multiply, and whether it is served."""

    version: ModelVersion
    is_served: bool

    def __str__(self) -> str:
        words = "the served one" if self.is_served else "not served: a challenger"
        return f"{self.version.name} version {self.version.version} ({words})"

    def describe(self) -> Json:
        """For a program."""
        name, version = self.version.name.value, self.version.version
        return {"name": name, "version": version, "served": self.is_served}


def _find_model(tracking: Tracking) -> _JudgingModel:
    """The champion, or the challenger where there is none yet."""
    for alias in (Alias.CHAMPION, Alias.CHALLENGER):
        found = tracking.find(ModelName.CHURN, alias=alias)
        if isinstance(found, ModelVersion):
            return _JudgingModel(found, alias is Alias.CHAMPION)
    raise NotReadyError("no churn model yet: train churn")
