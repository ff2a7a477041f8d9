"""Hillstrom's e-mail trial (64,000 customers, three arms, 2008): effects, and who is moved.

The rows of scikit-uplift's published recipe: Womens against no e-mail, visits,
`train_test_split(test_size=.5, random_state=42)`, uplift at 30 %, strategy "overall". Learners,
trees and the rule that weighs them are the defaults of `training.uplift`; the weights come from
cross-fitting inside the training half, and nothing is chosen on the other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from features.errors import BadInputError
from training.benchmarks.rows import BenchRow
from training.boosting import LabelledRows, fit_booster
from training.evaluation import Estimate
from training.measures import Floats
from training.registry.servable import FeatureSignature
from training.uplift.fit import fit_effects, predict_effects
from training.uplift.learners import Learner
from training.uplift.measures import (
    N_RESAMPLES,
    Arms,
    MakeMeasure,
    Strategy,
    estimate,
    make_auuc,
    make_qini,
    make_uplift_at,
)
from training.uplift.trial import NONE, Trial

CASE: Final = "hillstrom"
TOP: Final = 0.3
ARMS: Final = {"mens": "Mens E-Mail", "womens": "Womens E-Mail"}
EFFECTS: Final = {
    ("mens", "visit"): 0.0766,
    ("womens", "visit"): 0.0452,
    ("mens", "spend"): 0.770,
    ("womens", "spend"): 0.424,
}
"""Published: the data set's own analysis, visits and US dollars a customer."""

_NO_MAIL = "No E-Mail"
_PUBLISHED = "scikit-uplift's recipe, today's XGBoost"
_PUBLISHED_TOP = 0.0675
_NAMES = ("recency", "history", "mens", "womens", "newbie", "history_segment", "zip", "channel")
_ZIPS = ("Rural", "Surburban", "Urban")
_CHANNELS = ("Phone", "Web", "Multichannel")
_LEARNERS = (Learner.X, Learner.DR, Learner.T)


def bench_hillstrom(
    path: Path,
    *,
    seeds: Sequence[int],
    ranked: Sequence[str] = ("womens", "mens"),
    n_resamples: int = N_RESAMPLES,
) -> list[BenchRow]:
    """Effects of both e-mails, and how well the model ranks who is moved to visit.

    Args:
        path: Folder with `hillstrom.csv.gz`.
        seeds: Of the model; ranking figures are medians over them. The split has its own.
        ranked: E-mails (of `ARMS`) for which customers are ranked.
        n_resamples: Of the bootstrap behind the intervals.

    Raises:
        BadInputError: The file is not there, or not the one that is meant.
    """
    frame = read_hillstrom(path)
    effects = [
        _measure_effect(frame, arm, outcome, published=published, n_resamples=n_resamples)
        for (arm, outcome), published in EFFECTS.items()
    ]
    for arm in ranked:
        effects += _rank(frame, arm=arm, seeds=seeds, n_resamples=n_resamples)
    return effects


def read_hillstrom(path: Path) -> pd.DataFrame:
    """The trial, one row per customer, in its original order."""
    file = path / "hillstrom.csv.gz"
    if not file.is_file():
        raise BadInputError(f"{file}: not there, expected Hillstrom's trial as CSV")
    frame = pd.read_csv(file)
    if len(frame) != 64_000 or set(frame["segment"]) != {*ARMS.values(), _NO_MAIL}:
        raise BadInputError(f"{file}: expected 64,000 customers in three arms, got {len(frame)}")
    return frame


def make_trial(frame: pd.DataFrame, *, arm: str, outcome: str) -> Trial:
    """One e-mail against none."""
    rows = frame[frame["segment"].isin([ARMS[arm], _NO_MAIL])].reset_index(drop=True)
    treated = (rows["segment"] == ARMS[arm]).to_numpy(dtype=bool)
    n, share = len(rows), float(treated.mean())
    columns = [
        rows[name].astype("float64") for name in ("recency", "history", "mens", "womens", "newbie")
    ]
    codes = [
        rows["history_segment"].str[0].astype("float64"),
        pd.Series(pd.Index(_ZIPS).get_indexer(pd.Index(rows["zip_code"])), dtype="float64"),
        pd.Series(pd.Index(_CHANNELS).get_indexer(pd.Index(rows["channel"])), dtype="float64"),
    ]
    return Trial(
        X=np.column_stack([*columns, *codes]),
        group=np.zeros(n, dtype=np.int64),
        treatment=np.where(treated, 0, NONE),
        p_each=np.full((n, 1), share),
        eligible=np.ones((n, 1), dtype=bool),
        outcome=rows[outcome].to_numpy(dtype=np.float64),
        reach=np.ones((n, 1)),
        customers=np.array([f"h{row}" for row in range(n)], dtype=object),
    )


