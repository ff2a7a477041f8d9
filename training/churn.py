"""Who will be lost: boosted trees, beside what anybody would try first.

The plain baseline knows one number, the days since the last sign of life. A model that cannot
beat it on later months is not worth serving.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np

from features.churn import CHURN_FEATURES
from features.declarations import Aggregate
from training.boosting import BoosterSettings, FittedBooster, LabelledRows, fit_booster
from training.calibration import fit_platt
from training.datasets.churn import ChurnDataset, split_churn
from training.datasets.provenance import NotEnoughData
from training.datasets.split import ForwardSplit
from training.evaluation import Comparison, Judged, Window, compare, judge
from training.measures import Floats
from training.registry.servable import (
    MAIN_HORIZON_DAYS,
    Calibration,
    ChurnModel,
    make_reference,
)
from training.search import SearchBudget, SearchResult, SearchRows, search_settings

RECENCIES = ("days_since_last_activity", "days_since_last_order")
BASELINE = "recency only"


@dataclass(frozen=True)
class RecencyModel:
    """Logistic regression on log(1 + days since the last sign of life).

    Attributes:
        curve: From a share whose logit is log(1 + days) to a probability.
        days_if_never: Taken for who never showed any.
    """

    curve: Calibration
    days_if_never: float

    def predict(self, dataset: ChurnDataset) -> Floats:
        """Probability of churn, (n,)."""
        return self.curve.apply(_to_share(_find_recency(dataset), self.days_if_never))


@dataclass(frozen=True)
class Horizon:
    """The model of one horizon, and how it did on rows later than those it was made from.

    Attributes:
        fitted: The booster.
        baseline: Recency only, from the same rows.
        split: Which rows were used for what.
        calibration: Rows that the trees were stopped and calibrated on.
        test: Rows of the test part.
        p_test: What the model said of them.
        p_baseline: What the baseline said of them.
        comparison: The model against the baseline on them.
    """

    fitted: FittedBooster
    baseline: RecencyModel
    split: ForwardSplit
    calibration: ChurnDataset
    test: ChurnDataset
    p_test: Floats
    p_baseline: Floats
    comparison: Comparison


@dataclass(frozen=True)
class TrainedChurn(Horizon):
    """A churn model and how its main horizon did on later months; it is that horizon, and more.

    Attributes:
        model: The model.
        later: Longer horizons, by days, as far as the history allows them; each was fitted and
            judged on its own labels.
        too_short: Why the other horizons have no model, by days.
    """

    model: ChurnModel
    later: Mapping[int, Horizon]
    too_short: Mapping[int, NotEnoughData]

    @property
    def trained_until(self) -> datetime:
        """No label that made any of the boosters looks at this moment or beyond."""
        return max(horizon.split.test_from for horizon in (self, *self.later.values()))


def train_churn(
    dataset: ChurnDataset, *, seed: int, settings: BoosterSettings | None = None
) -> TrainedChurn | NotEnoughData:
    """Fit on the earlier months, calibrate on later ones, judge on the latest; each horizon so.

    Longer horizons need a longer history: their labels, too, are kept apart between the parts.

    Args:
        dataset: Rows.
        seed: Of everything random.
        settings: How trees are grown; None: as `fit_booster` chooses.
    """
    main = _train_horizon(dataset, seed=seed, settings=settings)
    if isinstance(main, NotEnoughData):
        return main
    tried = {
        days: _train_horizon(dataset.at_horizon(days), seed=seed, settings=settings)
        for days in dataset.later
    }
    later = {days: result for days, result in tried.items() if isinstance(result, Horizon)}
    boosters = {days: horizon.fitted.model for days, horizon in later.items()}
    return TrainedChurn(
        **{field.name: getattr(main, field.name) for field in fields(main)},
        model=ChurnModel(
            version="",
            signature=dataset.provenance.signature,
            boosters={MAIN_HORIZON_DAYS: main.fitted.model, **boosters},
            reference=make_reference(main.fitted.model, main.calibration.X),
        ),
        later=later,
        too_short={d: result for d, result in tried.items() if isinstance(result, NotEnoughData)},
    )


def search_churn(
    dataset: ChurnDataset, *, budget: SearchBudget, seed: int
) -> SearchResult | NotEnoughData:
    """Look for better settings on the rows of 30 days that the test part does not have."""
    split = split_churn(dataset)
    if isinstance(split, NotEnoughData):
        return split
    known = dataset.take(split.train | split.calibration)
    rows = SearchRows(known.X, known.labels, known.customers, known.moments, known.label_span)
    return search_settings(
        rows,
        signature=dataset.provenance.signature,
        budget=budget,
        seed=seed,
        groups=_find_groups(known),
    )


def _train_horizon(
    dataset: ChurnDataset, *, seed: int, settings: BoosterSettings | None
) -> Horizon | NotEnoughData:
    split = split_churn(dataset)
    if isinstance(split, NotEnoughData):
        return split
    train, calibration = dataset.take(split.train), dataset.take(split.calibration)
    test = dataset.take(split.test)
    fitted = fit_booster(
        "churn",
        signature=dataset.provenance.signature,
        groups=_find_groups(train),
        train=LabelledRows(train.X, train.labels),
        calibration=LabelledRows(calibration.X, calibration.labels),
        seed=seed,
        settings=settings,
    )
    baseline = fit_recency(dataset.take(split.train | split.calibration))
    p_test, p_baseline = fitted.model.predict(test.X), baseline.predict(test)
    return Horizon(
        fitted=fitted,
        baseline=baseline,
        split=split,
        calibration=calibration,
        test=test,
        p_test=p_test,
        p_baseline=p_baseline,
        comparison=compare(
            p_test,
            other=p_baseline,
            window=Window(test.labels, test.customers),
            rng=np.random.default_rng(seed),
        ),
    )


def fit_recency(dataset: ChurnDataset) -> RecencyModel:
    """The baseline from these rows."""
    days = _find_recency(dataset)
    longest = float(np.nanmax(days)) if not np.isnan(days).all() else 0.0
    curve = fit_platt(_to_share(days, longest), labels=dataset.labels)
    return RecencyModel(curve, longest)


def judge_churn(model: ChurnModel, dataset: ChurnDataset) -> Judged:
    """Log loss of each row, and the calibration error over all."""
    return judge(model.predict(dataset.X), labels=dataset.labels)


def judge_recency(baseline: RecencyModel, dataset: ChurnDataset) -> Judged:
    """Log loss of each row, and the calibration error over all."""
    return judge(baseline.predict(dataset), labels=dataset.labels)


def _find_groups(dataset: ChurnDataset) -> list[int]:
    """Columns of codes that tell rows apart; trees take them as categories."""
    names = dataset.provenance.signature.names
    columns = [names.index(f.name) for f in CHURN_FEATURES.plain if f.aggregate is Aggregate.CODE]
    return [n for n in columns if len(np.unique(dataset.X[~np.isnan(dataset.X[:, n]), n])) > 1]


def _find_recency(dataset: ChurnDataset) -> Floats:
    """Days since the last sign of life of any kind, (n,); NaN where there was never one."""
    names = dataset.provenance.signature.names
    columns = [dataset.X[:, names.index(name)] for name in RECENCIES]
    recency: Floats = np.fmin.reduce(columns)
    return recency


def _to_share(days: Floats, days_if_never: float) -> Floats:
    known = np.where(np.isnan(days), days_if_never, days) + 1.0
    return known / (1.0 + known)
