"""Nothing that became known at or after a moment changes anything that is said of the moment."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS
from features.declarations import FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import (
    build,
    build_features,
    count_hours_of_week,
    facts,
    hours,
    make_spine,
)
from features.tables import known_before
from features.triggers import find_triggers
from features.vocabulary import Trigger

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)  # the day after Europe's clocks moved
ALL = FeatureSet(
    "all", tuple(dict.fromkeys((*CHURN_FEATURES.features, *ENGAGEMENT_FEATURES.features)))
)
FOUND_IN_TABLES = set(Trigger) - {Trigger.CHURN_RISK, Trigger.INCIDENT_UPDATE}

Frames = dict[str, pd.DataFrame]
DrawHistory = Callable[..., Frames]


SPINE = make_spine([f"c{n}" for n in range(17)], as_of=AS_OF)  # nobody is c16


def find_feature_leaks(known: Frames, full: Frames) -> set[str]:
    then, now = (build_features(tables, SPINE, features=ALL) for tables in (known, full))
    return {name for name in ALL.names if not then[name].equals(now[name])}


def find_hour_leaks(known: Frames, full: Frames) -> set[str]:
    then, now = (count_hours_of_week(tables, SPINE) for tables in (known, full))
    return set() if np.array_equal(then, now) else {"hours of the week"}


def find_trigger_leaks(known: Frames, full: Frames) -> set[str]:
    then, now = (find_triggers(tables, as_of=AS_OF) for tables in (known, full))
    return set(pd.concat([then, now]).drop_duplicates(keep=False)["trigger"])


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_reads_facts_known_at_or_after_the_moment(
    draw_history: DrawHistory, seed: int
) -> None:
    full = draw_history(seed, around=AS_OF)
    known = known_before(full, pd.Timestamp(AS_OF))
    assert find_feature_leaks(known, full) == set()
    assert find_hour_leaks(known, full) == set()
    assert find_trigger_leaks(known, full) == set()


def test_histories_have_a_future_in_every_table_and_cases_of_every_trigger(
    draw_history: DrawHistory,
) -> None:
    cases, grown, revised = set(), set(), set()
    for seed in range(8):
        full = draw_history(seed, around=AS_OF)
        known = known_before(full, pd.Timestamp(AS_OF))
        cases |= set(find_triggers(full, as_of=AS_OF)["trigger"])
        grown |= {name for name in full if 0 < len(known[name]) < len(full[name])}
        for name in full:
            later = full[name].loc[full[name][CONTRACTS[name].moment] < AS_OF]
            columns = CONTRACTS[name].revised
            revised |= {c for c in columns if known[name][c].count() < later[c].count()}
    assert cases == FOUND_IN_TABLES
    assert grown == set(CONTRACTS) - {"vendors"}
    assert revised == {"delivered_at", "resolved_at", "paid_at", "ends_at"}


MUTANTS = {
    "inclusive cutoff": (find_feature_leaks, build, "compile_features", "e.t < s.c", "e.t <= s.c"),
    "later resolution": (
        find_feature_leaks,
        build,
        "compile_features",
        "(e.resolved_at IS NULL OR e.resolved_at >= s.c)",
        "e.resolved_at IS NULL",
    ),
    "later payment": (
        find_feature_leaks,
        build,
        "compile_features",
        "(e.paid_at IS NULL OR e.paid_at >= s.c)",
        "e.paid_at IS NULL",
    ),
    "outcome before its message": (
        find_feature_leaks,
        facts,
        "select_rows",
        "GREATEST(o.at, m.sent_at)",
        "o.at",
    ),
    "inclusive hour of the week": (
        find_hour_leaks,
        hours,
        "compile_hours",
        "p.t < s.c",
        "p.t <= s.c",
    ),
    "inclusive rows for triggers": (find_trigger_leaks, facts, "select_known", "r.t < ", "r.t <= "),
    "later delivery for triggers": (
        find_trigger_leaks,
        facts,
        "select_known",
        "CASE WHEN r.delivered_at < ",
        "CASE WHEN r.delivered_at > -",
    ),
}


@pytest.mark.parametrize(
    ("find_leaks", "module", "name", "right", "wrong"), MUTANTS.values(), ids=MUTANTS
)
def test_a_builder_that_leaks_is_caught(
    draw_history: DrawHistory,
    monkeypatch: pytest.MonkeyPatch,
    find_leaks: Callable[[Frames, Frames], set[str]],
    module: ModuleType,
    name: str,
    right: str,
    wrong: str,
) -> None:
    original, n_changed = getattr(module, name), 0

    def mutate(*args: object, **kwargs: object) -> str:
        nonlocal n_changed
        text = original(*args, **kwargs)
        n_changed += right in text
        return text.replace(right, wrong)

    monkeypatch.setattr(module, name, mutate)
    full = draw_history(1, around=AS_OF)
    assert find_leaks(known_before(full, pd.Timestamp(AS_OF)), full)
    assert n_changed
