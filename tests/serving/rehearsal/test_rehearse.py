"""All policies in a world of somebody else whose truth is plain: what each must come to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError
from features.vocabulary import Arm
from serving.cli.main import build_app
from serving.rehearsal.days import PolicyDays
from serving.rehearsal.measures import group_worlds
from serving.rehearsal.policies import Cadence, PolicyName
from serving.rehearsal.report import describe_setting
from serving.rehearsal.run import RehearsalPlan, run_rehearsal
from serving.rehearsal.worlds import Foreign

SHOP = Path(__file__).with_name("corner_shop.py")
EMAIL, PUSH = 2.0, 10.0  # of the shop's true values
N_DAYS = 2


@pytest.fixture(scope="module")
def found() -> dict[str, PolicyDays]:
    plan = RehearsalPlan(
        Foreign(SHOP, "CornerShop"),
        seeds=(0,),
        n_days=N_DAYS,
        last_days=1,
        cadence=Cadence(30, 7, decide_hours=24),
    )
    return {one.policy: one for one in run_rehearsal(plan)}


def _sums(one: PolicyDays, what: str) -> float:
    return float(one.daily[what].sum())


def test_every_policy_acts_on_the_same_customers(found: dict[str, PolicyDays]) -> None:
    assert set(found) == {name.value for name in PolicyName}
    for one in found.values():
        assert one.daily["customers"].groupby("day").sum().eq(60).all()
        assert len(one.customers) == 60
        assert len(one.daily) == N_DAYS * len(Arm)


def test_nobody_sends_nothing(found: dict[str, PolicyDays]) -> None:
    assert _sums(found["nobody"], "messages") == _sums(found["nobody"], "value_cents") == 0.0


def test_rules_and_oracle_are_worth_what_the_world_says(found: dict[str, PolicyDays]) -> None:
    rules, oracle = found["rules"], found["oracle"]

    assert _sums(rules, "value_cents") == EMAIL * _sums(rules, "messages") > 0
    assert _sums(oracle, "value_cents") == PUSH * _sums(oracle, "messages") > 0


def test_single_channel_takes_the_best_one(found: dict[str, PolicyDays]) -> None:
    one = found["single_channel"]

    assert _sums(one, "value_cents") == PUSH * _sums(one, "messages") > 0


def test_random_is_worse_than_the_oracle(found: dict[str, PolicyDays]) -> None:
    assert _sums(found["random"], "value_cents") < _sums(found["oracle"], "value_cents")


def test_learned_without_enough_data_follows_the_rules_but_in_its_fixed_arms(
    found: dict[str, PolicyDays],
) -> None:
    learned, rules = (
        found[name].daily.groupby("arm")["value_cents"].sum() for name in ("learned", "rules")
    )

    assert learned["learned"] == rules["learned"] > 0
    assert learned["holdout"] == 0.0


def test_rehearse_from_the_command_line_in_processes(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    options = ["--world", f"{SHOP}:CornerShop", "--days", "2", "--last", "1", "--json"]
    options += ["--decide-hours", "24"]
    policies = ["--policies", "learned", "--policies", "oracle"]
    asked = [*options, *policies, "--seed", "0", "--seed", "1", "--processes", "2"]
    done = CliRunner().invoke(build_app(["rehearse"]), ["rehearse", *asked, "--out", str(page)])

    assert done.exit_code == 0, done.output
    assert "CornerShop: Models that were not served at the start: seed 0: channel" in done.stderr
    result = json.loads(done.stdout)
    rows = {row["metric"]: row for row in result["rows"]}
    assert result["bench"] == "rehearse"
    assert {row["case"] for row in result["rows"]} == {"CornerShop"}
    assert rows["net_value"]["n"] == 2
    assert rows["net_value"]["low"] <= rows["net_value"]["ours"] <= rows["net_value"]["high"]
    assert rows["ratio_to_oracle"]["ours"] == pytest.approx(EMAIL / PUSH)
    assert rows["support_calls"]["ours"] == 0.0
    assert rows["fall_of_support_calls_against_holdout"]["ours"] is None
    text = page.read_text(encoding="utf-8")
    assert "CornerShop" in text
    setting = "Seeds 0, 1; 60 customers a world; a history of its own, then 2 days in the loop."
    assert setting in text
    assert "seed 0: channel (too little data: " in text
    assert "; seed 1: channel (too little data: " in text


def test_the_page_says_that_one_seed_has_no_interval(found: dict[str, PolicyDays]) -> None:
    (worlds,) = group_worlds(list(found.values()), last_days=1)

    assert describe_setting(worlds, 120) == (
        "Seed 0; 60 customers a world; 120 days of history, then 2 days in the loop. "
        "One seed has no interval over seeds: how another world would come out is not known."
    )


def test_rehearse_refuses_more_last_days_than_there_are() -> None:
    with pytest.raises(BadInputError, match="--last 5: expected at most the 2 days of --days"):
        CliRunner().invoke(
            build_app(["rehearse"]),
            ["rehearse", "--days", "2", "--last", "5"],
            catch_exceptions=False,
        )


def test_rehearse_refuses_hours_that_do_not_divide_a_day() -> None:
    with pytest.raises(BadInputError, match="--decide-hours 5: expected a divisor of 24"):
        CliRunner().invoke(
            build_app(["rehearse"]), ["rehearse", "--decide-hours", "5"], catch_exceptions=False
        )


@pytest.mark.parametrize(
    "asked", [("--scenario", "calm"), ("--customers", "100"), ("--history", "30")]
)
def test_rehearse_refuses_what_another_world_cannot_be_told(asked: tuple[str, str]) -> None:
    with pytest.raises(BadInputError, match=f"{asked[0]}: for our own world, not for --world"):
        CliRunner().invoke(
            build_app(["rehearse"]),
            ["rehearse", "--world", f"{SHOP}:CornerShop", *asked],
            catch_exceptions=False,
        )


@pytest.mark.parametrize(
    ("place", "why"),
    [("", "it is a folder"), ("file/page.html", "file is a file, expected a folder")],
)
def test_rehearse_refuses_a_place_for_the_page_before_it_begins(
    place: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    asked = ["--world", f"{SHOP}:CornerShop", "--out", str(tmp_path / place)]
    with pytest.raises(BadInputError, match=f"--out .*{why}"):
        CliRunner().invoke(build_app(["rehearse"]), ["rehearse", *asked], catch_exceptions=False)
