"""The chain, and what is watched by."""

from collections.abc import Callable
from pathlib import Path

import pytest

from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.autopilot.watch.prepared import PreparedDetector, assume_detector
from serving.store.store import Store
from tests.serving.autopilot.acting.chain import BRANCHES, Chain

ChainMaker = Callable[..., Chain]


@pytest.fixture(scope="session")
def prepared() -> PreparedDetector:
    return assume_detector(load_taxonomy("salon"), zone="Asia/Almaty", settings=DetectionSettings())


@pytest.fixture
def new_chain(store: Store, prepared: PreparedDetector, tmp_path: Path) -> ChainMaker:
    """Makes a chain of seven branches and thirteen topics: 91 streams."""
    home = tmp_path / "home"
    home.mkdir()

    def make(**changes: object) -> Chain:
        chain = Chain(store, home, prepared, **changes)  # type: ignore[arg-type]  # a test's own
        for branch in BRANCHES:
            chain.say("c999-stranger", "спасибо, всё понравилось!", branch=branch)
        return chain

    return make


@pytest.fixture
def chain(new_chain: ChainMaker) -> Chain:
    return new_chain()
