import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from features.economics import default_economics
from features.errors import BadInputError, SourceUnreadableError
from serving.cli.main import build_app
from serving.evaluate.contrast import contrast, gather_evidence
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.promotion import keep_answer, read_trail
from serving.evaluate.read import read_decision_files, read_outcome_files
from serving.evaluate.targets import TargetName, name_target
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.settings import Settings
from tests.serving.evaluate.conftest import START, Company
from training.evaluation.bootstrap import Estimate
from training.policy_gate import HoldPolicy, PolicyEvidence, PromotePolicy, decide_policy
from training.registry.audit import Audit, EventKind

Maker = Callable[..., Company]
AUDIT = Audit("ann", datetime(2026, 6, 1, tzinfo=UTC), "autumn")


def changed(settings: PolicySettings, *, name: str = "new", **learned: object) -> PolicySettings:
    plain = settings.model_dump()
    return PolicySettings.model_validate(
        {**plain, "name": name, "learned": {**plain["learned"], **learned}}
    )


@pytest.fixture(scope="module")
def careless(settings: PolicySettings) -> PolicySettings:
    """A running policy that explores far too much: there is something to be won."""
    return changed(settings, name="careless", floor=0.6)


@pytest.fixture(scope="module")
def company(make_company: Maker, careless: PolicySettings) -> Company:
    return make_company(4_000, policy=careless)


@pytest.fixture(scope="module")
def ready(company: Company) -> ReadyLog:
    return prepare_log(
        company.decisions,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )


def test_gate_promotes_what_earns_more(
    ready: ReadyLog, settings: PolicySettings, careless: PolicySettings
) -> None:
    better = changed(careless, floor=0.02, wide_share=0.0)
    evidence = gather_evidence(ready, candidate=better, running=careless)
    answer = decide_policy(better.version, before=careless.version, evidence=evidence)
    assert isinstance(answer, PromotePolicy)
    assert evidence.difference is not None
    assert evidence.difference.low > 0


def test_gate_holds_what_earns_less(ready: ReadyLog, careless: PolicySettings) -> None:
    worse = changed(careless, floor=0.95, wide_share=0.0)
    evidence = gather_evidence(ready, candidate=worse, running=careless)
    answer = decide_policy(worse.version, before=careless.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)
    assert "not shown to earn more" in answer.reasons[0]


def test_difference_is_narrower_than_its_parts_and_true(
    company: Company, ready: ReadyLog, careless: PolicySettings
) -> None:
    random = name_target(TargetName.RANDOM, ready.log)
    logged = name_target(TargetName.GREEDY, ready.log)
    evidence = contrast(ready, candidate=logged, running=random)
    best = np.eye(7)[company.values.argmax(axis=1)]
    truth = company.true_cents(best) - company.true_cents(np.full(best.shape, 1 / 7))
    assert evidence.difference is not None
    assert evidence.candidate is not None
    reach = (evidence.difference.high - evidence.difference.low) * 3.5 / 3.92
    assert abs(evidence.difference.value - truth) < reach
    same = contrast(ready, candidate=random, running=random)
    assert same.difference is not None
    assert same.difference.value == pytest.approx(0.0)
    assert same.difference.high == pytest.approx(0.0)


def test_gate_names_settings_that_a_log_cannot_judge(
    ready: ReadyLog, careless: PolicySettings
) -> None:
    other = PolicySettings.model_validate(
        changed(careless, floor=0.1, incremental_share=0.9).model_dump() | {"experiment": "another"}
    )
    evidence = gather_evidence(ready, candidate=other, running=careless)
    assert "experiment, learned.incremental_share" in evidence.faults[0]
    answer = decide_policy(other.version, before=careless.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)


def test_gate_holds_on_a_log_that_is_not_the_running_policys(
    make_company: Maker, settings: PolicySettings
) -> None:
    company = make_company(400)
    cold = changed(settings, floor=0.5)
    forged = [one.model_copy(update={"policy_version": cold.version}) for one in company.decisions]
    ready = prepare_log(
        forged,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )
    evidence = gather_evidence(ready, candidate=settings, running=cold)
    assert "other probabilities than its settings give" in evidence.faults[-1]


def test_gate_refuses_where_the_log_is_thin(make_company: Maker, settings: PolicySettings) -> None:
    company = make_company(60)
    ready = prepare_log(
        company.decisions,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )
    better = changed(settings, floor=0.02)
    evidence = gather_evidence(ready, candidate=better, running=settings)
    answer = decide_policy(better.version, before=settings.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)
    assert answer.reasons[0] == "the log says too little about it"
    assert any("at least 50 are needed" in reason for reason in answer.reasons)


