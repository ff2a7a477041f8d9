"""Beds to test cases in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from features.vocabulary import Factor
from serving.decide import Engine
from serving.playbooks.seen import Seen
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.serving.playbooks.small import Bed, with_risk

BedMaker = Callable[..., Bed]


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Factor, ...]]:
    """Why customers may leave; low usage and the bill where nothing is told."""
    told: dict[str, tuple[Factor, ...]] = {}
    usual = (Factor.LOW_USAGE, Factor.BILLING_CONCERNS)
    monkeypatch.setattr(Seen, "find_factors", lambda seen, _: told.get(seen.customer_id, usual))
    return told


@pytest.fixture
def bed_of(
    store: Store,
    engine_of: Callable[[Snapshot], Engine],
    snapshot: Snapshot,
    tmp_path: Path,
    reasons: dict[str, tuple[Factor, ...]],  # told to the model
) -> BedMaker:
    """A bed in which customers have these probabilities."""

    def make(risk: Mapping[str, float], **more: Any) -> Bed:
        return Bed(store, engine_of(with_risk(snapshot, risk)), tmp_path, **more)

    return make
