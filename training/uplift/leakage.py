"""Whether uplift features know the future: after it was shuffled, nobody may be moved.

After the moment every customer lives another one's life, so no message changes anything: whoever
still is told to be moved is told so by a feature that has seen what comes. Such a feature mostly
tells who orders, with a message or without; that is looked for too, for it is easier to see.
"""

from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Final

import numpy as np
import pandas as pd

from features.tables import Tables, empty_table
from training.datasets.provenance import NotEnoughData
from training.datasets.shuffled import shuffle_futures
from training.datasets.uplift import EFFECT_DAYS, NO_LOG, UpliftDataset, build_uplift_dataset
from training.evaluation import Estimate
from training.evaluation.leakage import LEVEL, LeakageCheck, ShuffledRows, check_leakage
from training.measures import Floats
from training.registry.servable import TRIGGERS, Member
from training.uplift.fit import mean_over_eligible, predict_effects
from training.uplift.learners import (
    Learner,
    Lesson,
    UpliftSettings,
    assign_folds,
    fit_nuisance,
    fit_part,
)
from training.uplift.measures import estimate, make_qini
from training.uplift.train import to_arms
from training.uplift.trial import Trial

_SPAN: Final = timedelta(days=EFFECT_DAYS)
_FEWEST: Final = 50
_SETTINGS: Final = UpliftSettings(num_leaves=7, min_data_in_leaf=50)


def build_shuffled(
    tables: Tables, *, known_until: datetime, rng: np.random.Generator
) -> UpliftDataset | NotEnoughData:
    """The first marketing decision of each customer in a week whose outcomes are known.

    All are asked as of the beginning of that week, from which on facts belong to other customers;
    decisions and messages stay with theirs.
    """
    moment = pd.Timestamp(known_until - 2 * _SPAN)
    log = tables.get("decisions", empty_table("decisions"))
    if log.empty:
        return NotEnoughData(NO_LOG)
    is_asked = (log["decided_at"] >= moment) & (log["decided_at"] < moment + _SPAN)
    is_asked &= log["trigger"].isin([t.value for t in TRIGGERS if not t.is_service])
    first = log[is_asked].sort_values("decided_at").drop_duplicates("customer_id")
    if first.empty:
        return NotEnoughData("no marketing decision of the week before last to look for leaks in")
    shuffled = shuffle_futures(
        {name: frame for name, frame in tables.items() if name not in ("decisions", "messages")},
        customers=first["customer_id"],
        as_of=moment.to_pydatetime(),
        rng=rng,
    )
    stay = {name: tables[name] for name in ("messages",) if name in tables}
    asked = first.assign(decided_at=moment)
    return build_uplift_dataset({**shuffled, **stay, "decisions": asked}, known_until=known_until)


def check_uplift_leakage(rows: UpliftDataset, *, seed: int) -> LeakageCheck | NotEnoughData:
    """The Qini coefficient of effects learned from other customers; by chance it is 0.

    Features that foretell the shuffled outcome by themselves are suspects, as everywhere; where
    they tell it together, the answer is of that.
    """
    trial = rows.trial
    if min(trial.count_both()) < _FEWEST:
        return NotEnoughData(
            f"{trial.count_both()} decisions to write and not to: {_FEWEST} of both are needed to "
            "look for leaks"
        )
    found = ShuffledRows(trial.X, trial.outcome > 0, trial.customers, rows.provenance.signature)
    of_outcome = check_leakage(found, seed=seed)
    if isinstance(of_outcome, NotEnoughData) or of_outcome.leaks:
        return of_outcome
    qini = estimate(
        make_qini, _foretell(trial, seed=seed), arms=to_arms(trial), rng=np.random.default_rng(seed)
    )
    wider = NormalDist().inv_cdf(0.5 + LEVEL / 2.0) / NormalDist().inv_cdf(0.975)
    half = wider * (qini.high - qini.low) / 2.0
    return LeakageCheck(
        measure="qini",
        estimate=Estimate(qini.value, qini.value - half, qini.value + half),
        chance=0.0,
        n_rows=len(trial.outcome),
    )


def _foretell(trial: Trial, *, seed: int) -> Floats:
    """Mean effect on each row of trees that were fitted to other customers, (n,)."""
    fold = assign_folds(trial, n_folds=_SETTINGS.n_folds, seed=seed)
    told = np.zeros(len(trial.outcome))
    for part in range(_SETTINGS.n_folds):
        train, here = trial.take(fold != part), fold == part
        nuisance = fit_nuisance(train, settings=_SETTINGS, seed=seed)
        lesson = Lesson(train, nuisance, _SETTINGS, seed, np.ones(len(train.outcome)))
        member = Member((1.0,), (fit_part(Learner.DR, lesson),))
        own = trial.take(here)
        told[here] = mean_over_eligible(predict_effects((member,), own), own)
    return told
