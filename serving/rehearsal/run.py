"""A rehearsal from worlds to figures: models once a world, then every policy in its own copy."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from features.vocabulary import Channel
from serving.policy.settings import PolicySettings
from serving.rehearsal.days import Period, PolicyDays, count_days
from serving.rehearsal.loop import Actor, Sitting, rehearse
from serving.rehearsal.oracle import OracleActor, find_best_channel
from serving.rehearsal.policies import (
    Cadence,
    EngineActor,
    Learning,
    NobodyActor,
    PolicyName,
    settings_of,
)
from serving.rehearsal.shelf import find_missing, read_models, train_models
from serving.rehearsal.worlds import WorldSource
from serving.runtime import EngineParts, wire_parts
from serving.settings import Settings
from serving.snapshot.state import Models
from training.world.protocol import World


@dataclass(frozen=True)
class RehearsalPlan:
    """What is rehearsed.

    Attributes:
        source: Where worlds come from.
        seeds: Of the worlds.
        n_days: Days of the loop.
        last_days: Of them, the last ones that the ratios are about.
        policies: Side by side.
        cadence: How often models are made and scores taken.
        settings: Policy, prices and texts; its home is not touched.
        models: Folder in which trained models are kept for the next rehearsal; None keeps none.
        n_processes: At once.
    """

    source: WorldSource
    seeds: Sequence[int]
    n_days: int
    last_days: int = 20
    policies: Sequence[PolicyName] = tuple(PolicyName)
    cadence: Cadence = field(default_factory=Cadence)
    settings: Settings = field(default_factory=Settings)
    models: Path | None = None
    n_processes: int = 1


@dataclass(frozen=True)
class _Task:
    """One world, and where its models are."""

    plan: RehearsalPlan
    case: str
    seed: int
    registry: Path


def run_rehearsal(plan: RehearsalPlan) -> Iterator[PolicyDays]:
    """Rehearse every policy in every world; results as they come.

    Raises:
        ConfigurationError: A world cannot be made.
    """
    with TemporaryDirectory(prefix="opportune-rehearsal-") as folder:
        shelves = plan.models or Path(folder)
        tasks = [
            _Task(plan, case, seed, shelves / f"{case}-{seed}")
            for seed in plan.seeds
            for case in plan.source.cases
        ]
        if plan.n_processes == 1:
            for task in tasks:
                _train(task)
                for policy in plan.policies:
                    yield _act(task, policy)
            return
        yield from _run_in_processes(plan, tasks)


def _run_in_processes(plan: RehearsalPlan, tasks: Sequence[_Task]) -> Iterator[PolicyDays]:
    """Trainings first come first; a world's policies as soon as its models are there."""
    with ProcessPoolExecutor(plan.n_processes, mp_context=get_context("spawn")) as pool:
        trainings: dict[Future[None], _Task] = {pool.submit(_train, task): task for task in tasks}
        acting: list[Future[PolicyDays]] = []
        for training in as_completed(trainings):
            training.result()
            task = trainings[training]
            acting += [pool.submit(_act, task, policy) for policy in plan.policies]
        for done in as_completed(acting):
            yield done.result()


def _train(task: _Task) -> None:
    """Models from the history, unless they are there."""
    world = task.plan.source.make(task.case, seed=task.seed)
    train_models(
        world.tables(world.start), known_until=world.start, seed=task.seed, folder=task.registry
    )


def _act(task: _Task, policy: PolicyName) -> PolicyDays:
    """One policy in its own copy of the world, on a store of its own."""
    began = time.perf_counter()
    plan = task.plan
    world = plan.source.make(task.case, seed=task.seed)
    models = read_models(task.registry)
    period = Period(world.start, plan.n_days)
    before = world.tables(world.start)
    with TemporaryDirectory(prefix="opportune-rehearsal-") as folder:
        home = Path(folder)
        settings = plan.settings.model_copy(
            update={"home": home, "clock": "caller", "store": None, "served_share": 0.0}
        )
        parts = wire_parts(settings, clock=lambda: world.start)
        parts = replace(parts, policy=plan.source.price(parts.policy))
        actor = _make_actor(policy, world, parts=parts, models=models, task=task, home=home)
        try:
            log = rehearse(world, actor, n_days=plan.n_days, every_hours=plan.cadence.decide_hours)
        finally:
            parts.store.close()
    after = world.tables(period.end)
    daily, customers = count_days(log, before, after, period=period, settings=parts.policy)
    seconds = time.perf_counter() - began
    missing = find_missing(task.registry)
    return PolicyDays(policy.value, task.case, task.seed, daily, customers, seconds, missing)


def _make_actor(
    policy: PolicyName,
    world: World,
    *,
    parts: EngineParts,
    models: Models,
    task: _Task,
    home: Path,
) -> Actor:
    cadence = task.plan.cadence
    if policy is PolicyName.NOBODY:
        return NobodyActor()
    channel: Channel | None = None
    if policy is PolicyName.SINGLE_CHANNEL:
        channel = find_best_channel(world, parts=parts)
    shipped: PolicySettings = parts.policy
    own = replace(parts, policy=settings_of(policy, shipped, channel=channel))
    if policy is PolicyName.ORACLE:
        return OracleActor(world, own, models, cadence)
    if policy is not PolicyName.LEARNED:
        return EngineActor(own, models, cadence)

    def retrain(morning: Sitting) -> Models:
        return train_models(
            morning.tables,
            known_until=morning.now,
            seed=task.seed,
            folder=home / f"registry-{morning.day}",
        )

    return EngineActor(own, models, cadence, Learning(retrain))
