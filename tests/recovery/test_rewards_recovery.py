"""Clicks that nobody made are found in a world that knows who clicked, without being told."""

from datetime import datetime

import pandas as pd
import pytest

from features.tables import Tables
from serving.learner.history import read_history
from training.bandit.rewards import OutcomeRole, RewardLog, RewardRule, judge_outcomes
from training.world.simulated import SimulatedWorld

RULE = RewardRule(window_days=3)


@pytest.fixture(scope="module")
def world() -> tuple[Tables, datetime]:
    simulated = SimulatedWorld(seed=7, n_customers=700, days=60)
    return simulated.tables(simulated.start), simulated.start


def blind(tables: Tables) -> dict[str, pd.DataFrame]:
    return {**tables, "outcomes": tables["outcomes"].assign(machine=False)}


def judge(tables: Tables, as_of: datetime) -> tuple[RewardLog, "pd.Series[str]"]:
    log = read_history(tables, as_of=as_of, rule=RULE)
    as_of_us = int(as_of.timestamp()) * 1_000_000
    return log, judge_outcomes(log, rule=RULE, as_of_us=as_of_us)


def test_scanner_clicks_are_found_where_no_sender_flags_them(
    world: tuple[Tables, datetime],
) -> None:
    tables, start = world
    truth = tables["outcomes"].rename(columns={"machine": "truth"})
    truth = truth.assign(at_us=truth["at"].astype("int64"))[
        ["message_id", "outcome", "at_us", "truth"]
    ]
    log, roles = judge(blind(tables), start)
    clicks = log.outcomes.assign(role=roles).query("outcome == 'clicked'").merge(truth)
    found = clicks["role"] == OutcomeRole.MACHINE.value
    by_machine = clicks["truth"]

    assert by_machine.sum() > 150
    assert (~by_machine).sum() > 40
    assert (found & by_machine).sum() / by_machine.sum() > 0.9
    assert (found & ~by_machine).sum() / found.sum() < 0.02
    # Whoever believes every click that is not flagged counts several times too many.
    assert len(clicks) > 3 * (~by_machine).sum()


def test_flagged_and_found_machines_leave_nearly_the_same_clicks(
    world: tuple[Tables, datetime],
) -> None:
    tables, start = world
    counted = []
    for told in (tables, blind(tables)):
        log, roles = judge(told, start)
        is_click = (log.outcomes["outcome"] == "clicked") & (roles == OutcomeRole.COUNTED.value)
        counted.append(log.outcomes.loc[is_click, "message_id"].nunique())

    assert counted[0] == pytest.approx(counted[1], rel=0.15)
    assert counted[0] <= counted[1]
