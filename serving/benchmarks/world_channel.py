"""Choosing the channel in the simulated world, against the best choice that knows what stays.

Customers are divided by chance: messages of four in five teach the model, cases of the others are
decided. A case is one that began within the last twelve hours; the message goes out at once or,
at night, at 9:00 local time, so that choices differ by the channel alone. A choice is worth the
true value of its messages (`SimulatedWorld.true_value`, cents). The best choice takes the channel
with the highest expected value by all that stays the same about customer and trigger
(`training.world.truth_channel`); ours takes the one with the highest value that the policy computes
from the channel model, with the settings that ship; an SMS costs one segment, as the world charges.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.channel_priors import default_channel_priors
from features.economics import default_economics
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.tables import Tables
from features.vocabulary import Arm, Outcome, Trigger
from serving.benchmarks.channel_occasions import Occasions, collect_occasions
from serving.policy.cases import Cases, Floats, Ints
from serving.policy.settings import CHANNELS, PolicySettings, load_policy_settings
from serving.policy.value import value_channels
from training.benchmarks.rows import BenchRow
from training.channel import count_rates, fit_channel
from training.datasets.channel import ChannelDataset, build_channel_dataset
from training.datasets.provenance import NotEnoughData, build_matrix
from training.evaluation import estimate
from training.registry.servable import ChannelModel
from training.world.simulated import SimulatedWorld

CASE: Final = "world_channel"
BEST, FULL, EVEN, OURS = "best that stays", "knows the moment", "drawn evenly", "ours"
RULES, RAW, RAW_RULES = "rules", "raw open rate by channel", "raw open rate of the rules' messages"
N_CUSTOMERS, DAYS = 10_000, 180
_HELD_OUT: Final = 0.2
_N_RESAMPLES: Final = 400


@dataclass(frozen=True)
class ChosenChannels:
    """What choices of channels are worth, true cents by case, (n,).

    Attributes:
        customers: customer_id of each case, (n,).
        triggers: Trigger of each case, (n,).
        by_choice: Of each choice by name; `BEST` and `EVEN` are among them.
    """

    customers: npt.NDArray[np.object_]
    triggers: npt.NDArray[np.object_]
    by_choice: Mapping[str, Floats]

    def share_of_value(self, name: str, *, weights: Floats | None = None) -> float:
        """Value of a choice over that of the best."""
        return self._mean(name, weights) / self._mean(BEST, weights)

    def share_of_gain(self, name: str, *, weights: Floats | None = None) -> float:
        """What a choice gains over channels drawn evenly, over what the best gains."""
        even = self._mean(EVEN, weights)
        return (self._mean(name, weights) - even) / (self._mean(BEST, weights) - even)

    def _mean(self, name: str, weights: Floats | None) -> float:
        return float(np.average(self.by_choice[name], weights=weights))


_Measure = Callable[[ChosenChannels, str, Floats | None], float]


def bench_world_channel(
    *, seeds: Sequence[int], n_customers: int = N_CUSTOMERS, days: int = DAYS
) -> list[BenchRow]:
    """Value and gain of the choice of channels, ours and naive ones; medians over worlds."""
    found = [
        choose_channels(SimulatedWorld(seed=seed, n_customers=n_customers, days=days), seed=seed)
        for seed in seeds
    ]
    middle = sorted(found, key=lambda chosen: chosen.share_of_value(OURS))[len(found) // 2]
    rows = []
    for metric, measure in _MEASURES.items():
        interval = estimate(
            partial(measure, middle, OURS),
            customers=middle.customers,
            rng=np.random.default_rng(0),
            n_resamples=_N_RESAMPLES,
        )
        for name in (OURS, RULES, RAW, RAW_RULES, EVEN, FULL):
            shares = [measure(chosen, name, None) for chosen in found]
            is_ours = name == OURS
            rows.append(
                BenchRow(
                    case=CASE,
                    metric=metric if is_ours else f"{metric}, {name}",
                    ours=float(np.median(shares)),
                    low=interval.low if is_ours else None,
                    high=interval.high if is_ours else None,
                    reference=1.0,
                    reference_name="best choice by what stays the same",
                    unit="share of the best choice",
                    n=len(seeds),
                )
            )
    return rows


def choose_channels(world: SimulatedWorld, *, seed: int) -> ChosenChannels:
    """Learn from some customers of the world, and choose for the others."""
    tables = world.tables(world.start)
    ids = tables["customers"]["customer_id"]
    rng = np.random.default_rng(seed)
    held_out = frozenset(ids[rng.random(len(ids)) < _HELD_OUT])
    model, dataset = learn_from(tables, held_out=held_out, known_until=world.start, seed=seed)
    occasions = collect_occasions(world, tables, customer_ids=held_out)
    spine = occasions.reasons[["customer_id", "as_of"]]
    X = build_matrix(world.tables(world.now), spine, features=ENGAGEMENT_FEATURES)
    settings = _settings_of_the_world()
    scores = {
        BEST: occasions.constant_cents,
        FULL: occasions.true_cents,
        OURS: score_by_model(model, occasions, X, settings=settings),
        RULES: score_by_rules(occasions, settings),
        RAW: _repeat(count_rates(dataset).by_outcome[Outcome.OPENED], occasions),
        RAW_RULES: _repeat(_open_rates(tables, arm=Arm.RULES), occasions),
    }
    return ChosenChannels(
        customers=occasions.reasons["customer_id"].to_numpy(dtype=object),
        triggers=occasions.reasons["trigger"].to_numpy(dtype=object),
        by_choice={
            EVEN: (occasions.true_cents * occasions.allowed).sum(axis=1)
            / occasions.allowed.sum(axis=1),
            **{name: _take_best(occasions, score) for name, score in scores.items()},
        },
    )


def _settings_of_the_world() -> PolicySettings:
    """The settings that ship, but for what an SMS costs: the world charges one segment for each."""
    settings = load_policy_settings()
    learned = settings.learned.model_copy(update={"sms_segments": {}})
    return settings.model_copy(update={"learned": learned})


def score_by_model(
    model: ChannelModel, occasions: Occasions, X: Floats, *, settings: PolicySettings
) -> Floats:
    """What the policy expects of every channel, (n, 5)."""
    cents = np.zeros(occasions.allowed.shape)
    for name in occasions.reasons["trigger"].unique():
        rows = np.flatnonzero(occasions.reasons["trigger"] == name)
        trigger = Trigger(name)
        cents[rows] = value_channels(
            _to_cases(occasions, rows, trigger, X=X),
            channel_model=model,
            rule=settings.triggers[trigger],
            learned=settings.learned,
            economics=default_economics(),
        )
    return cents


def score_by_rules(occasions: Occasions, settings: PolicySettings) -> Floats:
    """The rules' order of channels as scores, (n, 5): by prior, or as they are listed."""
    order = np.zeros((len(occasions.reasons), len(CHANNELS)))
    for name in occasions.reasons["trigger"].unique():
        ranked = settings.triggers[Trigger(name)].ranked
        rows = (occasions.reasons["trigger"] == name).to_numpy()
        for place, channel in enumerate(ranked):
            order[rows, CHANNELS.index(channel)] = len(ranked) - place
    return order


