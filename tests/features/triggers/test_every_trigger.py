"""What every trigger does at its edges, whatever it is about."""

import json
from datetime import timedelta

import pandas as pd
import pytest

from features.evidence import find_evidence_faults
from features.triggers.cases import RULES
from features.vocabulary import Trigger
from tests.features.triggers.marketing_scenes import MARKETING
from tests.features.triggers.scenes import NOW, TICK, FindEach, MakeTables, Row, Scenes, find
from tests.features.triggers.service_scenes import SERVICE


@pytest.fixture(params=[MARKETING, SERVICE], ids=["marketing", "service"])
def scenes(request: pytest.FixtureRequest) -> Scenes:
    found: Scenes = request.param
    return found


def test_triggers_fire_and_say_what_was_seen(scenes: Scenes, find_each: FindEach) -> None:
    found = find_each({name: rows for name, (_, rows, _) in scenes.scenarios.items()})
    wrong = []
    for name, (trigger, _, fires) in scenes.scenarios.items():
        cases = found[name].loc[found[name]["trigger"] == trigger]
        faults = [
            f for text in cases["evidence"] for f in find_evidence_faults(trigger, json.loads(text))
        ]
        if len(cases) != (1 if fires else 0) or faults:
            wrong.append((name, len(cases), faults))
    assert wrong == []


def test_scenarios_show_every_trigger_fire_and_not(scenes: Scenes) -> None:
    seen = {(trigger, fires) for trigger, _, fires in scenes.scenarios.values()}
    assert seen == {(trigger, fires) for trigger in scenes.triggers for fires in (True, False)}


def test_a_case_says_what_it_is_about(scenes: Scenes, find_each: FindEach) -> None:
    scenarios = {name: scenes.scenarios[name][1] for name in scenes.told}
    found = find_each(scenarios, timezone="Asia/Almaty")
    for name, (began_at, subject, urgency, evidence) in scenes.told.items():
        case = found[name].loc[found[name]["trigger"] == scenes.scenarios[name][0]].iloc[0]
        assert (case["subject"], case["found_at"], case["began_at"]) == (subject, NOW, began_at)
        assert json.loads(case["evidence"]) == evidence
        assert (None if pd.isna(case["urgency"]) else case["urgency"]) == urgency
        assert case["expires_at"] >= NOW


@pytest.mark.parametrize(
    ("since", "sent", "fires"),
    [
        (timedelta(0), {}, False),
        (-TICK, {}, True),
        (timedelta(0), {"customer_id": "somebody else"}, True),
        (timedelta(0), {"trigger": Trigger.CHURN_RISK}, True),
    ],
    ids=["told", "told before it began", "another was told", "told something else"],
)
def test_a_problem_is_told_once(
    scenes: Scenes, find_each: FindEach, since: timedelta, sent: Row, fires: bool
) -> None:
    scenarios = {}
    for name, (began_at, *_) in scenes.told.items():
        trigger, rows, _ = scenes.scenarios[name]
        row = {"message_id": "m", "trigger": trigger, "sent_at": began_at + since, **sent}
        scenarios[name] = {**rows, "messages": [row]}
    found = find_each(scenarios)
    for name in scenes.told:
        assert (scenes.scenarios[name][0] in set(found[name]["trigger"])) is fires, name


def test_a_trigger_is_silent_without_any_of_its_tables(
    scenes: Scenes, make_tables: MakeTables
) -> None:
    for rule in RULES:
        if rule.trigger not in scenes.triggers:
            continue
        told = [name for name in scenes.told if scenes.scenarios[name][0] == rule.trigger]
        tables = make_tables(scenes.scenarios[told[0]][1])
        assert set(rule.needs) <= set(tables)
        without = {key: frame for key, frame in tables.items() if key != rule.needs[-1]}
        assert find(without, rule.trigger).empty
