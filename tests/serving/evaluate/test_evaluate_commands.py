"""The commands about policies, over logs in files."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from features.errors import BadInputError, ConfigurationError, SourceUnreadableError
from features.tables import Tables
from serving.cli.main import build_app
from serving.evaluate.promotion import read_trail
from serving.evaluate.read import read_decision_files, read_outcome_files
from serving.evaluate.targets import TargetName
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.settings import Settings
from tests.serving.evaluate.conftest import Company, changed
from training.registry.audit import EventKind


@pytest.fixture(scope="module")
def company(make_company: Callable[..., Company], careless: PolicySettings) -> Company:
    return make_company(4_000, policy=careless)


def write_log(company: Company, folder: Path) -> None:
    folder.mkdir()
    records = [decision.model_dump_json() for decision in company.decisions]
    pd.DataFrame({"record": records}).to_parquet(folder / "decisions.parquet")
    outcomes = pd.DataFrame([event.model_dump(mode="json") for event in company.outcomes])
    outcomes.to_csv(folder / "outcomes.csv", index=False)


class Reported(BaseModel):
    """What the command says; what is not asked about here is left out."""


class Value(Reported):
    estimator: str
    low: float | None
    high: float | None


class Difference(Reported):
    value: float
    low: float
    high: float


class ArmReport(Reported):
    values: list[Value]
    refusals: list[str]


class PolicyReport(Reported):
    policy: str
    values: list[Value]
    arms: dict[str, ArmReport]


class Evaluation(Reported):
    n_decisions: int
    policies: list[PolicyReport]
    difference: Difference | None
    no_difference_because: list[str]
    only_the_choice_is_judged: list[str]


class Promotion(Reported):
    promoted: bool


class Rollback(Reported):
    rolled_back: bool
    version: str | None = None
    reason: str | None = None


class Rollbacks(Reported):
    policy: Rollback


Kind = TypeVar("Kind", bound=Reported)


def run(kind: type[Kind], *words: str) -> tuple[int, Kind]:
    done = CliRunner().invoke(build_app(words[:1]), list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, kind.model_validate_json(done.stdout)


def test_command_judges_policies_from_files(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    write_log(company, tmp_path / "log")
    status, found = run(Evaluation, "evaluate-policy", "--log", str(tmp_path / "log"), "--json")
    assert status == 0
    assert found.n_decisions == 4_000
    policies = {one.policy: one for one in found.policies}
    assert set(policies) == set(TargetName)
    nothing, truth = policies["nothing"].values[0], 0.0
    assert nothing.low is not None
    assert nothing.high is not None
    assert nothing.low <= truth <= nothing.high
    assert policies["rules"].arms["holdout"].refusals
    assert not policies["rules"].arms["holdout"].values


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
    status, found = run(Evaluation, *words)
    assert status == 0
    assert "learned.incremental_share" in found.only_the_choice_is_judged[0]
    assert found.difference is not None
    assert found.difference.low <= found.difference.value <= found.difference.high < 0


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
    status, found = run(Promotion, *words)
    assert (status, found.promoted) == (0, True), found
    assert load_policy_settings(Settings(home=home).policy_file).version == new.version
    assert [event.kind for event in read_trail(running)] == [EventKind.PROMOTE]
    back = ("rollback", "policy", "--reason", "too many calls", "--json")
    status, rolled = run(Rollbacks, *back)
    assert (status, rolled.policy.version) == (0, careless.version)
    assert load_policy_settings(Settings(home=home).policy_file) == careless
    assert read_trail(running)[-1].reasons == ("too many calls",)
    status, refused = run(Rollbacks, *back)
    assert (status, refused.policy.rolled_back) == (EXIT_REFUSED, False)
    assert refused.policy.reason == "no promoted policy runs: there is nothing to roll back"


def test_files_without_records_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(SourceUnreadableError, match="no parquet file with records in it"):
        list(read_decision_files(tmp_path))
    pd.DataFrame({"record": ["{}"]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(BadInputError, match=r"y.parquet, row 0: not a record"):
        list(read_decision_files(tmp_path))
    pd.DataFrame({"message_id": ["m"], "outcome": ["waved"]}).to_csv(tmp_path / "outcomes.csv")
    with pytest.raises(BadInputError, match=r"outcomes.csv, row 0: not an outcome: outcome"):
        read_outcome_files(tmp_path)


def test_home_without_a_store_is_refused_and_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    with pytest.raises(SourceUnreadableError, match="this home has no store yet"):
        run(Evaluation, "evaluate-policy", "--json")
    assert not (tmp_path / "home").exists()


def test_record_without_a_probability_is_refused_with_its_row(
    company: Company, tmp_path: Path
) -> None:
    whole = company.decisions[0].model_dump_json()
    asked = f'"probability":{company.decisions[0].allowed[0].probability!r}'
    assert asked in whole
    for number, holed in enumerate((whole.replace(asked, '"probability":null'), None)):
        path = tmp_path / f"log{number}.parquet"
        pd.DataFrame({"record": [whole, holed]}).to_parquet(path)
        with pytest.raises(BadInputError, match=rf"log{number}.parquet, row 1: not a record"):
            list(read_decision_files(path))


def show_policy(
    company: Company, policy: PolicySettings, tmp_path: Path, *more: str
) -> tuple[str, str]:
    """What the command says of a policy file to a human: results, and remarks."""
    write_log(company, tmp_path / "log")
    asked = tmp_path / "asked.yaml"
    asked.write_text(yaml.safe_dump(policy.model_dump(mode="json")), encoding="utf-8")
    words = ["evaluate-policy", "--policy", str(asked), "--log", str(tmp_path / "log"), *more]
    done = CliRunner().invoke(build_app(words[:1]), words, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_command_says_why_a_difference_cannot_be_told(
    make_company: Callable[..., Company],
    settings: PolicySettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    new, small = changed(settings, floor=0.02), make_company(60)
    shown, said = show_policy(small, new, tmp_path)
    one_line = " ".join(shown.split())
    asked = f"policy {new.version} over {settings.version}: cannot be told, because "
    assert asked in one_line
    told = one_line.split(asked)[1]
    assert "learned: " in told
    assert "at least 50 are needed" in told
    assert f"{new.version}, learned: " in " ".join(said.split())
    words = ("--policy", str(tmp_path / "asked.yaml"), "--log", str(tmp_path / "log"), "--json")
    _, found = run(Evaluation, "evaluate-policy", *words)
    assert found.difference is None
    assert any(why.startswith("learned: ") for why in found.no_difference_because)


def test_command_gives_the_reason_where_nobody_can_tell_anything(
    make_company: Callable[..., Company],
    settings: PolicySettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every decision was made under a budget's price."""
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    company = make_company(60)
    priced = [one.model_copy(update={"prices": {"sms": 1.0}}) for one in company.decisions]
    short = dataclasses.replace(company, decisions=priced)
    shown, _ = show_policy(short, changed(settings, floor=0.02), tmp_path)
    one_line = " ".join(shown.split())
    assert one_line.count("nobody can tell in any decision what it would do") == 2
    assert "because nobody can tell in any decision what both would have done" in one_line


