"""What every policy does before it decides."""

from datetime import timedelta
from pathlib import Path

import pandas as pd

from serving.rehearsal.loop import Sitting
from serving.rehearsal.policies import _sent_between, ask
from serving.runtime import wire_parts
from serving.settings import Settings
from tests.conftest import AS_OF
from training.world.simulated import SimulatedWorld


def test_disruptions_of_the_tables_open_incidents_before_a_morning_is_decided(
    tmp_path: Path,
) -> None:
    world = SimulatedWorld(seed=5, n_customers=200, days=40)
    tables = world.tables(world.start)
    disruption = tables["disruptions"].tail(1)
    now = disruption["starts_at"].item().to_pydatetime() + timedelta(minutes=1)
    parts = wire_parts(Settings(home=tmp_path, clock="caller"), clock=lambda: AS_OF)

    ask(Sitting(0, now, tables), [], parts=parts)

    with parts.store.reading() as session:
        opened = session.incidents.find_all()
    expected = f"disruption/{disruption['disruption_id'].item()}"
    assert expected in [incident.incident_id for incident in opened]
    assert {incident.region for incident in opened} <= set(tables["customers"]["region"])


def test_learning_knows_who_left_by_a_message_that_is_settled() -> None:
    """Whoever left cannot answer a later message either; a server reads all of the tables."""
    start = AS_OF - timedelta(days=4)
    sent = [start - timedelta(days=6), start - timedelta(days=6), start - timedelta(days=1), start]
    ids = ["left by", "before", "between", "ours"]
    tables = {
        "messages": pd.DataFrame({"message_id": ids, "sent_at": pd.to_datetime(sent, utc=True)}),
        "outcomes": pd.DataFrame(
            {
                "message_id": ["left by", "before"],
                "outcome": ["unsubscribed", "converted"],
                "at": pd.to_datetime([AS_OF, AS_OF], utc=True),
            }
        ),
    }
    read = _sent_between(tables, start - timedelta(days=2), start)
    assert read["messages"]["message_id"].tolist() == ["left by", "between"]
    assert len(read["outcomes"]) == 2
