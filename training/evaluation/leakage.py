"""Whether features know the future: trained on a future that was shuffled, nothing may be left.

Rows and labels come from tables of `training.datasets.shuffled`. Trees are fitted on some customers
and judged on others. Their AUC must be that of chance; a feature that follows the shuffled future
has seen it. Each feature is also tried by itself, so that the leak has a name. The trees are not
those of the models: they look for anything, also where there is too little for a good model.

Since the future was shuffled, every order of the labels was equally likely, and the spread of an
AUC by chance is known and not estimated (Mann & Whitney 1947, with ties).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType

import lightgbm
import numpy as np
import numpy.typing as npt

from training.datasets.provenance import NotEnoughData
from training.evaluation.bootstrap import Estimate
from training.measures import Bools, Floats, make_auc
from training.registry.servable import FeatureSignature

LEVEL = 0.999
"""Of the interval: an honest model is accused once in two thousand trainings."""

N_FOLDS = 3
MOST_ROWS = 30_000
LEAST_EXCESS = 0.05
"""A feature is named only if its AUC is so far from one half: rare values have long tails."""

_MIN_EVENTS = 20
_CHANCE_AUC = 0.5
_N_TREES = 60
_PARAMS: Mapping[str, str | int | float | bool] = MappingProxyType(
    {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 7,
        "min_data_in_leaf": 20,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
)


@dataclass(frozen=True)
class LeakageCheck:
    """What a model still foretold after the future was shuffled.

    Attributes:
        measure: What was measured.
        estimate: Its value, with an interval at 99.9 %.
        chance: Its value by chance; a leak lies above.
        n_rows: Rows of the check.
        suspects: Features that tell the shuffled future by themselves, worst first.
    """

    measure: str
    estimate: Estimate
    chance: float
    n_rows: int
    suspects: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether the shuffled future was foretold better than by chance."""
        return self.estimate.low > self.chance or bool(self.suspects)


@dataclass(frozen=True)
class ShuffledRows:
    """Rows made from tables with a shuffled future.

    Attributes:
        X: Features, (n, features); NaN is null.
        labels: What happened in the shuffled future, (n,).
        units: Whose row it is, (n,): a unit is learned from or judged on, never both.
        signature: Columns of X.
    """

    X: Floats
    labels: Bools
    units: npt.NDArray[np.object_]
    signature: FeatureSignature


def check_leakage(rows: ShuffledRows, *, seed: int) -> LeakageCheck | NotEnoughData:
    """Fit on two thirds of the customers and judge on the last one, in turn.

    The AUC is the mean of the folds': ranks are not compared across models. At most 30,000 rows are
    looked at.
    """
    rng = np.random.default_rng(seed)
    chosen = _sample(rows, rng=rng)
    n_scarce = min(int(chosen.labels.sum()), int((~chosen.labels).sum()))
    if n_scarce < _MIN_EVENTS:
        return NotEnoughData(
            f"{n_scarce} rows of the rarer kind: {_MIN_EVENTS} are needed to look for leaks"
        )
    unique, position = np.unique(chosen.units, return_inverse=True)
    fold = rng.permutation(np.arange(len(unique)) % N_FOLDS)[position]
    found = [_judge_fold(chosen, test=fold == at, seed=seed) for at in range(N_FOLDS)]
    parts = [part for part in found if part is not None]
    if not parts:
        return NotEnoughData("no third of the customers has events and others: too few to look")
    value = float(np.mean([part.value for part in parts]))
    error = float(np.sqrt(np.sum([part.error**2 for part in parts]))) / len(parts)
    half = NormalDist().inv_cdf(0.5 + LEVEL / 2.0) * error
    return LeakageCheck(
        measure="auc",
        estimate=Estimate(value, value - half, value + half),
        chance=_CHANCE_AUC,
        n_rows=len(chosen.labels),
        suspects=_find_suspects(chosen),
    )


@dataclass(frozen=True)
class _Auc:
    """An AUC and its standard error by chance."""

    value: float
    error: float


def _sample(rows: ShuffledRows, *, rng: np.random.Generator) -> ShuffledRows:
    if len(rows.labels) <= MOST_ROWS:
        return rows
    chosen = np.sort(rng.choice(len(rows.labels), size=MOST_ROWS, replace=False))
    return ShuffledRows(rows.X[chosen], rows.labels[chosen], rows.units[chosen], rows.signature)


def _judge_fold(rows: ShuffledRows, *, test: Bools, seed: int) -> _Auc | None:
    """AUC on these rows of trees that were fitted on the others; None without both classes."""
    for part in (test, ~test):
        if not 0 < rows.labels[part].sum() < part.sum():
            return None
    known = lightgbm.Dataset(rows.X[~test], label=rows.labels[~test])
    trees = lightgbm.train({**_PARAMS, "seed": seed}, known, num_boost_round=_N_TREES)
    p = np.asarray(trees.predict(rows.X[test], num_threads=1), dtype=np.float64)
    return _weigh(p, labels=rows.labels[test])


def _find_suspects(rows: ShuffledRows) -> tuple[str, ...]:
    """Features whose AUC by itself, in either direction, is not chance's (Bonferroni)."""
    n_features = rows.X.shape[1]
    border = NormalDist().inv_cdf(1.0 - (1.0 - LEVEL) / (2.0 * n_features))
    lowest = np.where(np.isnan(rows.X), -np.inf, rows.X)
    found = [_weigh(lowest[:, column], labels=rows.labels) for column in range(n_features)]
    excess = np.abs([one.value - _CHANCE_AUC for one in found])
    errors = np.array([one.error for one in found])
    is_suspect = (excess > border * errors) & (excess >= LEAST_EXCESS)
    worst_first = np.argsort(-excess, kind="stable")
    return tuple(rows.signature.names[at] for at in worst_first if is_suspect[at])


def _weigh(values: Floats, *, labels: Bools) -> _Auc:
    n, n_pos = len(labels), int(labels.sum())
    n_tied = np.unique(values, return_counts=True)[1].astype(np.float64)
    ties = 1.0 - (n_tied**3 - n_tied).sum() / (float(n) ** 3 - n)
    variance = (n + 1) / (12.0 * n_pos * (n - n_pos)) * max(ties, 0.0)
    return _Auc(make_auc(values, labels)(np.ones(n)), float(np.sqrt(variance)))
