"""Who is moved, in a world whose truth is known: the model's Qini beside the oracle's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.engagement import ENGAGEMENT_FEATURES
from features.errors import NotReadyError
from features.vocabulary import Trigger
from training.benchmarks.rows import BenchRow
from training.datasets.channel import look_up
from training.datasets.provenance import NotEnoughData, build_matrix
from training.datasets.uplift import build_uplift_dataset
from training.measures import Bools, Floats
from training.registry.servable import CHANNELS, TRIGGERS, Belonging, BoosterModel
from training.uplift.measures import true_qini
from training.uplift.train import TrainedUplift, train_uplift
from training.world.simulated import SimulatedWorld
from training.world.truth_uplift import TrueEffects, watch_effects

CASE: Final = "world"
N_CUSTOMERS: Final = 20_000
DAYS: Final = 180
WATCHED_DAYS: Final = 10
MARKETING: Final = frozenset(
    {
        Trigger.ABANDONED_CART,
        Trigger.BROWSE_ABANDONMENT,
        Trigger.PRICE_DROP,
        Trigger.INACTIVITY,
    }
)
"""Messages that may bring an order; `churn_risk` is about staying."""

SERVICE: Final = frozenset(t for t in Trigger if t.is_service and t is not Trigger.INCIDENT_UPDATE)


@dataclass(frozen=True)
class Ranking:
    """Share of the oracle's Qini that scores reach, on messages that could be sent later.

    Attributes:
        model: Of the uplift model.
        response: Of the response model.
        coverage: Share of the true effects inside the model's 95 % intervals.
        n_pairs: Messages (customer, trigger, channel) that were ranked.
    """

    model: float
    response: float
    coverage: float
    n_pairs: int


def bench_world_uplift(
    *, seeds: Sequence[int], n_customers: int = N_CUSTOMERS, days: int = DAYS
) -> list[BenchRow]:
    """Qini over the oracle's, on cases that open in the days after the history.

    Args:
        seeds: Of the worlds, one training each.
        n_customers: Of a world.
        days: Of its history.
    """
    marketing, everything = [], []
    for seed in seeds:
        world = SimulatedWorld(seed=seed, n_customers=n_customers, days=days)
        trained = train_in(world, seed=seed)
        effects = watch_effects(world, days=WATCHED_DAYS, triggers=MARKETING | SERVICE)
        scores = score_pairs(world, trained, effects)
        marketing.append(rank(effects, scores, triggers=MARKETING))
        everything.append(rank(effects, scores, triggers=MARKETING | SERVICE))
    return [
        _row("uplift_qini_over_oracle", [r.model for r in marketing], 0.8, "bar: 80 % of it"),
        _row("response_qini_over_oracle", [r.response for r in marketing], 1.0, "oracle"),
        _row(
            "uplift_qini_over_oracle_all",
            [r.model for r in everything],
            0.8,
            "bar: 80 % of it",
        ),
        _row("response_qini_over_oracle_all", [r.response for r in everything], 1.0, "oracle"),
        _row(
            "uplift_interval_coverage_marketing", [r.coverage for r in marketing], 0.95, "nominal"
        ),
        _row("uplift_interval_coverage", [r.coverage for r in everything], 0.95, "nominal"),
    ]


def train_in(world: SimulatedWorld, *, seed: int) -> TrainedUplift:
    """The model from the world's history; it must not have moved on."""
    dataset = build_uplift_dataset(world.tables(world.start), known_until=world.start)
    trained = dataset if isinstance(dataset, NotEnoughData) else train_uplift(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        raise NotReadyError(f"the world is too small: {trained.reason}")
    return trained


@dataclass(frozen=True)
class PairScores:
    """What models say of pairs, (n,) each; `sd` is of the uplift."""

    uplift: Floats
    sd: Floats
    response: Floats


def score_pairs(world: SimulatedWorld, trained: TrainedUplift, effects: TrueEffects) -> PairScores:
    """Scores from what the tables said at the moment of each decision."""
    asked = effects.pairs.rename(columns={"decided_at": "as_of"})
    spine = asked[["customer_id", "as_of"]].drop_duplicates().reset_index(drop=True)
    tables = world.tables(world.now)
    X = build_matrix(tables, spine, features=ENGAGEMENT_FEATURES)
    ids = asked["customer_id"]
    belonging = Belonging(
        segments=look_up("segment", tables, ids=ids), languages=look_up("language", tables, ids=ids)
    )
    keys = pd.MultiIndex.from_frame(spine)
    rows = keys.get_indexer(pd.MultiIndex.from_frame(asked[["customer_id", "as_of"]]))
    channel = np.array([CHANNELS.index(name) for name in asked["channel"]])
    uplift, sd, response = np.zeros((3, len(asked)))
    for trigger in asked["trigger"].unique():
        at = np.flatnonzero((asked["trigger"] == trigger).to_numpy())
        told = trained.model.effects(X[rows[at]], group=trigger, belonging=belonging.take(at))
        here = np.arange(len(at)), channel[at]
        uplift[at], sd[at] = told.value[here], told.sd[here]
        response[at] = _respond(trained.response, X[rows[at]], trigger=trigger)
    return PairScores(uplift, sd, response)


def rank(effects: TrueEffects, scores: PairScores, *, triggers: frozenset[Trigger]) -> Ranking:
    """How much of the oracle's Qini the scores reach among these triggers."""
    kept: Bools = effects.pairs["trigger"].isin(list(triggers)).to_numpy(dtype=bool)
    truth = effects.uplift[kept]
    best = true_qini(truth, truth)
    inside = np.abs(scores.uplift - effects.uplift) <= 1.96 * scores.sd
    return Ranking(
        model=true_qini(scores.uplift[kept], truth) / best,
        response=true_qini(scores.response[kept], truth) / best,
        coverage=float(inside[kept].mean()),
        n_pairs=int(kept.sum()),
    )


def _respond(response: BoosterModel, X: Floats, *, trigger: str) -> Floats:
    at = np.full(len(X), float(TRIGGERS.index(Trigger(trigger))))
    return response.predict(np.column_stack([X, at]))


def _row(metric: str, values: Sequence[float], reference: float, name: str) -> BenchRow:
    ours = sorted(values)
    many = len(ours) > 1
    return BenchRow(
        case=CASE,
        metric=metric,
        ours=ours[len(ours) // 2],
        low=ours[0] if many else None,
        high=ours[-1] if many else None,
        reference=reference,
        reference_name=name,
        unit="share",
        n=len(ours),
    )
