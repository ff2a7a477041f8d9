"""What waits while somebody else writes, and how long."""

import asyncio
from collections.abc import Iterator

import pytest

from features.errors import BusyError
from serving.store.engine import patience
from serving.store.store import Store
from serving.turns import take_turn


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Iterator[tuple[Store, Store]]:
    """Two doors to one database."""
    place = (
        request.getfixturevalue("tmp_path") / "store.db"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    both = Store(place), Store(place)
    yield both
    for store in both:
        store.close()


def test_a_writer_that_waited_in_vain_is_told_so_and_can_write_later(
    stores: tuple[Store, Store],
) -> None:
    ours, theirs = stores
    with theirs.transaction(), patience(0.05):
        with ours.reading() as session:
            assert session.find_cancelled() == []
        for _ in range(8):  # more often than there are connections in a pool
            with pytest.raises(BusyError, match="another process is writing"), ours.transaction():
                pytest.fail("two write at once")
    with ours.transaction() as session:
        assert session.find_cancelled() == []


def test_a_turn_is_taken_as_soon_as_it_comes_while_others_are_answered(
    stores: tuple[Store, Store],
) -> None:
    ours, theirs = stores
    seen: list[str] = []

    def write() -> str:
        with ours.transaction():
            seen.append("written")
        return "done"

    async def live() -> str:
        waits = asyncio.create_task(take_turn(write))
        with theirs.transaction():
            for _ in range(3):
                await asyncio.sleep(0.05)
                seen.append("answered")
        return await waits

    assert asyncio.run(live()) == "done"
    assert seen == ["answered", "answered", "answered", "written"]


def test_a_turn_that_never_comes_is_refused_with_nothing_done(
    stores: tuple[Store, Store],
) -> None:
    ours, theirs = stores

    def write() -> None:
        with ours.transaction():
            pytest.fail("two write at once")

    with theirs.transaction(), pytest.raises(BusyError):
        asyncio.run(take_turn(write, n_looks=3))
