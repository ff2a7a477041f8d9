from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.store.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        store = Store(tmp_path / "store.db")
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        store = Store(new_database())
    yield store
    store.close()
