"""The chain."""

from collections.abc import Callable
from pathlib import Path

import pytest

from serving.store.store import Store
from tests.serving.autopilot.acting.chain import BRANCHES, Chain, find_detector

ChainMaker = Callable[..., Chain]


@pytest.fixture
def new_chain(store: Store, tmp_path: Path) -> ChainMaker:
    """Makes a chain of seven branches and thirteen topics: 91 streams."""
    home = tmp_path / "home"
    home.mkdir()

    def make(**changes: object) -> Chain:
        chain = Chain(store, home, find_detector(), **changes)  # type: ignore[arg-type]  # a test's own
        for branch in BRANCHES:
            chain.say("c999-stranger", "спасибо, всё понравилось!", branch=branch)
        return chain

    return make


@pytest.fixture
def chain(new_chain: ChainMaker) -> Chain:
    return new_chain()
