"""Fitting the channel model: pooled rates first, then hours, then trees, then calibration."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.channel_priors import ChannelPriors, default_channel_priors
from features.vocabulary import Outcome
from training.boosting import FittedBooster
from training.channel.baseline import ChannelRates, count_rates, estimate_values
from training.channel.calibration import fit_levels, fit_slopes
from training.channel.calls import measure_prevented
from training.channel.cells import count_cells
from training.channel.correction import OffsetRows, fit_correction
from training.channel.describing import describe_messages
from training.channel.habits import measure_habits
from training.channel.hours import HourlyMessages, fit_hours
from training.channel.own import describe_typical, fit_strength
from training.channel.pooling import pool_rates
from training.channel.reach import estimate_acted_per_open
from training.datasets.channel import TARGETS, ChannelDataset, split_channel
from training.datasets.provenance import NotEnoughData
from training.datasets.split import ForwardSplit
from training.evaluation import Comparison, Window, compare
from training.measures import Bools, Floats
from training.registry.servable import (
    CHANNELS,
    BoosterModel,
    Calibration,
    ChannelModel,
    OutcomeModel,
    OwnHistory,
    extend_signature,
    to_matrix,
)

_BY_A_READER = (Outcome.OPENED, Outcome.CLICKED, Outcome.CONVERTED)
_FOLLOWERS = (Outcome.CLICKED, Outcome.CONVERTED, Outcome.UNSUBSCRIBED)
"""Outcomes of messages that somebody read: they follow what readers of a kind do."""


@dataclass(frozen=True)
class OutcomeFit:
    """How the model of one outcome did on later messages.

    Attributes:
        fitted: Its trees; 0 of them where they added nothing.
        p_test: What the model said of the test rows.
        p_baseline: What the baseline said of them.
        comparison: The model against the baseline; NotEnoughData where all test rows are alike.
    """

    fitted: FittedBooster
    p_test: Floats
    p_baseline: Floats
    comparison: Comparison | NotEnoughData


@dataclass(frozen=True)
class TrainedChannel:
    """A channel model and how it did on later messages.

    Attributes:
        model: The model.
        rates: The baseline, from the same rows.
        split: Which rows were used for what.
        test: Rows of the test part.
        by_outcome: How each outcome's model did.
    """

    model: ChannelModel
    rates: ChannelRates
    split: ForwardSplit
    test: ChannelDataset
    by_outcome: Mapping[Outcome, OutcomeFit]


def train_channel(
    dataset: ChannelDataset, *, seed: int, priors: ChannelPriors | None = None
) -> TrainedChannel | NotEnoughData:
    """Fit on the earlier messages, calibrate on later ones, judge on the latest.

    Args:
        dataset: Messages whose outcomes are known.
        seed: Of the trees.
        priors: What is believed before any message; None takes what ships.
    """
    if not any(dataset.targets[outcome].any() for outcome in _BY_A_READER):
        return NotEnoughData(
            f"of {len(dataset.channel):,} messages nobody is known to have opened, clicked or "
            "bought: what was never reported is unknown, not zero (table outcomes)"
        )
    split = split_channel(dataset)
    if isinstance(split, NotEnoughData):
        return split
    train, calibration = dataset.take(split.train), dataset.take(split.calibration)
    model, trees = fit_channel(
        train, calibration, seed=seed, priors=priors or default_channel_priors()
    )
    known, test = dataset.take(split.train | split.calibration), dataset.take(split.test)
    rates = count_rates(known)
    sendings = describe_messages(model, test)
    by_outcome = {}
    for outcome in TARGETS:
        p_test, p_baseline = model.predict(outcome, sendings), rates.predict(outcome, test)
        labels = test.targets[outcome]
        comparison = _compare(p_test, p_baseline, labels=labels, test=test, seed=seed)
        by_outcome[outcome] = OutcomeFit(trees[outcome], p_test, p_baseline, comparison)
    return TrainedChannel(model, rates, split, test, by_outcome)


def fit_channel(
    train: ChannelDataset, calibration: ChannelDataset, *, seed: int, priors: ChannelPriors
) -> tuple[ChannelModel, Mapping[Outcome, FittedBooster]]:
    """The model and its trees, from earlier messages and later ones to stop and calibrate on.

    Trees and slopes are fitted over rates that knew the earlier messages alone; what is served has
    rates and levels of both parts.
    """
    known = _join(train, calibration)
    model = _pool(train, priors)
    full = replace(
        _pool(known, priors),
        mean_value_cents=estimate_values(known),
        acted_per_open=estimate_acted_per_open(known),
        orders=measure_habits(known),
    )
    earlier, later = describe_messages(model, train), describe_messages(model, calibration)
    sendings = describe_messages(full, known)
    matrix = to_matrix(sendings)
    signature = extend_signature(model.signature)
    outcomes, trees = {}, {}
    for outcome in TARGETS:
        rows = [
            OffsetRows(to_matrix(s), model.pool(outcome, s), d.targets[outcome])
            for s, d in ((earlier, train), (later, calibration))
        ]
        fitted = fit_correction(
            outcome.value, signature=signature, train=rows[0], calibration=rows[1], seed=seed
        )
        own_trees = fitted.model if fitted.n_trees else None
        later_z = _add_trees(rows[1].z, own_trees, rows[1].X)
        slopes = fit_slopes(later_z, labels=rows[1].labels, channel=calibration.channel)
        calibrated = fit_levels(
            _add_trees(full.pool(outcome, sendings), own_trees, matrix),
            labels=known.targets[outcome],
            channel=known.channel,
            slopes=slopes,
        )
        outcomes[outcome] = OutcomeModel(full.outcomes[outcome].rates, own_trees, calibrated)
        trees[outcome] = fitted
    served = replace(full, outcomes=outcomes)
    return replace(served, prevented=measure_prevented(served, known)), trees


def _add_trees(z: Floats, trees: BoosterModel | None, matrix: Floats) -> Floats:
    """Pooled log-odds (n,) with what the trees add to them."""
    return z if trees is None else z + trees.margin(matrix)


def _pool(train: ChannelDataset, priors: ChannelPriors) -> ChannelModel:
    """The model without trees and calibration."""
    opened = pool_rates(count_cells(train, Outcome.OPENED), Outcome.OPENED, priors=priors)
    raw = (Calibration(),) * len(CHANNELS)
    names = OwnHistory.feature_names()
    without = ChannelModel(
        version="",
        signature=train.provenance.signature,
        own=OwnHistory(names, 1e6, describe_typical(opened, train)),
        outcomes={Outcome.OPENED: OutcomeModel(opened, None, raw)},
        mean_value_cents={},
        monthly_cents=train.monthly_cents,
        acted_per_open={},
        prevented={},
    )
    sendings = describe_messages(without, train)
    own = fit_strength(
        without.own.typical,
        counts=without.count_own(sendings),
        sendings=sendings,
        z=without.pool(Outcome.OPENED, sendings),
        labels=train.targets[Outcome.OPENED],
    )
    model = _with_hours(replace(without, own=own), Outcome.OPENED, train)
    hourly = model.outcomes[Outcome.OPENED].rates
    for outcome in TARGETS:
        if outcome is Outcome.OPENED:
            continue
        follows = hourly if outcome in _FOLLOWERS else None
        rates = pool_rates(count_cells(train, outcome), outcome, priors=priors, opened=follows)
        outcomes = {**model.outcomes, outcome: OutcomeModel(rates, None, raw)}
        model = replace(model, outcomes=outcomes)
        if follows is None:
            model = _with_hours(model, outcome, train)
    return replace(model, outcomes={outcome: model.outcomes[outcome] for outcome in TARGETS})


def _with_hours(model: ChannelModel, outcome: Outcome, train: ChannelDataset) -> ChannelModel:
    """The model with what the hour adds to this outcome."""
    sendings = describe_messages(model, train)
    hours = fit_hours(
        HourlyMessages(
            model.pool(outcome, sendings), train.targets[outcome], train.channel, train.hour
        )
    )
    fitted = model.outcomes[outcome]
    changed = replace(fitted, rates=replace(fitted.rates, hours=hours))
    return replace(model, outcomes={**model.outcomes, outcome: changed})


def _join(train: ChannelDataset, calibration: ChannelDataset) -> ChannelDataset:
    """Both parts, for plain counts and means."""
    return replace(
        train,
        X=np.concatenate([train.X, calibration.X]),
        channel=np.concatenate([train.channel, calibration.channel]),
        trigger=np.concatenate([train.trigger, calibration.trigger]),
        segments=np.concatenate([train.segments, calibration.segments]),
        languages=np.concatenate([train.languages, calibration.languages]),
        hour=np.concatenate([train.hour, calibration.hour]),
        targets={o: np.concatenate([y, calibration.targets[o]]) for o, y in train.targets.items()},
        value_cents=np.concatenate([train.value_cents, calibration.value_cents]),
        called=np.concatenate([train.called, calibration.called]),
        customers=np.concatenate([train.customers, calibration.customers]),
        moments=np.concatenate([train.moments, calibration.moments]),
    )


def _compare(
    p_test: Floats, p_baseline: Floats, *, labels: Bools, test: ChannelDataset, seed: int
) -> Comparison | NotEnoughData:
    n_positive = int(labels.sum())
    if not 0 < n_positive < len(labels):
        return NotEnoughData(f"{n_positive} of {len(labels)} messages in the test part have it")
    return compare(
        p_test,
        other=p_baseline,
        window=Window(labels, test.customers),
        rng=np.random.default_rng(seed),
    )
