"""A simulated world with known truth: all models, then some days in a closed loop over HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.tables import Tables
from serving.client import ServiceClient
from serving.demo.real import Stage, promote_all
from serving.following import follow
from serving.launch import find_free_port, running_service
from serving.publish import load_champions, publish
from serving.records import Decision, OutcomeEvent, OutcomeState
from serving.rehearsal.loop import RehearsalLog, Sitting, rehearse
from serving.requests import requests_of
from serving.runtime import wire_parts
from serving.settings import Settings
from training.gate import Hold, Promote
from training.registry.tracking import Tracking
from training.train import Trainings, train_all
from training.world.simulated import SimulatedWorld


@dataclass(frozen=True)
class SimulatedSize:
    """How much is simulated."""

    n_customers: int = 5000
    history_days: int = 180
    loop_days: int = 6


@dataclass(frozen=True)
class SimulatedResult:
    """What came of the simulated world.

    Attributes:
        size: How much was simulated.
        sizes: Rows by table before the loop.
        training: What became of each model.
        gate: What the gate said of each.
        log: What happened in the closed loop.
        n_rewards_before: Rewards that the bandit had learned from before the loop.
        n_rewards_after: Rewards that it had learned from in the end.
    """

    size: SimulatedSize
    sizes: dict[str, int]
    training: Trainings
    gate: Sequence[Promote | Hold]
    log: RehearsalLog
    n_rewards_before: int
    n_rewards_after: int


@dataclass(frozen=True)
class ServiceActor:
    """The service as it runs: a snapshot is published in the morning, the rest goes over HTTP.

    Attributes:
        client: Of the service.
        publish: Lets the service know what is known that morning.
    """

    client: ServiceClient
    publish: Callable[[Tables, datetime], None]

    def decide(self, morning: Sitting, /) -> list[Decision]:
        """Every case of the morning."""
        self.publish(morning.tables, morning.now)
        prices = morning.tables.get("prices")
        requests = requests_of(morning.found, as_of=morning.now, prices=prices)
        return self.client.decide_many(requests)

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        """Outcomes of the day before."""
        return self.client.report(outcomes)


def run_simulated(
    settings: Settings, *, size: SimulatedSize, stage: Stage, seed: int
) -> SimulatedResult:
    """Simulate, train, serve, and close the loop; state goes to the settings' home."""
    with stage(f"simulated world: {size.n_customers:,} customers, {size.history_days} days"):
        world = SimulatedWorld(seed=seed, n_customers=size.n_customers, days=size.history_days)
        start = world.start
        tables = world.tables(start)
    tracking = Tracking.in_folder(settings.registry)
    with stage("simulated world: training and judging models"):
        training = train_all(tables, known_until=start, tracking=tracking, seed=seed)
        gate = promote_all(training, tables, known_until=start, tracking=tracking, seed=seed)
    serving = settings.model_copy(update={"clock": "caller", "port": find_free_port(settings.host)})
    parts = wire_parts(serving, clock=lambda: start)
    models = load_champions(tracking)
    versions: list[int] = []

    def publish_morning(known: Tables, now: datetime) -> None:
        followed = follow(models, known, as_of=now)
        snapshot = publish(
            serving, known, as_of=now, models=followed, policy=parts.policy, store=parts.store
        )
        versions.append(snapshot.bandit.version)

    with stage(f"simulated world: {size.loop_days} days in a closed loop over HTTP"):
        publish_morning(tables, start)
        with running_service(serving, log=settings.home / "service.log") as client:
            log = rehearse(world, ServiceActor(client, publish_morning), n_days=size.loop_days)
        end = start + timedelta(days=size.loop_days)
        publish_morning(world.tables(end), end)
    parts.store.close()
    return SimulatedResult(
        size=size,
        sizes={name: len(frame) for name, frame in tables.items()},
        training=training,
        gate=gate,
        log=log,
        n_rewards_before=versions[0],
        n_rewards_after=versions[-1],
    )
