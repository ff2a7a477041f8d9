"""The commands about policies: what one would have earned, and whether it may run."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from features.sources import Location, locate
from features.tables import Tables
from serving.cli.data import AsOfOption, read_as_of
from serving.cli.output import (
    Json,
    JsonOption,
    parse_moment,
    progress,
    say,
    show,
    show_json,
    show_table,
)
from serving.evaluate.contrast import find_faults, gather_evidence
from serving.evaluate.judge import ArmJudgement, Judgement, PolicyValue, judge
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.promotion import keep_answer
from serving.evaluate.read import read_decision_files, read_outcome_files
from serving.evaluate.rewards import Reading
from serving.evaluate.targets import Target, TargetName, Words, apply_settings, name_target
from serving.policy.settings import load_policy_settings
from serving.records import Decision, OutcomeEvent
from serving.runtime import read_economics
from serving.settings import Settings, read_settings
from serving.store.store import Store
from training.evaluation.bootstrap import Estimate
from training.policy_gate import HoldPolicy, PromotePolicy, decide_policy
from training.registry.audit import Audit

LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        help="Folder (or file) of records as `decide --out` writes them, outcomes.parquet or .csv "
        "beside them; the store of this home when not given.",
    ),
]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="Policy file whose choice is judged.")
]
TablesOption = Annotated[
    Location | None,
    typer.Option(
        "--data",
        parser=locate,
        metavar="PLACE",
        help="The company's tables: then a decision earns what its customer did, message or not.",
    ),
]
WindowOption = Annotated[
    int | None,
    typer.Option(
        "--window-days",
        min=1,
        help="Days after a decision that belong to it; the policy's window when not given.",
    ),
]


def evaluate_policy(
    log: LogOption = None,
    policy: PolicyOption = None,
    data: TablesOption = None,
    target: Annotated[
        list[TargetName] | None, typer.Option(help="A policy to judge; may be repeated.")
    ] = None,
    words: Annotated[
        Words, typer.Option(help="Who chooses the words of these policies' messages.")
    ] = Words.LOGGED,
    window_days: WindowOption = None,
    as_of: AsOfOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """What other policies would have earned, from a log: cents per decision, by every estimator."""
    settings = read_settings()
    running = load_policy_settings(settings.policy_file)
    with progress("reading the log"):
        ready = read_log(settings, log, data=data, window_days=window_days, as_of=as_of, seed=seed)
    asked = target or (list(TargetName) if policy is None else [])
    targets = [name_target(name, ready.log, words=words) for name in asked]
    faults: list[str] = []
    if policy is not None:
        candidate = load_policy_settings(policy)
        faults = find_faults(ready, candidate=candidate, running=running)
        targets += [
            apply_settings(ready.log, chosen.learned, name=chosen.version)
            for chosen in (candidate, running)
        ]
    with progress("judging"):
        judged = [_judge(ready, one, seed=seed) for one in targets]
    if as_json:
        show_json(_describe(ready, judged, faults=faults))
    else:
        _show(ready, judged)
        for fault in faults:
            say(f"only the choice of that policy is judged: {fault}")


def promote_policy(
    policy: Path,
    *,
    log: Path | None,
    data: Location | None,
    window_days: int | None,
    as_of: str | None,
    seed: int,
    audit: Audit,
) -> PromotePolicy | HoldPolicy:
    """Send a policy through the gate, and let it run where the gate promotes it."""
    settings = read_settings()
    candidate = load_policy_settings(policy)
    running = load_policy_settings(settings.policy_file)
    ready = read_log(settings, log, data=data, window_days=window_days, as_of=as_of, seed=seed)
    _say_reading(ready)
    evidence = gather_evidence(ready, candidate=candidate, running=running)
    answer = decide_policy(candidate.version, before=running.version, evidence=evidence)
    keep_answer(answer, candidate, file=settings.promoted_policy, audit=audit)
    if isinstance(answer, PromotePolicy) and settings.policy is not None:
        say(f"OPPORTUNE_POLICY still names {settings.policy}: unset it to run the promoted policy")
    return answer


def read_log(
    settings: Settings,
    log: Path | None,
    *,
    data: Location | None,
    window_days: int | None,
    as_of: str | None,
    seed: int,
) -> ReadyLog:
    """Decisions and what came of them, from files or the store, and the tables if there are any."""
    tables, known_until = _read_tables(data, as_of)
    days = window_days or load_policy_settings(settings.policy_file).reward.window_days
    economics = read_economics(settings.economics)

    def prepare(decisions: Iterable[Decision], outcomes: Iterable[OutcomeEvent]) -> ReadyLog:
        return prepare_log(
            decisions,
            outcomes,
            economics=economics,
            known_until=known_until,
            window_days=days,
            seed=seed,
            tables=tables,
        )

    if log is not None:
        return prepare(read_decision_files(log), read_outcome_files(log))
    with closing(Store(settings.store_place)) as store, store.reading() as session:
        outcomes = list(chain.from_iterable(session.read_outcomes()))
        return prepare(chain.from_iterable(session.read_decisions()), outcomes)


def _read_tables(data: Location | None, as_of: str | None) -> tuple[Tables | None, datetime]:
    if data is None:
        return None, parse_moment(as_of) if as_of else datetime.now(UTC)
    return read_as_of(data, as_of)


def _judge(ready: ReadyLog, target: Target, *, seed: int) -> Judgement:
    return judge(
        ready.log,
        ready.rewards.net,
        expected=ready.expected,
        target=target,
        rng=np.random.default_rng(seed),
    )


def _show(ready: ReadyLog, judged: Sequence[Judgement]) -> None:
    log, rewards = ready.log, ready.rewards
    terms = [(name, f"{cents.mean():.3f}") for name, cents in rewards.terms().items()]
    terms.append(("net", f"{rewards.net.mean():.3f}"))
    title = f"{log.n:,} decisions with a choice; cents per decision as logged, by term"
    show_table(("term", "cents"), terms, title=title)
    for one in judged:
        rows = [_cells("all arms", value) for value in one.values]
        for arm in one.arms:
            rows += [_cells(arm.arm, value) for value in arm.values[:1]]
            rows += [(arm.arm, "-", "too thin", reason, "") for reason in arm.refusals]
        show_table(("policy " + one.target, "estimator", "interval", "cents", "95 %"), rows)
        for arm in one.arms:
            say(f"{arm.arm}: {_word_overlap(arm)}")
        if one.n_unknown:
            say(f"in {one.n_unknown:,} decisions nobody can tell what {one.target} would have done")
    _say_reading(ready)
    if log.n_without_choice:
        say(f"{log.n_without_choice:,} decisions without a choice are left out")


def _say_reading(ready: ReadyLog) -> None:
    """Whoever sends more looks better where only messages can earn."""
    if ready.rewards.reading is Reading.MESSAGES:
        say(
            "rewards are what was reported of messages; with orders and tickets in --data they are "
            "what customers did, and no message has its due"
        )


def _cells(arm: str, value: PolicyValue) -> tuple[str, ...]:
    found = value.found
    interval = f"[{found.low:.3f}, {found.high:.3f}]" if np.isfinite(found.low) else ""
    return arm, value.estimator, value.interval, f"{found.value:.3f}", interval


def _word_overlap(arm: ArmJudgement) -> str:
    overlap = arm.overlap
    return (
        f"{overlap.n_rows:,} decisions of {overlap.n_customers:,} customers say as much as "
        f"{overlap.n_effective:,.0f}; largest weight {overlap.max_weight:.3g}, mean "
        f"{overlap.mean_weight:.3f}, support {overlap.support_share:.1%}"
    )


def _describe(ready: ReadyLog, judged: Sequence[Judgement], *, faults: Sequence[str]) -> Json:
    rewards = ready.rewards
    return {
        "n_decisions": ready.log.n,
        "n_without_choice": ready.log.n_without_choice,
        "reading": rewards.reading.value,
        "logged_cents": {
            **{name: float(cents.mean()) for name, cents in rewards.terms().items()},
            "net": float(rewards.net.mean()),
        },
        "policies": [_describe_judgement(one) for one in judged],
        "only_the_choice_is_judged": list(faults),
    }


def _describe_judgement(one: Judgement) -> Json:
    return {
        "policy": one.target,
        "n_unknown": one.n_unknown,
        "values": [_describe_value(value) for value in one.values],
        "arms": {
            arm.arm: {
                "overlap": {
                    "n_decisions": arm.overlap.n_rows,
                    "n_customers": arm.overlap.n_customers,
                    "n_effective": arm.overlap.n_effective,
                    "matched_share": arm.overlap.matched_share,
                    "support_share": arm.overlap.support_share,
                    "max_weight": arm.overlap.max_weight,
                    "max_share": arm.overlap.max_share,
                    "mean_weight": arm.overlap.mean_weight,
                },
                "values": [_describe_value(value) for value in arm.values],
                "refusals": list(arm.refusals),
            }
            for arm in one.arms
        },
    }


def show_policy_answer(answer: PromotePolicy | HoldPolicy, *, as_json: bool) -> None:
    """What the gate said about a policy."""
    evidence, is_promoted = answer.evidence, isinstance(answer, PromotePolicy)
    if as_json:
        found = {
            "candidate": evidence.candidate,
            "running": evidence.running,
            "difference": evidence.difference,
        }
        cents = {
            name: None if one is None else describe_estimate(one) for name, one in found.items()
        }
        show_json(
            {
                "promoted": is_promoted,
                "version": answer.version,
                "before": answer.before,
                "reasons": list(answer.reasons),
                "n_decisions": evidence.n_decisions,
                "cents_per_decision": cents,
            }
        )
        return
    show(f"policy {answer.version}: {'promoted' if is_promoted else 'held'}")
    for reason in answer.reasons:
        show(f"  because {reason}")


def _describe_value(value: PolicyValue) -> Json:
    return {
        "estimator": value.estimator,
        "interval": value.interval,
        **describe_estimate(value.found),
    }


def describe_estimate(found: Estimate) -> dict[str, float | None]:
    """Value and interval; null where there is none."""
    return {
        "value": found.value,
        "low": found.low if np.isfinite(found.low) else None,
        "high": found.high if np.isfinite(found.high) else None,
    }
