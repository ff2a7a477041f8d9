import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from features.errors import ConflictError
from serving.store.kept import ServedLot, StoredFact, StoredState
from serving.store.schema import decisions, served
from serving.store.served import pack_served, unpack_served
from serving.store.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    place: Path | str = tmp_path / "store.db"
    if request.param == "postgresql":
        new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        place = new_database()
    opened = Store(place)
    yield opened
    opened.close()


def fact(
    said: str,
    *,
    at: int = 0,
    owner: str = "customer/c1",
    event_id: str | None = None,
    identity: str | None = None,
    is_told_once: bool = False,
) -> StoredFact:
    return StoredFact(owner, "orders", f'"{said}"', at, event_id, identity, is_told_once, said)


def test_append_takes_each_event_id_once(store: Store) -> None:
    with store.transaction() as session:
        first = session.online.append(
            [fact("a", event_id="e1"), fact("b", event_id="e1"), fact("c"), fact("c")]
        )
    with store.transaction() as session:
        again = session.online.append([fact("a", event_id="e1"), fact("d", event_id="e2")])
        kept = [f.row for f in session.online.read_facts(["customer/c1"])]

    assert first == [True, False, True, True]
    assert again == [False, True]
    assert kept == ['"a"', '"c"', '"c"', '"d"']


def test_append_takes_a_version_unless_it_says_what_the_last_one_said(store: Store) -> None:
    versions = [fact(said, identity="orders/o1") for said in ("a", "a", "b", "a", "a")]

    with store.transaction() as session:
        new = [session.online.append([version])[0] for version in versions]

    assert new == [True, False, True, True, False]


def test_append_takes_what_is_told_once_only_once(store: Store) -> None:
    told = [fact(said, identity="messages/m1", is_told_once=True) for said in ("a", "b")]

    with store.transaction() as session:
        assert session.online.append(told) == [True, False]


def test_last_known_us_is_of_all_facts(store: Store) -> None:
    with store.transaction() as session:
        assert session.online.last_known_us() is None
        session.online.append([fact("a", at=5), fact("b", at=9, owner="item/tea"), fact("c", at=7)])
        assert session.online.last_known_us() == 9
        assert session.online.last_seq() == 3
        assert set(session.online.owners_after(1)) == {"item/tea", "customer/c1"}
        assert session.online.owners_after(2) == ["customer/c1"]


def state(customer_id: str, said: bytes = b"1") -> StoredState:
    return StoredState(customer_id, "layout", "[]", "[]", said)


def test_readers_see_the_old_generation_until_the_new_one_is_whole(store: Store) -> None:
    with store.transaction() as session:
        online = session.online
        assert online.current_generation() is None
        first = online.begin_generation(as_of_us=5, tables=("customers",), layout="layout")
        online.put_states(first, [state("c1"), state("c2")])
        online.put_histories(first, [("customer/c1", b"rows")])
        assert online.current_generation() is None
        assert online.make_current(first) == 2
    with store.transaction() as session:
        second = session.online.begin_generation(as_of_us=9, tables=(), layout="layout")
        session.online.put_states(second, [state("c1", b"2")])

    with store.transaction() as session:
        online = session.online
        before = online.current_generation()
        assert before is not None
        assert before.number == first
        assert online.find_states(first, ["c1"])["c1"].state == b"1"
        assert online.make_current(second) == 1
        after = online.current_generation()
        assert after is not None
        assert (after.number, after.as_of_us) == (second, 9)
        assert online.find_states(first, ["c1", "c2"]) == {}
        assert online.find_histories(first, ["customer/c1"]) == {}
        assert online.find_states(second, ["c1"])["c1"].state == b"2"


def test_a_rebuild_that_was_overtaken_says_so(store: Store) -> None:
    with store.transaction() as session:
        first = session.online.begin_generation(as_of_us=1, tables=(), layout="a")
        second = session.online.begin_generation(as_of_us=2, tables=(), layout="a")
        assert second > first
        with pytest.raises(ConflictError, match="another rebuild"):
            session.online.make_current(first)


def test_put_states_replaces_what_was_there(store: Store) -> None:
    with store.transaction() as session:
        online = session.online
        online.put_states(1, [state("c1"), state("c2")])
        online.put_states(1, [state("c1", b"new")])
        kept = {k: s.state for k, s in online.find_states(1, ["c1", "c2"]).items()}
        assert kept == {"c1": b"new", "c2": b"1"}


def test_links_are_remembered_once(store: Store) -> None:
    pairs = [("tracking/t1", "c1"), ("tracking/t1", "c1"), ("tracking/t1", "c2")]
    with store.transaction() as session:
        session.online.add_links(pairs)
        session.online.add_links(pairs[:1])
        found = session.online.find_linked(["tracking/t1", "tracking/t2"])

    assert {owner: sorted(ids) for owner, ids in found.items()} == {"tracking/t1": ["c1", "c2"]}


@pytest.mark.parametrize("few", [0, 8], ids=["in columns", "in rows"])
def test_served_features_come_back_as_they_were(
    store: Store, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lots, and rows that an earlier version kept, between two moments."""
    monkeypatch.setattr("serving.store.served._FEW", few)
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(4, 7))
    numbers[2, 3] = np.nan
    lot = ServedLot(
        ["d1", "d2", "d3", "d4"],
        ["c1", "c2", "c3", "c4"],
        np.array([5, 6, 7, 8]),
        np.array([True, False, True, True]),
        "f",
        numbers,
    )
    with store.transaction() as session:
        connection = session.online._connection
        connection.execute(
            insert(decisions),
            [
                {
                    "decision_id": f"d{n}", "customer_id": f"c{n}", "trigger": "price_drop",
                    "decided_at_us": 6, "arm": "learned", "send": False, "reason": "holdout",
                    "propensity": 1.0, "record": "{}",
                }
                for n in range(5)
            ],
        )  # fmt: skip
        session.online.add_served(lot)
        connection.execute(
            insert(served),
            {
                "decision_id": "d0",
                "customer_id": "c0",
                "as_of_us": 6,
                "online": False,
                "features": "old",
                "numbers": zlib.compress(numbers[0].astype("<f8").tobytes()),
            },
        )
        online = session.online
        found = list(online.read_served(since_us=6, until_us=8))
        counts = [online.count_served(since_us=since) for since in (5, 6, 8, 9)]
        n_served = online.count().n_served

    assert [row.decision_id for row in found] == ["d0", "d2", "d3"]
    assert [row.online for row in found] == [False, False, True]
    assert [row.features for row in found] == ["old", "f", "f"]
    np.testing.assert_array_equal([row.numbers for row in found], numbers[[0, 1, 2]])
    assert counts == [5, 4, 1, 0]
    assert n_served == 5


def test_served_numbers_are_packed_exactly() -> None:
    """Counts and parts of them take two bytes, and nothing is rounded to one."""
    numbers = np.array(
        [
            [3.0, 0.25, 0.1, -0.0, np.nan, 2047.9375, 2048.0, -2.5],
            [0.0, 12.5, 2.0, 1.0, 2.0, 7.0, 1.0, -2048.0],
        ]
    )
    lot = ServedLot(
        ["d1", "d2"], ["c1", "c2"], np.array([5, 6]), np.array([True, False]), "f", numbers
    )
    found = unpack_served(pack_served(lot))

    np.testing.assert_array_equal(found.numbers, numbers)
    np.testing.assert_array_equal(np.signbit(found.numbers), np.signbit(numbers))
    assert (found.decision_ids, found.customer_ids, found.features) == (
        lot.decision_ids, lot.customer_ids, "f",
    )  # fmt: skip
