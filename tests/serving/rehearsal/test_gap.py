"""The gap in a shop whose truth is plain: e-mail brings 2 cents, push 10, whatever else is done."""

from pathlib import Path

import pandas as pd
import pytest

from serving.benchmarks.rehearsal_gap import make_gap_rows
from serving.rehearsal.gap import GapWitness
from serving.rehearsal.loop import rehearse
from serving.rehearsal.oracle import Chooser
from serving.rehearsal.policies import Cadence, EngineActor
from serving.rehearsal.worlds import Foreign
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.state import Models

EMAIL, PUSH = 2.0, 10.0
N_DAYS = 2


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Without models the learned arm does what the rules do: an e-mail."""
    world = Foreign(Path(__file__).with_name("corner_shop.py"), "CornerShop").make(
        "CornerShop", seed=0
    )
    settings = Settings(home=tmp_path_factory.mktemp("home"), clock="caller")
    parts = wire_parts(settings, clock=lambda: world.start)
    actor = EngineActor(parts, Models(), Cadence())
    witness = GapWitness(actor, Chooser(world, parts))
    rehearse(world, witness, n_days=N_DAYS)
    parts.store.close()
    return pd.concat(witness.found, ignore_index=True)


def test_compare_changes_one_thing_at_a_time(found: pd.DataFrame) -> None:
    sent = found[found["as_sent"] != 0]

    assert set(found["day"]) == set(range(N_DAYS))
    assert len(sent) > 20
    assert (
        sent[["as_sent", "average_wording", "any_wording", "best_wording", "best_hour"]] == EMAIL
    ).all(axis=None)
    assert (sent["best_channels"] == PUSH).all()
    assert (found["best"] == PUSH).all()


def test_gap_rows_stand_beside_the_best(found: pd.DataFrame) -> None:
    rows = {(row.case, row.metric): row for row in make_gap_rows(found)}

    as_sent = rows["rehearsal_gap/all", "as_sent"]
    assert as_sent.ours == pytest.approx(found["as_sent"].mean())
    assert (as_sent.reference, as_sent.n) == (PUSH, len(found))
    assert ("rehearsal_gap/abandoned_cart", "best_channels") in rows
