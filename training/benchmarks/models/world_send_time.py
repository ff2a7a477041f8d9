"""Choosing the hour in the simulated world, against the best choice that knows what stays.

The truth is the chance that a message sent in an hour of the customer's own week is seen, by what
stays the same about the customer (`training.world.truth_send_time`). A choice of hours is worth
what its hours are worth; the best choice takes each customer's best hour. Beside the value itself
stands the share of what there is to gain over everybody's best hour and over an hour drawn evenly:
a choice that knows nothing has most of the value, but none of the gain. Nobody has all of it, for
weeks show only in visits: `informed` is who knows the laws by which the world draws weeks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from features.conditions import one_of
from features.errors import BadInputError
from features.histograms import HourHistogram, HourSource
from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables
from features.vocabulary import Channel, Trigger
from training.benchmarks.models.world_slots import AT_ONCE, BEST, BY_DAY, choose_slots
from training.benchmarks.rows import BenchRow
from training.datasets.provenance import NotEnoughData
from training.evaluation import Estimate, estimate
from training.measures import Bools, Floats
from training.registry.servable import N_WEEK_HOURS, SendTimeModel
from training.send_time import TrainedSendTime, build_send_time_dataset, train_send_time
from training.send_time.weeks import read_segments
from training.world.simulated import SimulatedWorld

CASE = "world_send_time"
OURS, RAW, EVERYBODY = "ours", "customer's own counts", "everybody's best hour"
INFORMED = "who knows how the world draws weeks, and every visit"
_VISITS = HourHistogram(
    name="visits",
    sources=(HourSource("activity", where=(one_of("kind", "session"),)),),
    half_life_days=None,
    description="Visits to the simulated shop: each has one session.",
)
N_CUSTOMERS, DAYS = 6_000, 365
_N_RESAMPLES = 200
_CHANNEL, _TRIGGER = Channel.EMAIL, Trigger.ABANDONED_CART


@dataclass(frozen=True)
class ChosenHours:
    """What choices of hours are worth, by customer, (n,): P(seen).

    Attributes:
        best: Of the best choice.
        even: Of an hour drawn evenly.
        by_choice: Of each choice by name.
    """

    best: Floats
    even: Floats
    by_choice: Mapping[str, Floats]

    def share_of_value(self, name: str, *, weights: Floats | None = None) -> float:
        """Value of a choice over that of the best."""
        return _mean(self.by_choice[name], weights) / _mean(self.best, weights)

    def estimate_share(self, name: str, *, rng: np.random.Generator) -> Estimate:
        """`share_of_value` with its interval over customers."""
        return estimate(
            lambda weights: self.share_of_value(name, weights=weights),
            customers=np.arange(len(self.best)).astype(object),
            rng=rng,
            n_resamples=_N_RESAMPLES,
        )

    def share_of_gain(self, name: str, *, over: Floats, weights: Floats | None = None) -> float:
        """What a choice gains over values (n,), as a share of what the best gains."""
        base = _mean(over, weights)
        return (_mean(self.by_choice[name], weights) - base) / (_mean(self.best, weights) - base)


def bench_world_send_time(*, seeds: Sequence[int]) -> list[BenchRow]:
    """Value and gains of the choice of hours and of slots, ours and naive ones.

    Medians over seeds (worlds); the interval, over customers, is that of the median world.
    """
    shares: dict[str, list[float]] = {}
    cents: dict[str, list[float]] = {}
    intervals: list[Estimate] = []
    for seed in seeds:
        world = SimulatedWorld(seed=seed, n_customers=N_CUSTOMERS, days=DAYS)
        tables = world.tables(world.start)
        model = train_in(tables, known_until=world.start, seed=seed).model
        chosen = choose_hours(world, tables, model=model, allowed=BY_DAY)
        slots = choose_slots(world, tables, model=model)
        gain = (slots[OURS] - slots[AT_ONCE]) / (slots[BEST] - slots[AT_ONCE])
        for name, share in {**_measure(chosen), "slots.gain_over_at_once_share": gain}.items():
            shares.setdefault(name, []).append(share)
        for name, each in slots.items():
            cents.setdefault(name, []).append(each)
        intervals.append(chosen.estimate_share(OURS, rng=np.random.default_rng(seed)))
    middle = sorted(intervals, key=lambda found: found.value)[len(intervals) // 2]
    best = float(np.median(cents.pop(BEST)))
    rows = [_make_row(metric, found) for metric, found in shares.items()]
    rows[0] = replace(rows[0], low=middle.low, high=middle.high)
    return rows + [
        replace(
            _make_row(f"slots.cents_{name.replace(' ', '_')}", found), reference=best, unit="cents"
        )
        for name, found in cents.items()
    ]


def _make_row(metric: str, found: Sequence[float]) -> BenchRow:
    """The median of the worlds, beside the best choice."""
    return BenchRow(
        case=CASE,
        metric=metric,
        ours=float(np.median(found)),
        low=None,
        high=None,
        reference=1.0,
        reference_name="best choice that knows what stays",
        unit="share",
        n=len(found),
    )


def train_in(tables: Tables, *, known_until: datetime, seed: int) -> TrainedSendTime:
    """The model of these tables; BadInputError where they are too few."""
    dataset = build_send_time_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        raise BadInputError(f"{CASE}: {dataset.reason}")
    return train_send_time(dataset, seed=seed)


def choose_hours(
    world: SimulatedWorld, tables: Tables, *, model: SendTimeModel, allowed: Bools
) -> ChosenHours:
    """What the hours are worth that each way of choosing takes now, among those allowed."""
    customers = tables["customers"]
    ids = customers["customer_id"].sort_values(ignore_index=True)
    counts = count_hours_of_week(tables, make_spine(ids, as_of=world.start))
    segments = read_segments(tables, ids, at=world.start)
    p_seen = world.p_seen_by_hour(ids.tolist(), trigger=_TRIGGER, channel=_CHANNEL)
    hours = np.broadcast_to(np.arange(N_WEEK_HOURS), counts.shape)
    timing = model.timing(
        counts,
        week_hours=hours,
        waited_hours=np.zeros(counts.shape),
        half_life_hours=24.0,
        segments=segments or None,
    )
    visits = count_hours_of_week(tables, make_spine(ids, as_of=world.start), histogram=_VISITS)
    score = {
        INFORMED: world.foresee_openness(
            ids.tolist(), visits=visits, channel=_CHANNEL, rng=np.random.default_rng(0)
        ),
        OURS: timing[:, list(Channel).index(_CHANNEL)],
        RAW: counts,
        EVERYBODY: np.broadcast_to(counts.sum(axis=0), counts.shape),
    }
    everyone = np.arange(len(counts))
    return ChosenHours(
        best=p_seen[:, allowed].max(axis=1),
        even=p_seen[:, allowed].mean(axis=1),
        by_choice={
            name: p_seen[everyone, np.where(allowed, each, -1.0).argmax(axis=1)]
            for name, each in score.items()
        },
    )


def _measure(chosen: ChosenHours) -> Mapping[str, float]:
    everybody = chosen.by_choice[EVERYBODY]
    return {
        "value_share": chosen.share_of_value(OURS),
        "value_share_informed": chosen.share_of_value(INFORMED),
        "value_share_customer_only": chosen.share_of_value(RAW),
        "value_share_population_only": chosen.share_of_value(EVERYBODY),
        "gain_over_even_share": chosen.share_of_gain(OURS, over=chosen.even),
        "gain_over_even_share_informed": chosen.share_of_gain(INFORMED, over=chosen.even),
        "gain_over_even_share_customer_only": chosen.share_of_gain(RAW, over=chosen.even),
        "gain_over_even_share_population_only": chosen.share_of_gain(EVERYBODY, over=chosen.even),
        "gain_over_population_share": chosen.share_of_gain(OURS, over=everybody),
        "gain_over_population_share_informed": chosen.share_of_gain(INFORMED, over=everybody),
        "gain_over_population_share_customer_only": chosen.share_of_gain(RAW, over=everybody),
    }


def _mean(values: Floats, weights: Floats | None) -> float:
    return float(np.average(values, weights=weights))
