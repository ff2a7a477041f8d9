"""Which orders will come late: boosted trees, beside what the promise itself says.

The plain baseline knows one number, the days that are left until the promised moment. A second one
is a rule of thumb: the days to spare if the rest takes as long as usual.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.tables import Tables
from training.boosting import FittedBooster, LabelledRows, fit_booster
from training.calibration import fit_platt
from training.datasets.lateness import LatenessDataset, split_lateness
from training.datasets.provenance import NotEnoughData
from training.datasets.split import ForwardSplit
from training.datasets.transit import (
    LATENESS_FEATURES,
    NEEDS,
    describe_transit,
    sign_lateness,
)
from training.evaluation import Comparison, Judged, Window, compare, judge
from training.measures import Floats
from training.registry.entries import ModelName
from training.registry.servable import BoosterModel, Calibration
from training.registry.tracking import Tracking

BASELINE = "days left to the promise"
RULE = "days to spare as usual"
_COLUMNS = {BASELINE: "days_to_promise", RULE: "spare_days"}


@dataclass(frozen=True)
class OneNumber:
    """Logistic regression on one feature, fewer days meaning late.

    Attributes:
        column: The feature.
        curve: From a share whose logit is minus the days to a probability.
        days_if_unknown: Taken where the feature is null.
    """

    column: str
    curve: Calibration
    days_if_unknown: float

    def predict(self, dataset: LatenessDataset) -> Floats:
        """Probability of coming late, (n,)."""
        return self.curve.apply(_to_share(dataset.column(self.column), self.days_if_unknown))


@dataclass(frozen=True)
class TrainedLateness:
    """A model of lateness and how it did later.

    Attributes:
        fitted: The model.
        baseline: Days left to the promise, from the same rows.
        split: Which rows were used for what.
        test: Rows of the test part.
        p_test: What the model said of them.
        p_baseline: What the baseline said of them.
        comparison: The model against the baseline on them.
        over_rule: The model against the rule of thumb on them.
    """

    fitted: FittedBooster
    baseline: OneNumber
    split: ForwardSplit
    test: LatenessDataset
    p_test: Floats
    p_baseline: Floats
    comparison: Comparison
    over_rule: Comparison


def train_lateness(
    dataset: LatenessDataset, *, seed: int, split: ForwardSplit | None = None
) -> TrainedLateness | NotEnoughData:
    """Fit on earlier orders, calibrate on later ones, judge on the latest.

    Args:
        dataset: Rows.
        seed: Of everything random.
        split: Which rows for what; None: `split_lateness`.
    """
    parts = split or split_lateness(dataset)
    if isinstance(parts, NotEnoughData):
        return parts
    train, calibration = dataset.take(parts.train), dataset.take(parts.calibration)
    test = dataset.take(parts.test)
    fitted = fit_booster(
        "lateness",
        signature=dataset.provenance.signature,
        train=LabelledRows(train.X, train.labels),
        calibration=LabelledRows(calibration.X, calibration.labels),
        seed=seed,
    )
    seen = dataset.take(parts.train | parts.calibration)
    p_test = fitted.model.predict(test.X)
    window = Window(test.labels, test.orders)
    others = {name: fit_one_number(seen, name=name) for name in (BASELINE, RULE)}
    p_other = {name: other.predict(test) for name, other in others.items()}
    comparisons = {
        name: compare(p_test, other=p, window=window, rng=np.random.default_rng(seed))
        for name, p in p_other.items()
    }
    return TrainedLateness(
        fitted=fitted,
        baseline=others[BASELINE],
        split=parts,
        test=test,
        p_test=p_test,
        p_baseline=p_other[BASELINE],
        comparison=comparisons[BASELINE],
        over_rule=comparisons[RULE],
    )


def fit_one_number(dataset: LatenessDataset, *, name: str) -> OneNumber:
    """`BASELINE` or `RULE` from these rows."""
    days = dataset.column(_COLUMNS[name])
    usual = float(np.nanmedian(days)) if not np.isnan(days).all() else 0.0
    curve = fit_platt(_to_share(days, usual), labels=dataset.labels)
    return OneNumber(_COLUMNS[name], curve, usual)


def judge_lateness(model: BoosterModel, dataset: LatenessDataset) -> Judged:
    """Log loss of each row, and the calibration error over all."""
    return judge(model.predict(dataset.X), labels=dataset.labels)


def judge_promise(baseline: OneNumber, dataset: LatenessDataset) -> Judged:
    """Log loss of each row, and the calibration error over all."""
    return judge(baseline.predict(dataset), labels=dataset.labels)


def predict_lateness(model: BoosterModel, tables: Tables, *, as_of: datetime) -> pd.DataFrame:
    """What the model expects of orders that are on their way at a moment.

    Args:
        model: Of `train_lateness`.
        tables: Conformed tables.
        as_of: Aware moment.

    Returns:
        A frame that `features.triggers.PREDICTIONS` accepts: order_id, p_late, and expected_on, the
        day on which such orders usually arrive; null where that is not after the promise.
    """
    rows = describe_transit(tables, as_of=as_of)
    X = rows[list(LATENESS_FEATURES)].to_numpy(np.float64)
    p_late = model.predict(X) if len(rows) else np.zeros(0)
    usual: pd.Series[pd.Timestamp] = rows["usual_at"]
    return pd.DataFrame(
        {
            "order_id": rows["order_id"].astype("str"),
            "p_late": p_late,
            "expected_on": usual.where(usual > rows["promised_at"]),
        }
    )


def foretell_lateness(
    tracking: Tracking, tables: Tables, *, as_of: datetime
) -> pd.DataFrame | None:
    """What the served model expects, see `predict_lateness`; None where none can say anything.

    Raises:
        IncompatibleModelError: It was made with other features than the running code has.
    """
    model = tracking.load_champion(ModelName.LATENESS)
    if not isinstance(model, BoosterModel) or not all(name in tables for name in NEEDS):
        return None
    model.signature.require(sign_lateness(), model=model.name)
    return predict_lateness(model, tables, as_of=as_of)


def _to_share(days: Floats, days_if_unknown: float) -> Floats:
    """A share whose logit is minus a third of the days: of a size that the prior suits."""
    known = np.where(np.isnan(days), days_if_unknown, days)
    share: Floats = 1.0 / (1.0 + np.exp(np.clip(known / 3.0, -20.0, 20.0)))
    return share