def test_command_names_the_arms_that_a_value_is_of(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: PolicySettings
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    more = ("--target", "random", "--target", "rules")
    shown, said = show_policy(company, careless, tmp_path, *more)
    assert "all arms" not in shown
    tables = {part.split()[0]: part for part in shown.split("policy ")[1:]}
    assert "learned + random" in tables["random"]
    assert "rules: " in said
    assert "rules, rules: " in said
    assert "random, learned: " in said


def test_tables_of_another_company_are_refused(
    company: Company,
    tables: Tables,
    tables_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("OPPORTUNE_HOME", str(home))
    strangers = tables["customers"].assign(
        customer_id=[f"x{n}" for n in range(len(tables["customers"]))]
    )
    claim_home(home, {"customers": strangers})
    write_log(company, tmp_path / "log")
    words = ("--log", str(tmp_path / "log"), "--data", str(tables_folder), "--json")
    with pytest.raises(ConfigurationError, match="decisions of another company"):
        run(Evaluation, "evaluate-policy", *words)
    policy = tmp_path / "own.yaml"
    policy.write_text(yaml.safe_dump(load_policy_settings().model_dump(mode="json")), "utf-8")
    with pytest.raises(ConfigurationError, match="decisions of another company"):
        run(Promotion, "promote", "policy", "--policy", str(policy), *words)
