from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.store.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store; the tests of PostgreSQL skip where it is not installed."""
    place: Path | str = tmp_path / "store.db"
    if request.param == "postgresql":
        new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        place = new_database()
    with closing(Store(place)) as opened:
        yield opened
