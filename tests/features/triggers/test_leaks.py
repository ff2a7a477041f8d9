"""Nothing that became known at or after a moment changes its cases, late or corrected."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaError

from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT
from features.point_in_time import relations
from features.tables import known_before
from features.triggers import find_triggers
from features.vocabulary import Trigger

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
FOUND_IN_TABLES = set(Trigger) - {Trigger.CHURN_RISK, Trigger.INCIDENT_UPDATE}

Frames = dict[str, pd.DataFrame]
DrawHistory = Callable[..., Frames]


def make_late(full: Frames, *, seed: int) -> Frames:
    """The history with rows that become known late, corrections, and rows that come again."""
    rng = np.random.default_rng(seed)
    late = {}
    for name, plain in full.items():
        contract, frame = CONTRACTS[name], plain
        if KNOWN_AT not in frame:
            late[name] = frame
            continue
        if contract.identity == (EVENT_ID,):
            frame = frame.assign(event_id=[f"e{n}" for n in range(len(frame))])
        known = frame[contract.moment] + pd.to_timedelta(rng.integers(0, 9, len(frame)), unit="D")
        known = known.where(rng.random(len(frame)) < 0.7, pd.Timestamp(AS_OF))
        frame = frame.assign(known_at=known.where(rng.random(len(frame)) < 0.3))
        again = frame.sample(frac=0.2, random_state=seed)
        if contract.corrected:
            others = again.sample(frac=1.0, random_state=seed + 1)
            changed = [c for c in frame if c not in (*contract.key, contract.moment, KNOWN_AT)]
            again = again.assign(**{c: others[c].to_numpy() for c in changed})
        shift = pd.to_timedelta(rng.integers(-9, 9, len(again)), unit="D")
        again = again.assign(known_at=again[contract.moment] + shift)
        late[name] = pd.concat([frame, again], ignore_index=True).astype(frame.dtypes)
    return late


def find_leaks(known: Frames, full: Frames) -> set[str]:
    then, now = (find_triggers(tables, as_of=AS_OF) for tables in (known, full))
    return set(pd.concat([then, now]).drop_duplicates(keep=False)["trigger"])


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_cases_read_nothing_known_at_or_after_the_moment(
    draw_history: DrawHistory, seed: int
) -> None:
    full = make_late(draw_history(seed, around=AS_OF), seed=seed)
    assert find_leaks(known_before(full, pd.Timestamp(AS_OF)), full) == set()


def test_late_histories_have_cases_of_every_trigger(draw_history: DrawHistory) -> None:
    cases, differ = set(), False
    for seed in range(6):
        plain = draw_history(seed, around=AS_OF)
        late = make_late(plain, seed=seed)
        found = find_triggers(late, as_of=AS_OF)
        cases |= set(found["trigger"])
        differ |= not found.equals(find_triggers(plain, as_of=AS_OF))
    assert cases == FOUND_IN_TABLES
    assert differ


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("{row}.k < {at}", "{row}.k <= {at}"),
        ("{row}.k < {at}", "{row}.t < {at}"),
        (" AND ({row}.x IS NULL OR {row}.x >= {at})", ""),
    ],
    ids=["inclusive", "late rows at once", "corrections beside what they correct"],
)
def test_cases_that_leak_are_caught(
    draw_history: DrawHistory, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    text = "{row}.k < {at} AND ({row}.x IS NULL OR {row}.x >= {at})"
    assert relations.holds("r", late=True, at="c") == text.format(row="r", at="c")
    mutant = text.replace(right, wrong)

    def hold(row: str, *, late: bool, at: int | str) -> str:
        return mutant.format(row=row, at=at) if late else f"{row}.t < {at}"

    fulls = [make_late(draw_history(seed, around=AS_OF), seed=seed) for seed in range(3)]
    known = [known_before(full, pd.Timestamp(AS_OF)) for full in fulls]
    truth = [find_triggers(tables, as_of=AS_OF) for tables in known]
    monkeypatch.setattr(relations, "holds", hold)
    caught = False
    for full, expected in zip(fulls, truth, strict=True):
        try:
            caught |= not find_triggers(full, as_of=AS_OF).equals(expected)
        except SchemaError:  # two versions of one row are two cases, and those are refused
            caught = True
    assert caught


def test_one_moment_later_more_is_known(draw_history: DrawHistory) -> None:
    """The same history: the moment of a case's own row is the first that does not know it."""
    full = draw_history(2, around=AS_OF)
    logins = full["activity"].query("kind == 'cart_add' and item.notna()").sort_values("at")
    moment = logins["at"].iloc[len(logins) // 2].to_pydatetime()
    before = find_triggers(full, as_of=moment)
    after = find_triggers(full, as_of=moment + timedelta(microseconds=1))
    assert (before["began_at"] < moment).all()
    assert (after["began_at"] <= moment).all()