def test_gate_holds_the_running_policy_and_a_bound_at_zero() -> None:
    nothing = Estimate(0.0, 0.0, 0.0)
    evidence = PolicyEvidence(100, nothing, nothing, nothing)
    same = decide_policy("a", before="a", evidence=evidence)
    other = decide_policy("a", before="b", evidence=evidence)
    assert isinstance(same, HoldPolicy)
    assert same.reasons == ("it is the running policy",)
    assert isinstance(other, HoldPolicy)
    unknown = Estimate(1.0, float("nan"), float("nan"))
    unproven = decide_policy("a", before="b", evidence=PolicyEvidence(100, None, None, unknown))
    assert isinstance(unproven, HoldPolicy)


def test_promoted_policy_runs_and_the_trail_says_why(
    tmp_path: Path, settings: PolicySettings
) -> None:
    home = Settings(home=tmp_path)
    assert home.policy_file is None
    new = changed(settings, floor=0.03)
    evidence = PolicyEvidence(100, None, None, Estimate(1.0, 0.5, 1.5))
    held = HoldPolicy(new.version, settings.version, ("no",), evidence)
    keep_answer(held, new, file=home.promoted_policy, audit=AUDIT)
    assert home.policy_file is None
    promoted = PromotePolicy(new.version, settings.version, evidence)
    keep_answer(promoted, new, file=home.promoted_policy, audit=AUDIT)
    assert load_policy_settings(home.policy_file) == new
    assert load_policy_settings(home.policy_file).version == new.version
    events = read_trail(home.promoted_policy)
    assert [event.kind for event in events] == [EventKind.HOLD, EventKind.PROMOTE]
    assert events[1].before == settings.version
    assert "+1.000 cents" in events[1].reasons[0]
    named = Settings(home=tmp_path, policy=tmp_path / "mine.yaml")
    assert named.policy_file == tmp_path / "mine.yaml"


def write_log(company: Company, folder: Path) -> None:
    folder.mkdir()
    records = [decision.model_dump_json() for decision in company.decisions]
    pd.DataFrame({"record": records}).to_parquet(folder / "decisions.parquet")
    outcomes = pd.DataFrame([event.model_dump(mode="json") for event in company.outcomes])
    outcomes.to_csv(folder / "outcomes.csv", index=False)


def run(*words: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(build_app(words[:1]), list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


def test_command_judges_policies_from_files(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    write_log(company, tmp_path / "log")
    status, found = run("evaluate-policy", "--log", str(tmp_path / "log"), "--json")
    assert status == 0
    assert found["n_decisions"] == 4_000
    policies = {one["policy"]: one for one in found["policies"]}  # type: ignore[index,attr-defined]
    assert set(policies) == set(TargetName)
    nothing = policies["nothing"]["values"][0]
    truth = 0.0
    assert nothing["low"] <= truth <= nothing["high"]
    assert policies["rules"]["arms"]["holdout"]["refusals"]


def test_command_says_what_of_a_policy_it_cannot_judge(
    company: Company,
    careless: PolicySettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    write_log(company, tmp_path / "log")
    other = changed(careless, incremental_share=0.9)
    asked = tmp_path / "other.yaml"
    asked.write_text(yaml.safe_dump(other.model_dump(mode="json")), encoding="utf-8")
    words = ("evaluate-policy", "--policy", str(asked), "--log", str(tmp_path / "log"), "--json")
    status, found = run(*words)
    assert status == 0
    faults = found["only_the_choice_is_judged"]
    assert isinstance(faults, list)
    assert "learned.incremental_share" in faults[0]


def test_command_promotes_a_policy_and_keeps_it(
    company: Company,
    careless: PolicySettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("OPPORTUNE_HOME", str(home))
    running = Settings(home=home).promoted_policy
    running.parent.mkdir(parents=True)
    running.write_text(yaml.safe_dump(careless.model_dump(mode="json")), encoding="utf-8")
    write_log(company, tmp_path / "log")
    new = changed(careless, floor=0.02, wide_share=0.0)
    asked = tmp_path / "new.yaml"
    asked.write_text(yaml.safe_dump(new.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    words = ("promote", "policy", "--policy", str(asked), "--log", str(tmp_path / "log"), "--json")
    status, found = run(*words)
    assert (status, found["promoted"]) == (0, True), found
    assert load_policy_settings(Settings(home=home).policy_file).version == new.version
    assert [event.kind for event in read_trail(running)] == [EventKind.PROMOTE]


def test_files_without_records_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(SourceUnreadableError, match="no parquet file with records in it"):
        list(read_decision_files(tmp_path))
    pd.DataFrame({"record": ["{}"]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(BadInputError, match="not a record"):
        list(read_decision_files(tmp_path))
    pd.DataFrame({"message_id": ["m"], "outcome": ["waved"]}).to_csv(tmp_path / "outcomes.csv")
    with pytest.raises(BadInputError, match="not outcomes"):
        read_outcome_files(tmp_path)
