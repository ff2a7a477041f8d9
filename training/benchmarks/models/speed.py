"""How long training takes on many rows, beside LightGBM alone with the same parameters and rounds.

The rows are made by chance: forty numbers, four of which matter, one with nulls. Every
booster that the models need is fitted, one after the other: churn at three horizons, five outcomes
of a message, and a treated and an untreated half for uplift. Building features and bootstrapping
figures are not in it.
"""

import resource
import time
from dataclasses import dataclass

import lightgbm
import numpy as np
from scipy.special import expit

from training.benchmarks.models.judging import Reference, make_figure
from training.benchmarks.rows import BenchRow
from training.boosting import PATIENCE, FittedBooster, LabelledRows, fit_booster, write_params
from training.registry.servable import FeatureSignature

CASE = "training"
N_FEATURES = 40
_N_SIGNALS = 4
_TRAIN_SHARE = 0.8
_BASE_LOGIT = -2.2
_BOOSTERS = (
    *("churn_30", "churn_60", "churn_90"),
    *("delivered", "opened", "clicked", "converted", "unsubscribed"),
)


@dataclass(frozen=True)
class Rows:
    """A training part and a calibration part over one matrix."""

    train: LabelledRows
    calibration: LabelledRows
    signature: FeatureSignature


def bench_speed(n_rows: int, *, seed: int) -> list[BenchRow]:
    """Seconds of all boosters, memory of the process, and overhead over the bare fit.

    The bare fit and ours take turns, three each, and the overhead is of the quicker of each: other
    work on the machine only ever adds.
    """
    rows = draw_rows(n_rows, seed=seed)
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        fitted = _fit(rows, CASE, seed=seed)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        _fit_bare(rows, fitted, seed=seed)
        bare.append(time.perf_counter() - began)
    began = time.perf_counter()
    for name in _BOOSTERS:
        _fit(rows, name, seed=seed)
    half = _halve(rows)
    for name in ("treated", "untreated"):
        _fit(half, name, seed=seed)
    seconds = time.perf_counter() - began
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    case = f"{CASE}_{n_rows}"
    return [
        make_figure(case, "overhead", min(ours) / min(bare), beside=Reference(1.3, "limit"), n=3),
        make_figure(
            case, "seconds_one", min(ours), beside=Reference(min(bare), "LightGBM"), n=3, unit="s"
        ),
        make_figure(case, "seconds_all", seconds, beside=Reference(300.0, "limit"), n=1, unit="s"),
        make_figure(case, "peak_gib", peak_gib, beside=Reference(8.0, "limit"), n=1, unit="GiB"),
    ]


def draw_rows(n_rows: int, *, seed: int) -> Rows:
    """Rows by chance, the later fifth for calibration."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, N_FEATURES))
    effect = X[:, :_N_SIGNALS] @ np.array([0.8, -0.5, 0.3, 0.2]) + 0.4 * X[:, 0] * X[:, 1]
    labels = rng.random(n_rows) < expit(_BASE_LOGIT + effect)
    X[rng.random(n_rows) < 0.05, 0] = np.nan
    n_train = int(_TRAIN_SHARE * n_rows)
    names = tuple(f"column_{n}" for n in range(N_FEATURES))
    return Rows(
        train=LabelledRows(X[:n_train], labels[:n_train]),
        calibration=LabelledRows(X[n_train:], labels[n_train:]),
        signature=FeatureSignature(names, CASE),
    )


def _fit(rows: Rows, name: str, *, seed: int) -> FittedBooster:
    return fit_booster(
        name,
        signature=rows.signature,
        train=rows.train,
        calibration=rows.calibration,
        seed=seed,
    )


def _fit_bare(rows: Rows, fitted: FittedBooster, *, seed: int) -> lightgbm.Booster:
    """LightGBM with our parameters and the rounds that ours took, judged on the same held-out rows.

    Ours looks `PATIENCE` rounds further than the trees it keeps; so does this.
    """
    params = write_params(fitted.settings, seed=seed, n_rows=len(rows.train.labels))
    data = lightgbm.Dataset(rows.train.X, label=rows.train.labels, params=params)
    held_out = data.create_valid(rows.calibration.X, label=rows.calibration.labels)
    n_rounds = min(fitted.n_trees + PATIENCE, fitted.settings.max_rounds)
    return lightgbm.train(params, data, num_boost_round=n_rounds, valid_sets=[held_out])


def _halve(rows: Rows) -> Rows:
    train, calibration = rows.train, rows.calibration
    return Rows(
        train=LabelledRows(train.X[::2], train.labels[::2]),
        calibration=LabelledRows(calibration.X[::2], calibration.labels[::2]),
        signature=rows.signature,
    )
