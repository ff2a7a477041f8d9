"""A small workflow on a fresh store."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.store.store import Store
from tests.serving.workflows.small import Small, read_spec

SmallMaker = Callable[[str], Small]


@pytest.fixture(scope="session")
def new_store(_new_store: Path) -> Path:
    """A store without anything in it, to copy."""
    return _new_store


@pytest.fixture(params=[True, False], ids=["kept", "anew"])
def small(request: pytest.FixtureRequest, _new_store: Path, tmp_path: Path) -> Iterator[SmallMaker]:
    """Makes a workflow of its steps; sleeping in memory, or begun anew at every wake-up."""
    stores: list[Store] = []

    def make(steps: str) -> Small:
        home = tmp_path / f"home{len(stores)}"
        home.mkdir()
        shutil.copy(_new_store, home / "store.db")
        stores.append(Store(home / "store.db"))
        return Small(stores[-1], home, read_spec(steps), keeps=request.param)

    yield make
    for store in stores:
        store.close()
