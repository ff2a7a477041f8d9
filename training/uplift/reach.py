"""Who can be moved at all: whoever notices a message, or orders after it.

Orders that are booked to a message are an upper bound of those it brings. Where nothing can be
booked (service), a message prevents at most the calls that those who notice it would make: opens
tell who notices it, weighed by the orders that come of an open on each channel, where there are
any, since opens are reported more fully on some channels than on others.

What is noticed by whom hangs on segment and language most of all; the rates are pooled over them as
those of the channel model (`training.channel.pooling`), which needs far fewer rows than trees to
tell customers apart. Trees stand on top, where later rows show that they help.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from features.channel_priors import default_channel_priors
from features.vocabulary import Outcome, Trigger
from training.channel.cells import count_cells
from training.channel.correction import OffsetRows, fit_correction
from training.channel.pooling import pool_rates
from training.channel.reach import estimate_acted_per_open
from training.datasets.channel import ChannelDataset
from training.datasets.split import is_known_by
from training.datasets.uplift import FORESEEN_DAYS, UpliftDataset
from training.measures import Bools, Floats
from training.registry.servable import (
    CHANNELS,
    TRIGGERS,
    Calibration,
    FeatureSignature,
    OutcomeModel,
    Reach,
    Stakes,
)
from training.registry.servable.pooled import encode_names
from training.uplift.learners import assign_folds
from training.uplift.spread import measure_spread

FEWEST_POSITIVES: Final = 20
"""Opens or booked orders below which nothing is told apart."""

IS_SERVICE: Final = np.array([trigger.is_service for trigger in TRIGGERS])
_PRIOR_CALLS: Final = 10.0
_FEWEST_FORESEEN: Final = 100
"""Customers with a foreseen problem below which nothing is said of their calls."""
_RAW: Final = (Calibration(),) * len(CHANNELS)


@dataclass(frozen=True)
class ReachRows:
    """Rows to fit and rows to stop on.

    Attributes:
        train: Fits rates and trees.
        calibration: Stops the trees.
    """

    train: UpliftDataset
    calibration: UpliftDataset


@dataclass(frozen=True)
class CrossFitted:
    """What was told of rows by what was learned from other customers.

    Attributes:
        reach: Of each row, (n, channels).
        triggers: For which it could be told.
        own_sd: How far customers who are taken for alike lie apart, by position of the trigger; see
            `UpliftModel`.
    """

    reach: Floats
    triggers: tuple[Trigger, ...]
    own_sd: tuple[float, ...]


Reaches = Mapping[Trigger, Reach]
"""How much messages are noticed, by trigger; triggers of which too little is known lack."""


def fit_reaches(rows: ReachRows, *, signature: FeatureSignature, seed: int) -> Reaches:
    """What the messages of each trigger can change at most."""
    train, calibration = to_messages(rows.train), to_messages(rows.calibration)
    reaches: dict[Trigger, Reach] = {}
    opens = _count(train, calibration, Outcome.OPENED)
    if opens < FEWEST_POSITIVES:
        return reaches
    priors = default_channel_priors()
    opened = pool_rates(count_cells(train, Outcome.OPENED), Outcome.OPENED, priors=priors)
    extended = FeatureSignature((*signature.names, "channel", "trigger"), signature.digest)
    even = (1.0,) * len(CHANNELS)
    if _count(train, calibration, Outcome.CONVERTED) >= FEWEST_POSITIVES:
        cells = count_cells(train, Outcome.CONVERTED)
        booked = pool_rates(cells, Outcome.CONVERTED, priors=priors, opened=opened)
        part = Reach(opened, OutcomeModel(booked, None, _RAW), even)
        among = {t for t in TRIGGERS if not t.is_service}
        made = _correct(part, rows, Outcome.CONVERTED, among, signature=extended, seed=seed)
        reaches |= dict.fromkeys(among, made)
    per_open = estimate_acted_per_open(train)
    part = Reach(
        opened,
        OutcomeModel(opened, None, _RAW),
        tuple(per_open[channel] for channel in CHANNELS),
        count_stakes(rows.train),
    )
    among = {t for t in TRIGGERS if t.is_service}
    made = _correct(part, rows, Outcome.OPENED, among, signature=extended, seed=seed)
    return reaches | dict.fromkeys(among, made)


def to_messages(dataset: UpliftDataset) -> ChannelDataset:
    """The messages among the rows, as the channel model is fitted to them.

    What only other parts of that model read (values, calls, hours) is left unknown.
    """
    sent = dataset.take(dataset.trial.treated)
    n = len(sent.moments)
    return ChannelDataset(
        X=sent.trial.X,
        channel=sent.trial.treatment,
        trigger=sent.trial.group,
        segments=sent.belonging.segments,
        languages=sent.belonging.languages,
        hour=np.full(n, -1),
        targets={Outcome.OPENED: sent.noticed, Outcome.CONVERTED: sent.booked},
        value_cents=np.full(n, np.nan),
        called=np.zeros(n, dtype=bool),
        customers=sent.trial.customers,
        moments=sent.moments,
        randomised=sent.randomised,
        monthly_cents=0.0,
        provenance=sent.provenance,
    )


def count_stakes(dataset: UpliftDataset) -> Stakes:
    """How often customers call, by trigger and segment, from all rows, written to or not.

    Calls are Poisson with mean `rate[trigger] x factor[segment]`; a factor is shrunk to 1 by ten
    calls (gamma prior). What messages prevented lowers both a little, and with them the share that
    is learned of them, not the effect.
    """
    trial = dataset.trial
    called = IS_SERVICE[trial.group] & (trial.outcome <= 0)
    n_rows = np.bincount(trial.group, minlength=len(TRIGGERS))
    rate = np.bincount(trial.group, called, len(TRIGGERS)) / np.maximum(n_rows, 1)
    names = dataset.belonging.segments
    segments = tuple(sorted({name for name in names.tolist() if name is not None}))
    at = encode_names(names.tolist(), among=segments)
    expected = np.bincount(at[at >= 0], rate[trial.group][at >= 0], len(segments))
    calls = np.bincount(at[at >= 0], called[at >= 0], len(segments))
    factor = (calls + _PRIOR_CALLS) / (expected + _PRIOR_CALLS)
    return Stakes(tuple(rate.tolist()), segments, (*factor.tolist(), 1.0))


def count_foreseen(dataset: UpliftDataset, *, until: datetime) -> dict[Trigger, float]:
    """How often customers call in the end about a problem that was foreseen, of each trigger.

    Of rows whose time was over at `until`; triggers of which too few customers are known lack.
    What messages prevented lowers it a little.
    """
    found = {}
    for trigger, days in FORESEEN_DAYS.items():
        span = timedelta(days=days) + dataset.label_span
        rows = is_known_by(until, moments=dataset.moments, label_span=span)
        rows &= dataset.trial.group == TRIGGERS.index(trigger)
        rows &= ~np.isnan(dataset.called_in_the_end)
        if len(np.unique(dataset.trial.customers[rows].astype(str))) >= _FEWEST_FORESEEN:
            found[trigger] = float(dataset.called_in_the_end[rows].mean())
    return found


def apply_reaches(reaches: Reaches, rows: UpliftDataset) -> Floats:
    """What every channel can change at most on every row, (n, channels)."""
    found = np.ones(rows.trial.eligible.shape)
    for position in np.unique(rows.trial.group):
        trigger, here = TRIGGERS[int(position)], rows.trial.group == position
        if trigger in reaches:
            found[here] = reaches[trigger].predict(
                rows.trial.X[here],
                group=rows.trial.group[here],
                belonging=rows.belonging.take(here),
            )
    return found


def find_families(reaches: Reaches) -> tuple[frozenset[int], ...]:
    """Positions of the triggers whose reach bounds the effect: orders, and calls."""
    told = {TRIGGERS.index(t) for t in reaches}
    service = frozenset(at for at in told if IS_SERVICE[at])
    return tuple(family for family in (frozenset(told - service), service) if family)


def cross_fit_reaches(
    known: UpliftDataset, *, among: Collection[Trigger], signature: FeatureSignature, seed: int
) -> CrossFitted:
    """The reach of every row from other customers: nobody's own open, order or call is in it.

    Args:
        known: Rows to fit on.
        among: Triggers for which a reach will be served; the others have 1.
        signature: Features of the rows.
        seed: Of the halves and the trees.
    """
    quarter = assign_folds(known.trial, n_folds=4, seed=seed)
    fitted = []
    for half in (0, 1):
        others = quarter // 2 != half
        rows = ReachRows(
            known.take(others & (quarter % 2 == 0)), known.take(others & (quarter % 2 == 1))
        )
        fitted.append(fit_reaches(rows, signature=signature, seed=seed))
    told = tuple(t for t in TRIGGERS if t in among and all(t in one for one in fitted))
    reach = np.ones(known.trial.eligible.shape)
    spreads = []
    for half, reaches in enumerate(fitted):
        here = quarter // 2 == half
        own, kept = known.take(here), {trigger: reaches[trigger] for trigger in told}
        reach[here] = apply_reaches(kept, own)
        spreads.append(_measure_spreads(kept, own))
    return CrossFitted(reach, told, tuple(np.mean(spreads, axis=0).tolist()))


def _measure_spreads(reaches: Reaches, rows: UpliftDataset) -> Floats:
    """How far these customers lie apart, by trigger; 0 where no reach was told."""
    own_sd, trial = np.zeros(len(TRIGGERS)), rows.trial
    if not reaches:
        return own_sd
    some = next(iter(reaches.values()))
    sent = rows.take(trial.treated)
    p_read = some.p_read(group=sent.trial.group, belonging=sent.belonging)
    channel = sent.trial.treatment
    _, customer = np.unique(sent.trial.customers, return_inverse=True)
    of_reading = measure_spread(
        sent.noticed.astype(np.float64),
        expected=p_read[np.arange(len(channel)), channel],
        units=customer * len(CHANNELS) + channel,
    )
    of_calling = 0.0
    stakes = next((r.stakes for r in reaches.values() if r.stakes is not None), None)
    if stakes is not None:
        asked = rows.take(IS_SERVICE[trial.group])
        expected = stakes.predict(group=asked.trial.group, belonging=asked.belonging)
        called = (asked.trial.outcome <= 0).astype(np.float64)
        of_calling = measure_spread(called, expected=expected, units=asked.trial.customers)
    for trigger in reaches:
        at = TRIGGERS.index(trigger)
        both = np.sqrt((1.0 + of_reading**2) * (1.0 + of_calling**2) - 1.0)
        own_sd[at] = both if trigger.is_service else of_reading
    return own_sd


def _count(train: ChannelDataset, calibration: ChannelDataset, outcome: Outcome) -> int:
    """Messages with the outcome, in the part that has fewer."""
    return min(int(part.targets[outcome].sum()) for part in (train, calibration))


def _correct(
    part: Reach,
    rows: ReachRows,
    outcome: Outcome,
    among: Collection[Trigger],
    *,
    signature: FeatureSignature,
    seed: int,
) -> Reach:
    """The reach with trees over its pooled rates, where they help on the later rows."""
    wanted = np.array([trigger in among for trigger in TRIGGERS])
    parts = [_offset(part, one, outcome, wanted) for one in (rows.train, rows.calibration)]
    if min(int(one.labels.sum()) for one in parts) < FEWEST_POSITIVES:
        return part
    fitted = fit_correction(
        outcome.value, signature=signature, train=parts[0], calibration=parts[1], seed=seed
    )
    trees = fitted.model if fitted.n_trees else None
    corrected = OutcomeModel(part.outcome.rates, trees, part.outcome.calibration)
    return Reach(part.opened, corrected, part.scale, part.stakes)


def _offset(part: Reach, rows: UpliftDataset, outcome: Outcome, wanted: Bools) -> OffsetRows:
    sent = rows.take(rows.trial.treated & wanted[rows.trial.group])
    channel, group = sent.trial.treatment, sent.trial.group
    z = part.pool(group=group, belonging=sent.belonging)[np.arange(len(group)), channel]
    X = np.column_stack([sent.trial.X, channel.astype(np.float64), group.astype(np.float64)])
    return OffsetRows(X, z, sent.booked if outcome is Outcome.CONVERTED else sent.noticed)
