"""Bank marketing (Moro et al. 2014) without `duration`, forward in time.

Rows are in the order of the calls, May 2008 to November 2010. The first four fifths are known, the
last fifth is foretold. In between the world changes: 6 % say yes before, 31 % after. The five
columns of the economy change every few weeks at most, so that within the known rows they mark the
period and little else; trees cannot follow them to where they have never been.

What to do about it is chosen without the last fifth: plans are fitted on the first four fifths of
the known rows and judged on the last fifth of those, by AUC, since who is called first is decided
by rank and the level moves anyway. The plans differ in which columns of the economy they read,
whether they may only lower the probability as they rise (in good times fewer people tie up
savings: a belief from before the data), and in how borders are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from features.errors import BadInputError, SourceUnreadableError
from training.benchmarks.models.judging import (
    Part,
    Reference,
    judge_parts,
    make_row,
    take_median,
)
from training.benchmarks.models.linear_blend import fit_blend, make_gain_row
from training.benchmarks.rows import BenchRow
from training.boosting import BoosterSettings, LabelledRows, fit_booster
from training.measures import Bools, Floats, Integers, make_auc, make_average_precision
from training.registry.servable import BoosterModel, FeatureSignature

CASE = "bank_marketing"
FOLDER = "bank_marketing"
BASELINE = "one-hot logistic regression, same rows"

_FILE = "bank-additional-full.csv.gz"
_PUBLISHED = Reference(0.748, "one-hot logistic regression, measured before")
_NUMBERS: Final = ("age", "campaign", "pdays", "previous")
_ACTIVITY: Final = ("emp.var.rate", "euribor3m", "nr.employed")
_PRICES: Final = ("cons.price.idx", "cons.conf.idx")
_ECONOMY: Final = (*_ACTIVITY, *_PRICES)
_WORDS: Final = (
    *("job", "marital", "education", "default", "housing"),
    *("loan", "contact", "month", "day_of_week", "poutcome"),
)
_KNOWN_SHARE = 0.8


@dataclass(frozen=True)
class Plan:
    """What is read, and how trees are grown.

    Attributes:
        without: Columns that are left out.
        falling: Columns with which the probability may only fall.
        settings: How trees are grown.
    """

    without: tuple[str, ...]
    falling: tuple[str, ...]
    settings: BoosterSettings


_COLUMN_PLANS = (((), ()), (_ECONOMY, ()), ((), _ACTIVITY), (_PRICES, _ACTIVITY))
_GROWN = (BoosterSettings(), BoosterSettings(extra_trees=False))
PLANS: Final = tuple(Plan(*columns, grown) for columns, grown in product(_COLUMN_PLANS, _GROWN))


@dataclass(frozen=True)
class Calls:
    """Calls as numbers, in the order of time.

    Attributes:
        X: Numbers as they are, categories as ones and zeros, (n, columns).
        labels: Whether the customer said yes, (n,).
        names: Of the columns.
    """

    X: Floats
    labels: Bools
    names: tuple[str, ...]


def bench_bank_marketing(path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
    """AUC and average precision on the last fifth by date, beside logistic regression.

    Args:
        path: Folder of public data; holds `bank_marketing`.
        seeds: Of the training; figures are medians.

    Raises:
        SourceUnreadableError: The file is missing or is no CSV.
        BadInputError: A column is missing.
    """
    calls = encode_calls(_read(path / FOLDER / _FILE))
    n_known = int(_KNOWN_SHARE * len(calls.labels))
    known, test = np.arange(n_known), np.arange(n_known, len(calls.labels))
    other = _fit_logistic(calls, known, test=test)
    parts, blended = [], []
    for seed in seeds:
        planned = _fit(calls, known, plan=choose_plan(calls, known, seed=seed), seed=seed)
        ours = planned.model.predict(calls.X[test][:, planned.columns])
        parts.append(Part(test - n_known, calls.labels[test], ours, other))
        blend = _blend(planned, calls.X[test], seed=seed)
        blended.append([Part(test - n_known, calls.labels[test], blend, ours)])
    rows, n = [], len(seeds)
    for metric, make in {"auc": make_auc, "average_precision": make_average_precision}.items():
        rng = np.random.default_rng(seeds[0])
        figures = take_median([judge_parts([part], make=make, rng=rng) for part in parts])
        measured = Reference(figures.other.value, BASELINE)
        beside = _PUBLISHED if metric == "auc" else measured
        gain = Reference(0.0, BASELINE)
        rows.append(make_row(CASE, metric, figures.ours, beside=beside, n=n))
        rows.append(make_row(CASE, f"{metric}_gain", figures.difference, beside=gain, n=n))
        rows.append(make_gain_row(CASE, metric, blended, make=make))
    return rows


def encode_calls(frame: pd.DataFrame) -> Calls:
    """The numbers of every call."""
    numbers = frame[[*_NUMBERS, *_ECONOMY]].astype("float64")
    words = pd.get_dummies(frame[list(_WORDS)], dtype=float)
    X = pd.concat([numbers, words], axis="columns")
    return Calls(
        X=X.to_numpy(np.float64),
        labels=(frame["y"] == "yes").to_numpy(bool),
        names=tuple(X.columns),
    )


def choose_plan(calls: Calls, known: Integers, *, seed: int) -> Plan:
    """The plan that ranks the last fifth of the known rows best, fitted on those before."""
    n_fit = int(_KNOWN_SHARE * len(known))
    fit, later = known[:n_fit], known[n_fit:]
    full = np.ones(len(later))

    def rank(plan: Plan) -> float:
        planned = _fit(calls, fit, plan=plan, seed=seed)
        p = planned.model.predict(calls.X[later][:, planned.columns])
        return make_auc(p, calls.labels[later])(full)

    return max(PLANS, key=rank)


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, sep=";")
    except (OSError, ValueError) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
    missing = [c for c in (*_NUMBERS, *_ECONOMY, *_WORDS, "y") if c not in frame]
    if missing:
        raise BadInputError(f"{path}: lacks {', '.join(missing)}")
    return frame


@dataclass(frozen=True)
class _Planned:
    """Trees of a plan, the columns they read, and the rows they were made from."""

    model: BoosterModel
    columns: list[int]
    train: LabelledRows
    calibration: LabelledRows


def _fit(calls: Calls, known: Integers, *, plan: Plan, seed: int) -> _Planned:
    """Trees of the known rows; a fifth of them, drawn by chance, stops and calibrates.

    By chance and not by date: the latest rows are the ones most like what comes.
    """
    order = np.random.default_rng(seed).permutation(known)
    n_train = int(_KNOWN_SHARE * len(order))
    train, calibration = order[:n_train], order[n_train:]
    columns = [n for n, name in enumerate(calls.names) if name not in plan.without]
    names = tuple(calls.names[n] for n in columns)
    own = {name: f"column_{n}" for n, name in enumerate(names)}
    first, second = (
        LabelledRows(calls.X[rows][:, columns], calls.labels[rows]) for rows in (train, calibration)
    )
    fitted = fit_booster(
        CASE,
        signature=FeatureSignature(tuple(own.values()), CASE),
        train=first,
        calibration=second,
        seed=seed,
        settings=plan.settings,
        monotone={own[name]: -1 for name in plan.falling},
    )
    return _Planned(fitted.model, columns, first, second)


def _blend(planned: _Planned, X: Floats, *, seed: int) -> Floats:
    """What a linear model beside the trees makes of rows of all columns, (n,)."""
    blend = fit_blend(
        planned.model, train=planned.train, calibration=planned.calibration, seed=seed
    )
    return blend.score(planned.model, X[:, planned.columns])


def _fit_logistic(calls: Calls, known: Integers, *, test: Integers) -> Floats:
    """Numbers scaled, categories left as ones and zeros: the way the published figure was made."""
    n_numbers = len(_NUMBERS) + len(_ECONOMY)
    scale = StandardScaler().fit(calls.X[known, :n_numbers])
    X = np.column_stack([scale.transform(calls.X[:, :n_numbers]), calls.X[:, n_numbers:]])
    model = LogisticRegression(max_iter=3000).fit(X[known], calls.labels[known])
    p: Floats = model.predict_proba(X[test])[:, 1]
    return p
