"""Commands after promotion: monitor, retrain."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.vocabulary import Priority
from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.models import WHICH_MODEL, CapacityOption, Trainable
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.cli.seeds import SeedOption
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.policy.settings import load_policy_settings
from serving.settings import Settings, read_settings
from serving.store.store import Store
from training.evaluation.capacity import DEFAULT, Capacity
from training.monitoring.arms import ARMS, check_arms
from training.monitoring.freshness import check_freshness
from training.monitoring.monitor import ModelHealth, monitor_models
from training.monitoring.status import Check, Finding, Status, cannot_tell
from training.registry.audit import Audit
from training.registry.entries import ModelName, NoVersion
from training.registry.tracking import Tracking
from training.retrain import Retrained, hold_lock, retrain_models

_LOG = "retrain.jsonl"
_N_SHOWN = 5

FreshOption = Annotated[
    float | None,
    typer.Option(
        "--fresh-within",
        envvar="OPPORTUNE_FRESH_WITHIN",
        min=0.0,
        metavar="DAYS",
        help="Alarm where the last row of any table is older by the clock; not with --as-of.",
    ),
]


def monitor(
    data: DataOption,
    as_of: AsOfOption = None,
    fresh_within: FreshOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """How models and arms do: drift, labels, delays, missing data, sample ratio. 1 on an alarm.

    Without --as-of it looks at the tables' last day, and says how far that is from the clock.
    """
    tables, moment = read_as_of(data, as_of)
    fresh = None
    if as_of is None:
        fresh = check_freshness(moment, now=datetime.now(UTC), alarm_days=fresh_within)
    settings = read_settings()
    claim_home(settings.home, tables)
    tracking = Tracking.in_folder(settings.registry)
    with progress("looking at every champion"):
        found = monitor_models(tables, as_of=moment, tracking=tracking, seed=seed)
    arms = _check_arms(settings, until=moment if as_of else datetime.now(UTC))
    if as_json:
        show_json(
            {
                "as_of": moment.isoformat(),
                "data": None if fresh is None else _describe_check(fresh),
                "arms": _describe_check(arms),
                "models": {name.value: _describe(health) for name, health in found.items()},
            }
        )
    else:
        show(f"as of {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
        if fresh is not None:
            _show_check(fresh)
        _show_check(arms)
        show_health(found)
    healths = [health for health in found.values() if isinstance(health, ModelHealth)]
    if not healths:
        say("no model has been promoted: there is nothing to watch")
    statuses = [health.status for health in healths] + ([fresh.status] if fresh else [])
    statuses.append(arms.status)
    if Status.ALARM in statuses:
        raise typer.Exit(EXIT_REFUSED)


def retrain(
    data: DataOption,
    what: Annotated[Trainable, typer.Argument(help=WHICH_MODEL)] = Trainable.ALL,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    capacity: CapacityOption = str(DEFAULT),
    as_json: JsonOption = False,
) -> None:
    """Once a month: train every model that is due, and let the gate decide. Fit for cron."""
    calls = Capacity.parse(capacity)
    tables, moment = read_as_of(data, as_of)
    settings = read_settings()
    claim_home(settings.home, tables)
    done: dict[str, Json] = {}
    with hold_lock(settings.registry):
        tracking = Tracking.in_folder(settings.registry)
        for retrained in retrain_models(
            tables,
            known_until=moment,
            tracking=tracking,
            seed=seed,
            audit=Audit("opportune retrain", datetime.now(UTC)),
            names=what.names(),
            capacity=calls,
        ):
            done[retrained.name.value] = _describe_retrained(retrained)
            _log(retrained, settings.home / _LOG, as_of=moment)
            if not as_json:
                version = f" version {retrained.version}" if retrained.version else ""
                show(f"{retrained.name}{version}: {retrained.done}; {retrained.reason}")
    if as_json:
        show_json({"as_of": moment.isoformat(), "models": done})


def _check_arms(settings: Settings, *, until: datetime) -> Check:
    """The sample-ratio alarm over the decisions of the store; unknown where there is none."""
    place = settings.store_place
    if isinstance(place, Path) and not place.exists():
        return cannot_tell(ARMS, "nothing was decided yet")
    policy = load_policy_settings(settings.policy_file)
    critical = [t for t, rule in policy.triggers.items() if rule.priority is Priority.CRITICAL]
    store = Store(place)
    try:
        with store.reading() as session:
            assigned = session.count_assigned(policy.experiment, critical=critical, until=until)
    finally:
        store.close()
    return check_arms(assigned.days, shares=policy.arms, n_moved=assigned.n_moved)


def show_health(found: Mapping[ModelName, ModelHealth | NoVersion]) -> None:
    """Every check of every champion, in words."""
    for name, health in found.items():
        if isinstance(health, NoVersion):
            show(f"{name}: nothing is served")
            continue
        show(f"{name} version {health.version}: {health.status}")
        for check in health.checks:
            _show_check(check)


def _show_check(check: Check) -> None:
    show(f"  {check.status:<8}{check.name}: {check.meaning}")
    if check.findings and check.status in {Status.WATCH, Status.ALARM}:
        _show_findings(check)


def _show_findings(check: Check) -> None:
    rows = [
        (
            f"    {one.status}",
            _write(one.value, unit=one.unit),
            _write(one.watch_from, unit=one.unit),
            one.words,
        )
        for one in check.findings[:_N_SHOWN]
    ]
    show_table(("", "value", "limit", ""), rows)
    if len(check.findings) > _N_SHOWN:
        show(f"    and {len(check.findings) - _N_SHOWN} more")


def _write(value: float, *, unit: str) -> str:
    """A number of a finding with its unit; days to a tenth, all others to a thousandth."""
    written = f"{value:,.1f}" if unit == "days" else f"{value:,.3f}"
    return f"{written} {unit}".rstrip()


def _describe(health: ModelHealth | NoVersion) -> Json:
    if isinstance(health, NoVersion):
        return None
    return {
        "version": health.version,
        "status": health.status.value,
        "as_of": health.as_of.isoformat(),
        "trained_on": health.trained_on.isoformat() if health.trained_on else None,
        "checks": {check.name: _describe_check(check) for check in health.checks},
    }


def _describe_check(check: Check) -> Json:
    return {
        "status": check.status.value,
        "meaning": check.meaning,
        "measure": check.measure,
        "looked_at": check.n_looked_at,
        "findings": [_describe_finding(finding) for finding in check.findings],
    }


def _describe_finding(finding: Finding) -> Json:
    return {
        "subject": finding.subject,
        "status": finding.status.value,
        "value": _to_json(finding.value),
        "watch_from": _to_json(finding.watch_from),
        "alarm_from": _to_json(finding.alarm_from),
        "unit": finding.unit,
        "words": finding.words,
    }


def _to_json(number: float) -> float | None:
    """The number; null where it is infinite, which JSON cannot say."""
    return number if math.isfinite(number) else None


def _describe_retrained(retrained: Retrained) -> dict[str, Json]:
    return {
        "done": retrained.done.value,
        "version": retrained.version,
        "promoted": retrained.is_promoted,
        "reason": retrained.reason,
    }


def _log(retrained: Retrained, path: Path, *, as_of: datetime) -> None:
    """One more line of the log: when, which model, what became of it."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "as_of": as_of.isoformat(),
        "model": retrained.name.value,
        **_describe_retrained(retrained),
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
