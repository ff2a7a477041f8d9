"""Playbooks rehearsed: worlds with a past to learn from, and every policy in its own copy."""

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from serving.playbooks.settings import Playbooks, StartBy
from serving.rehearsal.playbooks.knowledge import Knowledge, learn_from_history
from serving.rehearsal.playbooks.loop import PlaybookRun, Span, rehearse_playbooks
from serving.rehearsal.playbooks.policies import PlaybookPolicy
from serving.runtime import wire_parts
from serving.settings import Settings
from training.world.acting.simulated import SimulatedActingWorld
from training.world.scenario import scenario_named


@dataclass(frozen=True)
class PlaybookPlan:
    """What is rehearsed.

    Attributes:
        seeds: Of the worlds.
        n_customers: Of each world.
        history_days: Days before the start.
        n_places: How many cases may be open at once, in every policy.
        span: How long is acted and watched.
        scenarios: Of the world.
        policies: Side by side.
        settings: Playbooks, prices and texts; their home is not touched.
        n_processes: Worlds at once.
    """

    seeds: Sequence[int]
    n_customers: int
    history_days: int
    n_places: int
    span: Span
    scenarios: Sequence[str] = ("calm",)
    policies: Sequence[PlaybookPolicy] = tuple(PlaybookPolicy)
    settings: Settings = field(default_factory=Settings)
    n_processes: int = 1


@dataclass(frozen=True)
class NothingLearned:
    """A world in which nothing could be rehearsed, and why.

    Attributes:
        case: The world's.
        seed: The world's.
        reason: What there was too little of.
    """

    case: str
    seed: int
    reason: str


def run_playbooks(plan: PlaybookPlan) -> Iterator[PlaybookRun | NothingLearned]:
    """Rehearse every policy in every world; results as they come."""
    worlds = [(case, seed) for case in plan.scenarios for seed in plan.seeds]
    if plan.n_processes == 1:
        for case, seed in worlds:
            yield from _rehearse_world(plan, case, seed)
        return
    with ProcessPoolExecutor(plan.n_processes, mp_context=get_context("spawn")) as pool:
        found = [pool.submit(_rehearse_all, plan, case, seed) for case, seed in worlds]
        for done in as_completed(found):
            yield from done.result()


def _rehearse_all(plan: PlaybookPlan, case: str, seed: int) -> list[PlaybookRun | NothingLearned]:
    return list(_rehearse_world(plan, case, seed))


def _rehearse_world(
    plan: PlaybookPlan, case: str, seed: int
) -> Iterator[PlaybookRun | NothingLearned]:
    world = SimulatedActingWorld(
        seed=seed,
        n_customers=plan.n_customers,
        days=plan.history_days,
        scenario=scenario_named(case),
    )
    knowledge = learn_from_history(world, history_days=plan.history_days, seed=seed)
    if isinstance(knowledge, str):
        yield NothingLearned(case, seed, knowledge)
        return
    for policy in plan.policies:
        yield _rehearse_one(
            plan, policy, copy.deepcopy(world), knowledge=knowledge, case=case, seed=seed
        )


def _rehearse_one(
    plan: PlaybookPlan,
    policy: PlaybookPolicy,
    world: SimulatedActingWorld,
    *,
    knowledge: Knowledge,
    case: str,
    seed: int,
) -> PlaybookRun:
    """One policy in its own copy of the world, on a store of its own."""
    with TemporaryDirectory(prefix="opportune-rehearsal-") as folder:
        home = Path(folder)
        settings = plan.settings.model_copy(
            update={"home": home, "clock": "caller", "store": None, "served_share": 0.0}
        )
        parts = wire_parts(settings, clock=lambda: world.start)
        playbooks = give_places(parts.opener.playbooks, n=plan.n_places)
        parts = replace(parts, opener=replace(parts.opener, playbooks=playbooks))
        try:
            return rehearse_playbooks(
                policy,
                world,
                parts=parts,
                knowledge=knowledge,
                span=plan.span,
                home=home,
                case=case,
                seed=seed,
            )
        finally:
            parts.store.close()


def give_places(playbooks: Playbooks, *, n: int) -> Playbooks:
    """The playbooks with room for as many cases, and one case at most of each customer."""
    start = playbooks.start
    capacity = start.capacity.model_copy(update={"cases": n})
    changed = {"by": StartBy.CAPACITY, "capacity": capacity, "cool_down_days": 365.0}
    return playbooks.model_copy(update={"start": start.model_copy(update=changed)})
