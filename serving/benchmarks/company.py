"""A simulated company with models, for the benchmarks of serving."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.tables import Tables
from serving.decide import Engine
from serving.publish import learn_bandit
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Customers, Models, Snapshot
from training.datasets.provenance import NotEnoughData
from training.registry.entries import ModelName
from training.registry.servable import (
    ChannelModel,
    ChurnModel,
    SendTimeModel,
    Servable,
    UpliftModel,
)
from training.registry.tracking import Tracking
from training.train import TrainedModel, Trainings, train_all
from training.world.simulated import SimulatedWorld

_HISTORY_DAYS = 150


@dataclass(frozen=True)
class Company:
    """Tables, and a snapshot with models trained on them."""

    tables: Tables
    snapshot: Snapshot


def found_company(home: Path, *, n_customers: int, seed: int) -> Company:
    """Simulate, train without the gate, and take a snapshot."""
    world = SimulatedWorld(seed=seed, n_customers=n_customers, days=_HISTORY_DAYS)
    tables = world.tables(world.start)
    tracking = Tracking.in_folder(home / "mlflow")
    trained = train_all(tables, known_until=world.start, tracking=tracking, seed=seed)
    settings = Settings(home=home)
    parts = wire_parts(settings, clock=lambda: world.start)
    bandit = learn_bandit(tables, parts.store, as_of=world.start, policy=parts.policy)
    parts.store.close()
    snapshot = make_snapshot(tables, as_of=world.start, models=_models_of(trained), bandit=bandit)
    return Company(tables, snapshot)


def grow(snapshot: Snapshot, *, n_customers: int) -> Snapshot:
    """A snapshot of so many customers: those that there are, again and again under new names."""
    known = snapshot.customers
    rows = np.arange(n_customers) % len(known.profile)
    ids = [f"g{n:08d}" for n in range(n_customers)]
    customers = Customers(
        profile=known.profile.iloc[rows].assign(customer_id=ids).reset_index(drop=True),
        churn=known.churn[rows],
        engagement=known.engagement[rows],
        week_counts=known.week_counts[rows],
        p_churn=known.p_churn[rows],
    )
    names = known.profile["customer_id"].tolist()
    contacts = tuple(
        replace(contact, decision_id=f"{contact.decision_id}.{n}", customer_id=ids[n])
        for n, row in enumerate(rows.tolist())
        for contact in snapshot.contacts_by_customer.get(names[row], ())
    )
    return replace(snapshot, customers=customers, contacts=contacts)


def engine_for(snapshot: Snapshot, home: Path) -> Engine:
    """An engine with an empty store in that folder."""
    return wire_parts(Settings(home=home), clock=lambda: snapshot.as_of).engine(snapshot)


def _models_of(trained: Trainings) -> Models:
    churn, channel, send_time, uplift = (
        _model_of(trained[name])
        for name in (ModelName.CHURN, ModelName.CHANNEL, ModelName.SEND_TIME, ModelName.UPLIFT)
    )
    return Models(
        churn if isinstance(churn, ChurnModel) else None,
        channel if isinstance(channel, ChannelModel) else None,
        send_time if isinstance(send_time, SendTimeModel) else None,
        uplift if isinstance(uplift, UpliftModel) else None,
    )


def _model_of(found: TrainedModel | NotEnoughData) -> Servable | None:
    return None if isinstance(found, NotEnoughData) else found.version.model