def learn_from(
    tables: Tables, *, held_out: frozenset[str], known_until: datetime, seed: int
) -> tuple[ChannelModel, ChannelDataset]:
    """The model of everybody's messages but those of customers held out, and these messages.

    The last fifth of the time calibrates. There is no test part: the world's truth judges.
    """
    messages = tables["messages"]
    taught = messages[~messages["customer_id"].isin(held_out)].reset_index(drop=True)
    dataset = build_channel_dataset({**tables, "messages": taught}, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        raise BadInputError(f"the world is too small: {dataset.reason}")
    first, last = dataset.moments.min(), dataset.moments.max()
    later_from = last - (last - first) // 5
    earlier = dataset.moments + np.timedelta64(dataset.label_span) <= later_from
    model, _ = fit_channel(
        dataset.take(earlier),
        dataset.take(dataset.moments >= later_from),
        seed=seed,
        priors=default_channel_priors(),
    )
    return model, dataset


def _to_cases(occasions: Occasions, rows: Ints, trigger: Trigger, *, X: Floats) -> Cases:
    reasons = occasions.reasons.iloc[rows]
    n = len(rows)
    yes, no = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    return Cases(
        trigger=trigger,
        customer_ids=tuple(reasons["customer_id"]),
        decided_at_us=np.asarray(reasons["send_at"].astype("int64"), dtype=np.int64),
        timezones=tuple(reasons["timezone"]),
        segments=tuple(None if pd.isna(name) else name for name in reasons["segment"]),
        languages=tuple(reasons["language"]),
        consent=occasions.allowed[rows],
        known=yes,
        scored=yes,
        suppressed=no,
        nine_is_active=yes,
        engagement=X[rows],
        week_counts=np.zeros((n, 168)),
    )


def _take_best(occasions: Occasions, scores: Floats) -> Floats:
    """True cents of the allowed channel with the highest score, (n,); ties go to the first."""
    chosen = np.where(occasions.allowed, scores, -np.inf).argmax(axis=1)
    cents: Floats = occasions.true_cents[np.arange(len(chosen)), chosen]
    return cents


def _open_rates(tables: Tables, *, arm: Arm) -> Floats:
    """Share of an arm's messages that a person opened, by channel; 0 where it sent none."""
    messages, outcomes = tables["messages"], tables["outcomes"]
    is_open = (outcomes["outcome"] == Outcome.OPENED) & ~outcomes["machine"]
    sent = messages[messages["arm"] == arm]
    opened = sent["message_id"].isin(outcomes.loc[is_open, "message_id"])
    rates = opened.groupby(sent["channel"]).mean()
    return np.array([float(rates.get(channel, 0.0)) for channel in CHANNELS])


def _repeat(rates: Floats, occasions: Occasions) -> Floats:
    repeated: Floats = np.tile(rates, (len(occasions.reasons), 1))
    return repeated


_MEASURES: Final[Mapping[str, _Measure]] = {
    "share of the value": lambda chosen, name, weights: chosen.share_of_value(
        name, weights=weights
    ),
    "share of the gain": lambda chosen, name, weights: chosen.share_of_gain(name, weights=weights),
}
