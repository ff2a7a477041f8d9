"""The commands about policies: what one would have earned, and whether it may run."""

from collections.abc import Iterable
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
from serving.cli.judgements import (
    describe_judgements,
    say_reading,
    show_judgements,
    word_difference,
)
from serving.cli.output import (
    JsonOption,
    parse_moment,
    progress,
    say,
    show,
    show_json,
)
from serving.cli.own_store import open_own_store
from serving.evaluate.contrast import contrast, find_faults, gather_evidence
from serving.evaluate.judge import Judgement, judge
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.promotion import find_trail, keep_answer, roll_back_policy
from serving.evaluate.read import read_decision_files, read_outcome_files
from serving.evaluate.targets import Target, TargetName, Words, apply_settings, name_target
from serving.home import require_same_company
from serving.policy.settings import load_policy_settings
from serving.records import Decision, OutcomeEvent
from serving.runtime import read_economics
from serving.settings import Settings, read_settings
from training.gate import Refused, RolledBack
from training.policy_gate import (
    HoldPolicy,
    PolicyEvidence,
    PromotePolicy,
    decide_policy,
)
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
    beside: PolicyEvidence | None = None
    if policy is not None:
        candidate = load_policy_settings(policy)
        faults = find_faults(ready, candidate=candidate, running=running)
        new, old = (
            apply_settings(ready.log, chosen.learned, name=chosen.version)
            for chosen in (candidate, running)
        )
        beside = contrast(ready, candidate=new, running=old)
        targets += [new, old]
    with progress("judging"):
        judged = [_judge(ready, one, seed=seed) for one in targets]
    if as_json:
        show_json(describe_judgements(ready, judged, beside=beside, faults=faults))
        return
    show_judgements(ready, judged)
    if beside is not None:
        show(f"policy {candidate.version} over {running.version}: {word_difference(beside)}")
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
    say_reading(ready)
    evidence = gather_evidence(ready, candidate=candidate, running=running)
    answer = decide_policy(candidate.version, before=running.version, evidence=evidence)
    keep_answer(
        answer,
        candidate,
        running=running,
        file=settings.promoted_policy,
        known_until=ready.known_until,
        audit=audit,
    )
    if isinstance(answer, PromotePolicy):
        _say_which_runs(settings)
    say(f"kept in {find_trail(settings.promoted_policy)}")
    return answer


def rollback_policy(audit: Audit) -> RolledBack | Refused:
    """Let the policy before the promoted one run again."""
    settings = read_settings()
    answer = roll_back_policy(settings.promoted_policy, audit=audit)
    if isinstance(answer, RolledBack):
        _say_which_runs(settings)
        say(f"kept in {find_trail(settings.promoted_policy)}")
    return answer


def _say_which_runs(settings: Settings) -> None:
    if settings.policy is not None:
        say(f"OPPORTUNE_POLICY still names {settings.policy}: unset it to run the promoted policy")


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
    if tables is not None:
        require_same_company(settings.home, tables)
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
    own = open_own_store(settings, instead="; --log reads records in files")
    with closing(own) as store, store.reading() as session:
        return prepare(
            chain.from_iterable(session.read_decisions()),
            chain.from_iterable(session.read_outcomes()),
        )


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