def _measure_effect(
    frame: pd.DataFrame, arm: str, outcome: str, *, published: float, n_resamples: int
) -> BenchRow:
    trial = make_trial(frame, arm=arm, outcome=outcome)
    found = estimate(
        make_uplift_at(1.0),
        np.zeros(len(trial.outcome)),
        arms=_to_arms(trial),
        rng=np.random.default_rng(0),
        n_resamples=n_resamples,
    )
    unit = "USD a customer" if outcome == "spend" else "visits a customer"
    return _row(f"effect_{arm}_{outcome}", found, published, "published", unit=unit, n=1)


def _rank(
    frame: pd.DataFrame, *, arm: str, seeds: Sequence[int], n_resamples: int
) -> list[BenchRow]:
    trial = make_trial(frame, arm=arm, outcome="visit")
    train, test = train_test_split(np.arange(len(trial.outcome)), test_size=0.5, random_state=42)
    known, later = trial.take(train), trial.take(test)
    response = _fit_response(known, later)
    runs = []
    for seed in seeds:
        fitted = fit_effects(known, learners=_LEARNERS, seed=seed)
        score = predict_effects(fitted.members, later)[:, 0]
        runs.append(_measure(score, response, later, arm=arm, n_resamples=n_resamples))
    return [_take_median([run[at] for run in runs]) for at in range(len(runs[0]))]


def _measure(
    score: Floats, response: Floats, later: Trial, *, arm: str, n_resamples: int
) -> list[BenchRow]:
    arms = _to_arms(later)

    def of(make: MakeMeasure, who: Floats = score, against: Floats | None = None) -> Estimate:
        rng = np.random.default_rng(0)
        return estimate(make, who, arms=arms, rng=rng, other=against, n_resamples=n_resamples)

    by_group = make_uplift_at(TOP, strategy=Strategy.BY_GROUP)
    is_published = arm == "womens"
    suffix = "" if is_published else f"_{arm}"
    naive = "response model: who visits when written to"
    qini, naive_qini = of(make_qini), of(make_qini, response)
    return [
        _row(
            f"uplift_at_30{suffix}",
            of(make_uplift_at(TOP)),
            _PUBLISHED_TOP if is_published else of(make_uplift_at(1.0)).value,
            _PUBLISHED if is_published else "everybody",
            unit="visits a customer",
        ),
        _row(
            f"uplift_at_30_by_group{suffix}",
            of(by_group),
            of(by_group, response).value,
            naive,
            unit="visits a customer",
        ),
        _row(f"qini{suffix}", qini, naive_qini.value, naive, unit="visits a customer"),
        _row(
            f"qini_over_response{suffix}",
            of(make_qini, score, response),
            0.0,
            naive,
            unit="visits a customer",
        ),
        _row(
            f"auuc{suffix}",
            of(make_auuc),
            of(make_auuc, response).value,
            naive,
            unit="visits a customer",
        ),
    ]


def _fit_response(known: Trial, later: Trial) -> Floats:
    """P(visit) of those who were written to, on the later rows."""
    written = np.flatnonzero(known.treated)
    fit, stop = written[: len(written) * 4 // 5], written[len(written) * 4 // 5 :]
    fitted = fit_booster(
        "visit",
        signature=FeatureSignature(_NAMES, ""),
        train=LabelledRows(known.X[fit], known.outcome[fit] > 0),
        calibration=LabelledRows(known.X[stop], known.outcome[stop] > 0),
        seed=0,
    )
    return fitted.model.predict(later.X)


def _to_arms(trial: Trial) -> Arms:
    return Arms(trial.treated, trial.outcome, None, trial.customers)


def _take_median(runs: Sequence[BenchRow]) -> BenchRow:
    middle = sorted(runs, key=lambda row: row.ours)[len(runs) // 2]
    return BenchRow(**{**vars(middle), "n": len(runs)})


def _row(
    metric: str, found: Estimate, reference: float, name: str, *, unit: str, n: int = 1
) -> BenchRow:
    return BenchRow(CASE, metric, found.value, found.low, found.high, reference, name, unit, n)
