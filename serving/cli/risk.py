"""The command that judges the risk rules."""

import typer

from features.churn.risk import TierSource
from features.errors import NotReadyError
from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.models import CapacityOption, SeedOption
from serving.cli.output import JsonOption, progress, show, show_json
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
    """Judge the risk rules that are configured, on days the served churn model has not seen.

    The exit status is 1 where the days speak against the score that the tier comes from.
    """
    tables, moment = read_as_of(data, as_of)
    settings = read_settings()
    claim_home(settings.home, tables)
    rules = read_risk_rules(settings.risk)
    with progress("judging the risk rules"):
        judged = judge_later(
            rules,
            _find_model(Tracking.in_folder(settings.registry)),
            tables,
            known_until=moment,
            seed=seed,
            capacity=Capacity.parse(capacity),
        )
    if isinstance(judged, NotEnoughData):
        if as_json:
            show_json({"judged": False, "reason": judged.reason})
        else:
            show(f"not judged: {judged.reason}")
        raise typer.Exit(EXIT_REFUSED)
    if as_json:
        show_json(
            {
                "judged": True,
                "verdict": judged.verdict.name.lower(),
                "tier_from": rules.tier_from.value,
                "favours": judged.favours.value,
                "words": describe_risk(judged),
                "metrics": measure_risk(judged),
            }
        )
    else:
        show(describe_risk(judged))
        show(f"The tier comes from {rules.tier_from}.")
    if _speaks_against(rules.tier_from, judged.verdict):
        raise typer.Exit(EXIT_REFUSED)


def _speaks_against(tier_from: TierSource, verdict: Verdict) -> bool:
    if tier_from is TierSource.RISK_SCORE:
        return verdict in (Verdict.HARM, Verdict.MIXED)
    return verdict is Verdict.HELP


def _find_model(tracking: Tracking) -> ModelVersion:
    """The champion, or the challenger where there is none yet."""
    for alias in (Alias.CHAMPION, Alias.CHALLENGER):
        found = tracking.find(ModelName.CHURN, alias=alias)
        if isinstance(found, ModelVersion):
            return found
    raise NotReadyError("no churn model yet: train churn")
