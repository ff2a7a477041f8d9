"""A bounded search for how trees are grown; it must show on later rows that it was worth it.

Tree-structured Parzen estimators (Bergstra et al. 2011) of Optuna, which is an optional extra. The
rows are cut in three by time: trees are fitted on the first part, stopped, calibrated and compared
on the second, and the best of all trials is held against the usual settings on the third, which no
trial has seen. What does not win there by an interval that excludes zero is not taken: a search
over few rows finds what fitted them best by luck.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from features.errors import ConfigurationError
from training.boosting import BoosterSettings, LabelledRows, choose_settings, fit_booster
from training.datasets.provenance import Customers, Moments, NotEnoughData
from training.datasets.split import split_forward, to_datetime
from training.evaluation import Estimate, judge, mean_difference
from training.measures import Bools, Floats
from training.registry.servable import FeatureSignature

if TYPE_CHECKING:
    import optuna

_CALIBRATION_FROM, _LATER_FROM = 0.6, 0.8


@dataclass(frozen=True)
class SearchBudget:
    """When a search ends: after so many trials or so many seconds, whichever is first.

    The usual settings are the first trial, before the clock starts; a trial that has begun is
    finished.
    """

    n_trials: int
    seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.n_trials < 1 or not self.seconds > 0:
            raise ConfigurationError(
                f"a search of {self.n_trials} trials in {self.seconds} seconds; expected at least "
                "one trial and more than zero seconds"
            )


@dataclass(frozen=True)
class SearchRows:
    """Rows that may be learned from; none of the test part is among them.

    Attributes:
        X: Features, (n, features); NaN is null.
        labels: What happened, (n,).
        customers: Whose row it is, (n,); the intervals draw these.
        moments: As of when, (n,).
        label_span: From a row's moment until its label is known.
    """

    X: Floats
    labels: Bools
    customers: Customers
    moments: Moments
    label_span: timedelta

    def take(self, rows: Bools) -> LabelledRows:
        """The rows of that mask."""
        return LabelledRows(self.X[rows], self.labels[rows])


@dataclass(frozen=True)
class Trial:
    """Settings, and their mean log loss on the rows that compare trials."""

    settings: BoosterSettings
    log_loss: float


@dataclass(frozen=True)
class SearchResult:
    """What a search found and whether it is taken.

    Attributes:
        usual: What would have been taken without a search; the first trial.
        trials: All of them, in order.
        gain: Mean log loss of the best trial minus that of the usual settings on later rows.
        n_later: Rows behind `gain`.
    """

    usual: BoosterSettings
    trials: tuple[Trial, ...]
    gain: Estimate
    n_later: int

    @property
    def best(self) -> Trial:
        """The trial with the lowest log loss, the first of equals."""
        return min(self.trials, key=lambda trial: trial.log_loss)

    @property
    def is_better(self) -> bool:
        """Whether the best trial beat the usual settings on later rows."""
        return self.gain.high < 0

    @property
    def settings(self) -> BoosterSettings:
        """What to train with."""
        return self.best.settings if self.is_better else self.usual

    @property
    def words(self) -> str:
        """What came of it, in a sentence."""
        n_others = len(self.trials) - 1
        if self.best.settings == self.usual:
            others = f"none of {n_others} others was better" if n_others else "no other was tried"
            return f"the usual settings stay: {others}"
        gain, taken = self.gain, "taken" if self.is_better else "not taken"
        return (
            f"the best of {n_others} other settings is {taken}: {gain.value:+.4f} nats beside the "
            f"usual ones on {self.n_later:,} later rows, 95 % interval {gain.low:+.4f} to "
            f"{gain.high:+.4f}"
        )

    def describe(self) -> Mapping[str, str | int | float]:
        """Parameters of a run, for what is logged."""
        found = {f"search_best_{name}": value for name, value in asdict(self.best.settings).items()}
        return {
            "search_trials": len(self.trials),
            "search_taken": str(self.is_better).lower(),
            "search_gain": self.gain.value,
            "search_gain_low": self.gain.low,
            "search_gain_high": self.gain.high,
            "search_later_rows": self.n_later,
            **found,
        }


def search_settings(
    rows: SearchRows,
    *,
    signature: FeatureSignature,
    budget: SearchBudget,
    seed: int,
    groups: Sequence[int] = (),
) -> SearchResult | NotEnoughData:
    """Look for better settings of `fit_booster` and try them on later rows.

    The same rows, seed and number of trials give the same result, unless time ran out.

    Args:
        rows: What is known; cut in three by time here.
        signature: Features of the matrix.
        budget: When to stop.
        seed: Of the trees, the search and the bootstrap.
        groups: As of `fit_booster`.

    Raises:
        ConfigurationError: Optuna is not installed.
    """
    parts = _cut(rows)
    if isinstance(parts, NotEnoughData):
        return parts
    usual = choose_settings(parts.train.labels)

    def judge_on(settings: BoosterSettings, judged: LabelledRows) -> Floats:
        model = fit_booster(
            "search",
            signature=signature,
            train=parts.train,
            calibration=parts.calibration,
            seed=seed,
            groups=groups,
            settings=settings,
        ).model
        return judge(model.predict(judged.X), labels=judged.labels).losses

    def measure(settings: BoosterSettings) -> Trial:
        return Trial(settings, float(judge_on(settings, parts.calibration).mean()))

    trials = [measure(usual)]

    def objective(trial: "optuna.Trial") -> float:
        trials.append(measure(_suggest(trial, usual)))
        return trials[-1].log_loss

    _run(objective, budget=budget, seed=seed)
    best = min(trials, key=lambda trial: trial.log_loss).settings
    gain = mean_difference(
        judge_on(best, parts.later),
        other=judge_on(usual, parts.later),
        customers=parts.customers,
        rng=np.random.default_rng(seed),
    )
    return SearchResult(usual, tuple(trials), gain, len(parts.later.labels))


@dataclass(frozen=True)
class _Parts:
    train: LabelledRows
    calibration: LabelledRows
    later: LabelledRows
    customers: Customers


def _cut(rows: SearchRows) -> _Parts | NotEnoughData:
    """Three fifths, one fifth and one fifth of the time, less the labels that would reach over."""
    if not len(rows.moments):
        return NotEnoughData("no rows to search on")
    first, last = to_datetime(rows.moments.min()), to_datetime(rows.moments.max())
    split = split_forward(
        rows.moments,
        calibration_from=first + _CALIBRATION_FROM * (last - first),
        test_from=first + _LATER_FROM * (last - first),
        label_span=rows.label_span,
    )
    parts = {"first": split.train, "second": split.calibration, "third": split.test}
    for name, mask in parts.items():
        n_positive, n_rows = int(rows.labels[mask].sum()), int(mask.sum())
        if not 0 < n_positive < n_rows:
            return NotEnoughData(
                f"{n_positive} of {n_rows} rows are positive in the {name} part of a search: both "
                "kinds are needed"
            )
    return _Parts(
        train=rows.take(split.train),
        calibration=rows.take(split.calibration),
        later=rows.take(split.test),
        customers=rows.customers[split.test],
    )


def _suggest(trial: "optuna.Trial", usual: BoosterSettings) -> BoosterSettings:
    return replace(
        usual,
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        num_leaves=trial.suggest_int("num_leaves", 3, 63, log=True),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 10, 500, log=True),
        lambda_l2=trial.suggest_float("lambda_l2", 0.1, 100.0, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.2, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.4, 1.0),
        extra_trees=trial.suggest_categorical("extra_trees", [True, False]),
    )


def _run(objective: "Callable[[optuna.Trial], float]", *, budget: SearchBudget, seed: int) -> None:
    try:
        library = importlib.import_module("optuna")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "a search needs Optuna, which is not installed; expected "
            "`pip install 'opportune[search]'`, or training without a search"
        ) from error
    library.logging.set_verbosity(library.logging.WARNING)
    study = library.create_study(sampler=library.samplers.TPESampler(seed=seed))
    if budget.n_trials > 1:  # the usual settings were the first
        study.optimize(objective, n_trials=budget.n_trials - 1, timeout=budget.seconds)
