"""A company's days, posted as they happen, give what its tables give: features, hours, triggers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest

from features.churn import CHURN_FEATURES
from features.declarations import FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, count_hours_of_week, make_spine
from features.tables import Tables
from features.triggers import find_triggers
from serving.online import rebuild
from serving.online.accounts import Account
from serving.online.desk import EventDesk
from serving.online.live import LiveCustomer, read_live
from serving.online.rebuild import rebuild_online
from serving.online.records import Event, EventReport, EventState
from serving.online.triggers import find_online, list_found
from serving.policy.cases import to_us
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.store import Store
from training.bandit.files import new_bandit

Floats = npt.NDArray[np.float64]
SETS = {"churn": CHURN_FEATURES, "engagement": ENGAGEMENT_FEATURES}


class Days(Protocol):
    """See `CompanyDays` in tests/conftest.py."""

    start: datetime
    tables: tuple[Tables, ...]
    news: tuple[list[Event], ...]

    def morning(self, day: int) -> datetime: ...


@pytest.fixture(scope="module")
def snapshot_of_day_0(days: Days) -> Snapshot:
    return make_snapshot(days.tables[0], as_of=days.start, models=Models(), bandit=new_bandit())


@pytest.fixture(scope="module")
def lived(
    days: Days, snapshot_of_day_0: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store rebuilt on the first morning, with every day posted since."""
    store = Store(tmp_path_factory.mktemp("lived") / "store.db")
    rebuild_online(store, days.tables[0], as_of=days.start)
    for day in range(len(days.news)):
        states = post(store, days, day, snapshot_of_day_0)
        assert set(states) == {EventState.APPLIED}
    yield store
    store.close()


def post(store: Store, days: Days, day: int, snapshot: Snapshot) -> list[EventState]:
    """Post a day's news in the evening."""
    evening = days.morning(day + 1) - timedelta(seconds=1)
    report = EventReport(events=days.news[day], known_at=evening, find_triggers=False)
    return EventDesk(store, takes_callers_time=True).take(report, snapshot, now=evening).states


def read_all(store: Store, snapshot: Snapshot, *, as_of: datetime) -> dict[str, LiveCustomer]:
    with store.reading() as session:
        generation = session.online.current_generation()
        assert generation is not None
        ids = sorted(session.online.state_ids(generation.number))
        live = read_live(session.online, snapshot, ids, moments_us=[to_us(as_of)] * len(ids))
    return {ids[position]: customer for position, customer in live.items()}


def assert_same_as_tables(
    live: dict[str, LiveCustomer], tables: Tables, *, as_of: datetime
) -> None:
    assert len(live) > 100
    spine = make_spine(live, as_of=as_of)
    for name, features in SETS.items():
        served = np.vstack([getattr(customer, name) for customer in live.values()])
        np.testing.assert_allclose(served, build(tables, spine, features), rtol=0, atol=1e-9)
    hours = np.vstack([customer.week_counts for customer in live.values()])
    np.testing.assert_allclose(hours, count_hours_of_week(tables, spine), rtol=0, atol=1e-9)


def build(tables: Tables, spine: object, features: FeatureSet) -> Floats:
    frame = build_features(tables, spine, features=features)  # type: ignore[arg-type]
    return frame[list(features.names)].to_numpy(dtype=np.float64)


def test_posted_days_give_the_features_of_the_tables(
    lived: Store, days: Days, snapshot_of_day_0: Snapshot
) -> None:
    as_of = days.morning(3) + timedelta(hours=7)

    live = read_all(lived, snapshot_of_day_0, as_of=as_of)

    assert_same_as_tables(live, days.tables[3], as_of=as_of)


