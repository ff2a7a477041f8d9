"""How far each part of a value goes: true cents of what would be chosen without it.

Cases of a simulated company that began within a day, one of each customer, no message sent yet.
Truth is `true_value` of the average variant, and the best is the best allowed action by it: a
reference that knows hidden moods and carts. Each row leaves out one part, or takes back one change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from features.economics import default_economics
from features.errors import BadInputError
from features.triggers import find_triggers
from features.vocabulary import Channel
from serving.assemble import CaseBook
from serving.benchmarks.company import engine_for
from serving.decide import LOOK_BACK_US
from serving.policy.actions import ActionGrid, propose_actions
from serving.policy.cases import Cases, Floats, Occasions
from serving.policy.choice import soft_choice
from serving.policy.settings import CHANNELS, PolicySettings, load_policy_settings
from serving.policy.value import ValueGrid, ValueModels, value_actions
from serving.rehearsal.worlds import price_simulated
from serving.requests import requests_of
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models
from training.bandit.files import new_bandit
from training.benchmarks.rows import BenchRow
from training.datasets.provenance import NotEnoughData
from training.registry.entries import ModelName
from training.registry.servable import ChannelModel, SendTimeModel, UpliftModel
from training.registry.tracking import Tracking
from training.train import train_model
from training.world.scenario import scenario_named
from training.world.simulated import SimulatedWorld

CASE: Final = "value_ablation"
_FRESH: Final = timedelta(hours=24)


@dataclass(frozen=True)
class ValuedCases:
    """Cases of one trigger with the truth about their actions.

    Attributes:
        cases: The cases.
        grid: Their actions.
        true_cents: What each is truly worth, (n, K, S) cents.
        true_gain: What of that its message brings about, (n, K, S) cents: before all costs, and
            without the customers that it keeps.
    """

    cases: Cases
    grid: ActionGrid
    true_cents: Floats
    true_gain: Floats


@dataclass(frozen=True)
class Ground:
    """A world's cases with the models that were learned from its history."""

    models: ValueModels
    triggers: tuple[ValuedCases, ...]

    def value(self, part: ValuedCases, settings: PolicySettings) -> ValueGrid:
        """What the engine believes the actions of these cases to be worth."""
        return value_actions(
            part.cases,
            part.grid,
            models=self.models,
            rule=settings.triggers[part.cases.trigger],
            learned=settings.learned,
            economics=default_economics(),
        )


@dataclass(frozen=True)
class Variation:
    """What is changed about values.

    Attributes:
        learned: Settings of the learned policy in place of those that ship.
        forget: Changes what is known of the occasions; None: nothing.
        with_uplift: Whether effects are measured.
    """

    learned: Mapping[str, float] = field(default_factory=dict)
    forget: Callable[[Occasions], Occasions] | None = None
    with_uplift: bool = True


def _forget_age(known: Occasions) -> Occasions:
    return replace(known, age_hours=np.full(len(known.age_hours), np.nan))


def _forget_stakes(known: Occasions) -> Occasions:
    unknown = Occasions.unknown(len(known.age_hours))
    return replace(unknown, age_hours=known.age_hours, expires_us=known.expires_us)


_BOLD = MappingProxyType(
    {"temperature_cents": 1e-3, "temperature_share": 0.0, "wide_share": 0.0, "floor": 1e-9}
)
_WARM = MappingProxyType(
    {"temperature_cents": 2.0, "temperature_share": 0.0, "wide_share": 0.0, "floor": 0.05}
)
_PATIENT = MappingProxyType({"lost_per_unsubscribe": 0.0, "saturation_share": 0.0})

VARIATIONS: Final[Mapping[str, Variation]] = MappingProxyType(
    {
        "as it ships": Variation(),
        "without exploring": Variation(_BOLD),
        "softmax of 2 cents, floor .05": Variation(_WARM),
        "age of the case unknown": Variation(forget=_forget_age),
        "own purchase and margin unknown": Variation(forget=_forget_stakes),
        "beliefs in place of measured effects": Variation(with_uplift=False),
        "measured effects without caution": Variation(MappingProxyType({"caution": 0.0})),
        "neither annoyance nor saturation": Variation(_PATIENT),
    }
)


