from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.corridor.desk import CorridorDesk
from serving.store.store import Store
from tests.serving.corridor.small import make_corridor


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


@pytest.fixture
def desk(home: Path) -> CorridorDesk:
    return CorridorDesk(make_corridor(), home=home)