def test_posted_days_give_the_triggers_of_the_tables(lived: Store, days: Days) -> None:
    batch = list_found(find_triggers(days.tables[3], as_of=days.morning(3)))

    with lived.reading() as session:
        generation = session.online.current_generation()
        assert generation is not None
        ids = session.online.state_ids(generation.number)
        online = find_online(session.online, generation, ids, as_of=days.morning(3))

    def by_key(found: object) -> list[str]:
        return sorted(map(repr, found))  # type: ignore[call-overload]

    assert len(batch) > 20
    assert len({case.trigger for case in batch}) >= 4
    assert by_key(online) == by_key(batch)


def test_posting_the_same_days_again_changes_nothing(
    lived: Store, days: Days, snapshot_of_day_0: Snapshot
) -> None:
    """Rows without identity would count twice: they were posted without an event_id."""
    keyed = [event for event in days.news[2] if event.table not in ("activity", "surveys")]
    later = days.morning(3)
    before = read_all(lived, snapshot_of_day_0, as_of=later + timedelta(hours=1))

    receipt = EventDesk(lived, takes_callers_time=True).take(
        EventReport(events=keyed, known_at=later), snapshot_of_day_0, now=later
    )

    assert len(keyed) > 20
    assert set(receipt.states) == {EventState.DUPLICATE}
    assert (receipt.churn, receipt.triggers) == ([], [])
    after = read_all(lived, snapshot_of_day_0, as_of=later + timedelta(hours=1))
    assert all((after[c].churn == before[c].churn)[~np.isnan(before[c].churn)].all() for c in after)


@pytest.mark.parametrize("from_day", [0, 2, 3])
def test_rebuild_puts_the_log_on_top_of_any_tables(
    from_day: int, lived: Store, days: Days, snapshot_of_day_0: Snapshot
) -> None:
    """What the tables hold by now and the log holds too counts once."""
    as_of = days.morning(3) + timedelta(hours=7)

    made = rebuild_online(lived, days.tables[from_day], as_of=days.morning(from_day))

    assert made.n_replayed > 20
    live = read_all(lived, snapshot_of_day_0, as_of=as_of)
    assert len(live) == made.n_customers
    assert_same_as_tables(live, days.tables[3], as_of=as_of)


def test_states_of_other_declarations_are_made_anew_when_they_are_asked_for(
    lived: Store, days: Days, snapshot_of_day_0: Snapshot
) -> None:
    with lived.transaction() as session:
        generation = session.online.current_generation()
        assert generation is not None
        number = generation.number
        ids = session.online.state_ids(number)
        stored = session.online.find_states(number, ids)
        old = [replace(state, layout="of old", state=b"?") for state in stored.values()]
        session.online.put_states(number, old)
    as_of = days.morning(3) + timedelta(hours=7)

    with lived.transaction() as session:
        read_live(session.online, snapshot_of_day_0, ids, moments_us=[to_us(as_of)] * len(ids))

    with lived.reading() as session:
        now = session.online.find_states(number, ids)
    assert {state.layout for state in now.values()} == {next(iter(stored.values())).layout}
    live = read_all(lived, snapshot_of_day_0, as_of=as_of)
    assert_same_as_tables(live, days.tables[3], as_of=as_of)


def test_facts_that_arrive_during_a_rebuild_are_not_lost(
    days: Days, snapshot_of_day_0: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store.db")
    rebuild_online(store, days.tables[0], as_of=days.start)
    post(store, days, 0, snapshot_of_day_0)
    make_accounts = rebuild._make_accounts

    waiting = [1]

    def post_meanwhile(lot: Any, *, as_of: datetime) -> list[Account]:
        while waiting:
            post(store, days, waiting.pop(), snapshot_of_day_0)
        return make_accounts(lot, as_of=as_of)

    monkeypatch.setattr(rebuild, "_make_accounts", post_meanwhile)
    rebuild_online(store, days.tables[0], as_of=days.start)

    as_of = days.morning(2) + timedelta(hours=7)
    live = read_all(store, snapshot_of_day_0, as_of=as_of)
    store.close()
    assert_same_as_tables(live, days.tables[2], as_of=as_of)