def bench_value_ablation(
    *, seeds: tuple[int, ...] = (90, 91), n_customers: int = 8000, scenario: str = "calm"
) -> list[BenchRow]:
    """Share of the best's true cents; in a world without effects: of the rules' messages."""
    settings = price_simulated(load_policy_settings())
    grounds = [break_ground(seed, n_customers=n_customers, scenario=scenario) for seed in seeds]
    return measure(grounds, settings, has_effects=scenario_named(scenario).effect > 0.0)


def measure(
    grounds: list[Ground], settings: PolicySettings, *, has_effects: bool
) -> list[BenchRow]:
    """A row for each variation, and one for the rules policy."""
    rows = []
    for name, variation in VARIATIONS.items():
        found = np.array([_try(ground, variation, settings=settings) for ground in grounds])
        cents, best, n_sent, n_rules = found.sum(axis=0)
        share = cents / best if has_effects else n_sent / n_rules
        rows.append(_row(name, share, has_effects=has_effects, n=len(grounds)))
    if has_effects:
        ruled = sum(_take_rules(part) for ground in grounds for part in ground.triggers)
        rows.append(_row("rules policy", ruled / best, has_effects=True, n=len(grounds)))
    return rows


def _row(name: str, ours: float, *, has_effects: bool, n: int) -> BenchRow:
    reference = "best allowed action by the truth" if has_effects else "messages of the rules"
    unit = "share of the best" if has_effects else "share of the messages"
    return BenchRow(CASE, name, float(ours), None, None, 1.0, reference, unit, n)


def _try(
    ground: Ground, variation: Variation, *, settings: PolicySettings
) -> tuple[float, float, float, float]:
    """True cents, those of the best, messages to be expected, and messages of the rules."""
    learned = settings.learned.model_copy(update=dict(variation.learned))
    varied = settings.model_copy(update={"learned": learned})
    uplift = ground.models.uplift if variation.with_uplift else None
    known = replace(ground, models=replace(ground.models, uplift=uplift))
    totals = np.zeros(4)
    for part in ground.triggers:
        cases, grid = part.cases, part.grid
        if variation.forget is not None:
            cases = replace(cases, known_occasions=variation.forget(cases.occasions))
        values = known.value(replace(part, cases=cases), varied)
        p = soft_choice(values.net(), grid, unsure=values.unsure(grid), learned=learned)[:, :-1]
        true_cents = np.where(grid.allowed, part.true_cents, 0.0).reshape(cases.n, -1)
        ruled = grid.rule_action() < grid.n_actions - 1
        best = true_cents.max(axis=1, initial=0.0)
        totals += ((p * true_cents).sum(), best.sum(), p.sum(), ruled.sum())
    cents, best_cents, n_sent, n_rules = totals.tolist()
    return cents, best_cents, n_sent, n_rules


def _take_rules(part: ValuedCases) -> float:
    n = part.cases.n
    flat = np.column_stack([part.true_cents.reshape(n, -1), np.zeros(n)])
    return float(flat[np.arange(n), part.grid.rule_action()].sum())


