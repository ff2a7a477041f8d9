"""What every policy does before it decides."""

from datetime import timedelta
from pathlib import Path

from serving.rehearsal.loop import Sitting
from serving.rehearsal.policies import ask
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
