"""Who can be moved at all: whoever notices a message, or orders after it.

Orders that are booked to a message are an upper bound of those it brings; opens, where nothing can
be booked (service), tell who noticed it. Opens are reported more fully on some channels than on
others, and so are weighed by the orders that come of an open on each channel, where there are any.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.vocabulary import Trigger
from training.boosting import LabelledRows, fit_booster
from training.datasets.uplift import UpliftDataset
from training.measures import Bools, Floats
from training.registry.servable import CHANNELS, TRIGGERS, BoosterModel, FeatureSignature, Reach
from training.uplift.trial import Trial

FEWEST_POSITIVES: Final = 20
"""Opens or booked orders below which nothing is told apart."""

_IS_SERVICE = np.array([trigger.is_service for trigger in TRIGGERS])
_PRIOR_ORDERS = 20.0


@dataclass(frozen=True)
class ReachRows:
    """Rows to fit and rows to calibrate on, both with messages only.

    Attributes:
        train: Fits the trees.
        calibration: Stops and calibrates them.
    """

    train: UpliftDataset
    calibration: UpliftDataset


@dataclass(frozen=True)
class CrossFitted:
    """The reach of rows, (n, channels), and the triggers for which it could be told."""

    reach: Floats
    triggers: tuple[Trigger, ...]


def fit_reaches(rows: ReachRows, *, signature: FeatureSignature, seed: int) -> dict[Trigger, Reach]:
    """How much messages are noticed, by trigger; triggers of which too little is known lack."""
    reaches: dict[Trigger, Reach] = {}
    booked = _fit(rows, service=False, signature=signature, seed=seed)
    if booked is not None:
        even = (1.0,) * len(CHANNELS)
        reaches |= {t: Reach(booked, even) for t in TRIGGERS if not t.is_service}
    noticed = _fit(rows, service=True, signature=signature, seed=seed)
    if noticed is not None:
        scale = find_scale(rows.train)
        reaches |= {t: Reach(noticed, scale) for t in TRIGGERS if t.is_service}
    return reaches


def find_scale(dataset: UpliftDataset) -> tuple[float, ...]:
    """Booked orders by open on each channel, over the mean; 1 where nothing was booked."""
    trial = dataset.trial
    marketing = ~_IS_SERVICE[trial.group]
    n_k = len(CHANNELS)
    opened = np.bincount(trial.treatment[marketing], dataset.noticed[marketing], n_k)
    ordered = np.bincount(trial.treatment[marketing], dataset.booked[marketing], n_k)
    if ordered.sum() < FEWEST_POSITIVES or not opened.sum():
        return (1.0,) * n_k
    mean = ordered.sum() / opened.sum()
    by_open = (ordered + _PRIOR_ORDERS) / (opened * mean + _PRIOR_ORDERS)
    return tuple(by_open.tolist())


def apply_reaches(reaches: dict[Trigger, Reach], trial: Trial) -> Floats:
    """How much every channel is noticed on every row, (n, channels)."""
    found = np.ones(trial.eligible.shape)
    for position in np.unique(trial.group):
        trigger, rows = TRIGGERS[int(position)], trial.group == position
        if trigger in reaches:
            found[rows] = reaches[trigger].predict(trial.X[rows], at=int(position))
    return found


def find_bounded(reaches: dict[Trigger, Reach]) -> frozenset[int]:
    """Positions of the triggers whose reach is of booked orders."""
    return frozenset(TRIGGERS.index(t) for t in reaches if not t.is_service)


def cross_fit_reaches(
    known: UpliftDataset, *, among: Collection[Trigger], signature: FeatureSignature, seed: int
) -> CrossFitted:
    """The reach of every row from other customers: nobody's own open or order is in it.

    Args:
        known: Rows to fit on.
        among: Triggers for which a reach will be served; the others have 1.
        signature: Features of the rows.
        seed: Of the halves and the trees.
    """
    trial = known.trial
    unique, position = np.unique(trial.customers, return_inverse=True)
    quarter = (np.random.default_rng(seed).permutation(len(unique)) % 4)[position]
    fitted = []
    for half in (0, 1):
        others = (quarter // 2 != half) & trial.treated
        rows = ReachRows(
            known.take(others & (quarter % 2 == 0)), known.take(others & (quarter % 2 == 1))
        )
        fitted.append(fit_reaches(rows, signature=signature, seed=seed))
    told = tuple(t for t in TRIGGERS if t in among and all(t in one for one in fitted))
    reach = np.ones(trial.eligible.shape)
    for half, reaches in enumerate(fitted):
        here = quarter // 2 == half
        kept = {trigger: reaches[trigger] for trigger in told}
        reach[here] = apply_reaches(kept, trial.take(here))
    return CrossFitted(reach, told)


def _fit(
    rows: ReachRows, *, service: bool, signature: FeatureSignature, seed: int
) -> BoosterModel | None:
    parts = [
        _label(part, part.noticed if service else part.booked, service=service)
        for part in (rows.train, rows.calibration)
    ]
    if min(int(part.labels.sum()) for part in parts) < FEWEST_POSITIVES:
        return None
    extended = FeatureSignature((*signature.names, "channel", "trigger"), signature.digest)
    n = len(extended.names)
    fitted = fit_booster(
        "noticed" if service else "booked",
        signature=extended,
        train=parts[0],
        calibration=parts[1],
        seed=seed,
        groups=(n - 2, n - 1),
    )
    return fitted.model


def _label(part: UpliftDataset, labels: Bools, *, service: bool) -> LabelledRows:
    rows = _IS_SERVICE[part.trial.group] == service
    trial = part.trial.take(rows)
    matrix = np.column_stack(
        [trial.X, trial.treatment.astype(np.float64), trial.group.astype(np.float64)]
    )
    return LabelledRows(matrix, labels[rows])
