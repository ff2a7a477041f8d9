"""IBM's Telco churn: one moment, 7,043 customers, compared with published figures.

Published (interpretml's README, `ebm-classification-comparison.ipynb`): three stratified shuffles
that hold out a quarter, seed 1337; logistic regression .849, random forest .824, XGBoost .828, EBM
.852. Beside it five folds of our own, whose parts do not overlap.

How trees are grown is chosen from two settings on rows of the training part alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.contracts import CONTRACTS
from features.sources.telco import SNAPSHOT_AT, read_telco
from features.tables import Tables
from training.benchmarks.models.judging import (
    Figures,
    Part,
    Reference,
    estimate_error_of_truth,
    judge_parts,
    make_figure,
    make_row,
    pool_parts,
    take_median,
)
from training.benchmarks.models.linear_blend import fit_blend, make_gain_row
from training.benchmarks.rows import BenchRow
from training.boosting import EXACT, BoosterSettings, FittedBooster, LabelledRows, fit_booster
from training.evaluation import N_RESAMPLES, Window, compare, judge
from training.measures import Bools, Floats, Integers, make_auc
from training.registry.servable import FeatureSignature

CASE = "telco"
FOLDER = "telco_churn"
BASELINE = "one-hot logistic regression, same rows"

_FILE = "telco_customer_churn.csv.gz"
_PUBLISHED = Reference(0.849, "logistic regression, interpretml README")
_PUBLISHED_BEST = Reference(0.852, "EBM, interpretml README")
_LIMIT = Reference(0.02, "limit")
_MENU = (BoosterSettings(), EXACT)
_N_CHOOSING = 2


@dataclass(frozen=True)
class Encoded:
    """Customers as numbers.

    Attributes:
        X: Numbers as they are, categories as ones and zeros, (n, columns); NaN is null.
        labels: Whether the customer left, (n,).
        names: Of the columns.
    """

    X: Floats
    labels: Bools
    names: tuple[str, ...]


def bench_telco(path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
    """AUC on the published shuffles and on five folds, and calibration of all held-out rows.

    Args:
        path: Folder of public data; holds `telco_churn`.
        seeds: Of everything random but the published shuffles; figures are medians.

    Raises:
        SourceUnreadableError: The file is missing or is no CSV.
        BadInputError: It holds something else than IBM's file.
    """
    data = encode_telco(read_telco(path / FOLDER / _FILE).tables)
    shuffles = [judge_shuffles(data, seed=seed) for seed in seeds]
    folds = [_judge_folds(data, seed=seed) for seed in seeds]
    blended = [
        _blend_shuffles(data, parts, seed=seed) for parts, seed in zip(shuffles, seeds, strict=True)
    ]
    n, auc = len(seeds), take_median([_measure_auc(parts, seed=0) for parts in shuffles])
    auc_folds = take_median([_measure_auc(parts, seed=0) for parts in folds])
    error = take_median([_measure_calibration(parts, seed=0) for parts in folds])
    pooled = pool_parts(folds[0])
    truth = estimate_error_of_truth(pooled.ours, rng=np.random.default_rng(seeds[0]))
    return [
        make_row(CASE, "auc", auc.ours, beside=_PUBLISHED, n=n),
        make_row(CASE, "auc_beside_ebm", auc.ours, beside=_PUBLISHED_BEST, n=n),
        make_row(CASE, "auc_gain", auc.difference, beside=Reference(0.0, BASELINE), n=n),
        make_gain_row(CASE, "auc", blended, make=make_auc),
        make_row(
            CASE,
            "auc_5_fold",
            auc_folds.ours,
            beside=Reference(auc_folds.other.value, BASELINE),
            n=n,
        ),
        make_row(
            CASE, "auc_5_fold_gain", auc_folds.difference, beside=Reference(0.0, BASELINE), n=n
        ),
        make_row(CASE, "calibration_error", error.ours, beside=_LIMIT, n=n),
        make_figure(
            CASE,
            "calibration_error_of_truth",
            truth,
            beside=Reference(error.ours.value, "ours"),
            n=len(pooled.labels),
        ),
    ]


def encode_telco(tables: Tables) -> Encoded:
    """The numbers of every customer, in the order of the file."""
    customers, subscriptions = tables["customers"], tables["subscriptions"]
    now = subscriptions[subscriptions["status"] == "active"].set_index("customer_id")
    left = set(subscriptions.loc[subscriptions["status"] == "canceled", "customer_id"])
    ids = customers["customer_id"]
    own = {column.name for column in CONTRACTS["customers"].columns}
    said = [column for column in customers.columns if column not in own]
    frame = customers[said].assign(
        tenure_days=(SNAPSHOT_AT - customers["signed_up_at"]).dt.days,
        mrr_cents=ids.map(now["mrr_cents"]),
        plan=ids.map(now["plan"]),
    )
    numbers = {"tenure_days", "mrr_cents", "total_charges_cents"}
    words = [c for c in frame if c not in numbers]
    one_hot = pd.get_dummies(frame, columns=words, dtype=float).astype("float64")
    return Encoded(
        X=one_hot.to_numpy(np.float64, na_value=np.nan),
        labels=ids.isin(left).to_numpy(bool),
        names=tuple(one_hot.columns),
    )


def judge_shuffles(data: Encoded, *, seed: int) -> list[Part]:
    """Ours and logistic regression on the three published test parts."""
    return list(_judge(data, _shuffle_as_published(data), seed=seed))


def _shuffle_as_published(data: Encoded) -> Iterator[tuple[Integers, Integers]]:
    shuffles = StratifiedShuffleSplit(n_splits=3, test_size=0.25, random_state=1337)
    yield from shuffles.split(data.X, data.labels)


def _judge_folds(data: Encoded, *, seed: int) -> list[Part]:
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=seed)
    return list(_judge(data, folds.split(data.X, data.labels), seed=seed))


def _judge(
    data: Encoded, splits: Iterator[tuple[Integers, Integers]], *, seed: int
) -> Iterator[Part]:
    for known, test in splits:
        settings = _choose_settings(data, known, seed=seed)
        fitted = _fit(data, known, settings=settings, seed=seed)
        yield Part(
            rows=test.astype(np.int64),
            labels=data.labels[test],
            ours=fitted.model.predict(data.X[test]),
            other=_fit_logistic(data, known, test=test),
        )


def _choose_settings(data: Encoded, known: Integers, *, seed: int) -> BoosterSettings:
    """The settings with the lower log loss on fifths of the known rows."""
    losses = np.zeros(len(_MENU))
    for n in range(_N_CHOOSING):
        fit, held_out = _cut(data, known, share=0.2, seed=seed + n)
        for position, settings in enumerate(_MENU):
            model = _fit(data, fit, settings=settings, seed=seed).model
            judged = judge(model.predict(data.X[held_out]), labels=data.labels[held_out])
            losses[position] += judged.losses.mean()
    return _MENU[int(losses.argmin())]


def _fit(data: Encoded, known: Integers, *, settings: BoosterSettings, seed: int) -> FittedBooster:
    train, calibration = _split(data, known, seed=seed)
    return fit_booster(
        CASE,
        signature=FeatureSignature(tuple(f"column_{n}" for n in range(len(data.names))), CASE),
        train=train,
        calibration=calibration,
        seed=seed,
        settings=settings,
    )


def _blend_shuffles(data: Encoded, shuffles: Sequence[Part], *, seed: int) -> list[Part]:
    """A linear model beside the trees on the published test parts, and the trees alone."""
    return [
        _blend(data, known, part=part, seed=seed)
        for (known, _), part in zip(_shuffle_as_published(data), shuffles, strict=True)
    ]


def _blend(data: Encoded, known: Integers, *, part: Part, seed: int) -> Part:
    settings = _choose_settings(data, known, seed=seed)
    train, calibration = _split(data, known, seed=seed)
    # The served trees are grown again with the calibration rows; who weighs must not know these.
    weighing = _fit(data, known, settings=replace(settings, refit=False), seed=seed)
    blend = fit_blend(weighing.model, train=train, calibration=calibration, seed=seed)
    served = _fit(data, known, settings=settings, seed=seed)
    return Part(part.rows, part.labels, blend.score(served.model, data.X[part.rows]), part.ours)


def _split(data: Encoded, known: Integers, *, seed: int) -> tuple[LabelledRows, LabelledRows]:
    train, calibration = _cut(data, known, share=0.2, seed=seed)
    return (
        LabelledRows(data.X[train], data.labels[train]),
        LabelledRows(data.X[calibration], data.labels[calibration]),
    )


def _cut(data: Encoded, rows: Integers, *, share: float, seed: int) -> tuple[Integers, Integers]:
    first, second = train_test_split(
        rows, test_size=share, stratify=data.labels[rows], random_state=seed
    )
    return first, second


def _fit_logistic(data: Encoded, known: Integers, *, test: Integers) -> Floats:
    X = np.nan_to_num(data.X)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    p: Floats = model.fit(X[known], data.labels[known]).predict_proba(X[test])[:, 1]
    return p


def _measure_auc(parts: Sequence[Part], *, seed: int) -> Figures:
    return judge_parts(parts, make=make_auc, rng=np.random.default_rng(seed))


def _measure_calibration(parts: Sequence[Part], *, seed: int) -> Figures:
    pooled = pool_parts(parts)
    found = compare(
        pooled.ours,
        other=pooled.other,
        window=Window(pooled.labels, pooled.rows.astype(object)),
        rng=np.random.default_rng(seed),
        n_resamples=N_RESAMPLES,
    )
    return Figures(
        found.ours.calibration_error,
        found.other.calibration_error,
        found.difference.calibration_error,
    )