def break_ground(seed: int, *, n_customers: int, scenario: str) -> Ground:
    """Simulate, train without the gate, and find the fresh cases with their truth."""
    world = SimulatedWorld(seed=seed, n_customers=n_customers, scenario=scenario_named(scenario))
    tables = world.tables(world.start)
    found = find_triggers(tables, as_of=world.start)
    fresh = found[found["began_at"] >= world.start - _FRESH]
    mixed = fresh.sample(frac=1.0, random_state=seed).drop_duplicates("customer_id")
    requests = requests_of(mixed, as_of=world.start, prices=tables["prices"])
    settings = load_policy_settings()
    with TemporaryDirectory() as folder:
        models = _train(world, Path(folder))
        snapshot = make_snapshot(tables, as_of=world.start, models=models, bandit=new_bandit())
        engine = engine_for(snapshot, Path(folder))
        with engine.store.transaction() as session:
            book = CaseBook.read(
                session,
                snapshot,
                requests,
                now=world.start,
                look_back_us=LOOK_BACK_US,
                settings=settings,
            )
    if models.channel is None or models.send_time is None or models.uplift is None:
        raise BadInputError(f"a world of {n_customers} customers is too small to learn from")
    parts = []
    for positions in book.by_trigger():
        cases = book.cases(positions)
        grid = propose_actions(cases, settings=settings)
        parts.append(_find_truth(world, cases, grid))
    return Ground(ValueModels(models.channel, models.send_time, models.uplift), tuple(parts))


def _train(world: SimulatedWorld, folder: Path) -> Models:
    """Models of the history, whatever the gate would say of them."""
    tracking = Tracking.in_folder(folder / "mlflow")
    tables = world.tables(world.start)
    made = []
    for name in (ModelName.CHANNEL, ModelName.SEND_TIME, ModelName.UPLIFT):
        trained = train_model(name, tables, known_until=world.start, tracking=tracking, seed=1)
        made.append(None if isinstance(trained, NotEnoughData) else trained.version.model)
    channel, send_time, uplift = made
    return Models(
        channel=channel if isinstance(channel, ChannelModel) else None,
        send_time=send_time if isinstance(send_time, SendTimeModel) else None,
        uplift=uplift if isinstance(uplift, UpliftModel) else None,
    )


def _find_truth(world: SimulatedWorld, cases: Cases, grid: ActionGrid) -> ValuedCases:
    """The cases with their truth.

    A notice over several channels prevents one call: what it gains is what is left of it when the
    other terms of its messages are taken off.
    """
    by_channel = {channel: _ask(world, cases, grid, channel) for channel in CHANNELS}
    shape = cases.n, grid.n_slots
    totals, gains = [], []
    for channels in grid.sets:
        alone = sum(by_channel[channel][0] for channel in channels)
        others = alone - sum(by_channel[channel][1] for channel in channels)
        total = alone if len(channels) == 1 else _ask_notices(world, cases, grid, channels)
        totals.append(np.reshape(total, shape))
        gains.append(np.reshape(total - others, shape))
    return ValuedCases(cases, grid, np.stack(totals, axis=1), np.stack(gains, axis=1))


def _ask(
    world: SimulatedWorld, cases: Cases, grid: ActionGrid, channel: Channel
) -> tuple[Floats, Floats]:
    """True cents and gain of the channel at every moment, (n x S,) each."""
    truth = world.true_terms(_list_candidates(cases, grid, channel))
    return truth.total, truth.gain


def _ask_notices(
    world: SimulatedWorld, cases: Cases, grid: ActionGrid, channels: Sequence[Channel]
) -> Floats:
    """True cents of a notice over these channels at every moment, (n x S,)."""
    n_notices = cases.n * grid.n_slots
    candidates = pd.concat(
        [_list_candidates(cases, grid, channel) for channel in channels], ignore_index=True
    )
    notice = np.tile(np.arange(n_notices), len(channels))
    cents = world.true_value_of_notices(candidates.assign(notice=notice))
    return np.bincount(notice, cents, minlength=n_notices).astype(np.float64)


def _list_candidates(cases: Cases, grid: ActionGrid, channel: Channel) -> pd.DataFrame:
    """The average message on the channel to each case at every moment, n x S rows."""
    n_slots = grid.n_slots
    return pd.DataFrame(
        {
            "customer_id": np.repeat(np.array(cases.customer_ids, dtype=object), n_slots),
            "trigger": cases.trigger.value,
            "channel": channel.value,
            "send_at": pd.to_datetime(grid.slots_us.ravel(), unit="us", utc=True),
            "variant": pd.Series([None] * (cases.n * n_slots), dtype="object"),
        }
    )
