"""The recipe of the uplift model."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime

import numpy as np

from features.engagement import ENGAGEMENT_FEATURES
from features.tables import Tables
from training.datasets.provenance import NotEnoughData, Provenance, sign
from training.datasets.slices import slice_rows
from training.datasets.split import is_from, is_known_by, to_datetime
from training.datasets.uplift import EFFECT_DAYS, build_uplift_dataset, split_uplift
from training.evaluation import HeldOut, Judged
from training.evaluation.leakage import LeakageCheck
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import describe_training, flatten
from training.registry.entries import ModelName
from training.registry.servable import Servable, UpliftModel
from training.registry.tracking import TrainingRecord
from training.uplift.leakage import build_shuffled, check_uplift_leakage
from training.uplift.measures import trace_qini
from training.uplift.plots import draw_qini
from training.uplift.train import (
    BASELINE,
    TrainedUplift,
    UpliftScores,
    expect_outcomes,
    find_effects,
    fit_response,
    judge_response,
    judge_uplift,
    show,
    to_arms,
    train_uplift,
)

NOT_RANDOMISED = (
    "no decision of the log left a customer without a message by chance: whoever was not written "
    "to was passed over for a reason, and differences are associations, not effects"
)
WEAK = (
    "on the later decisions the Qini coefficient's interval includes zero: they do not show that "
    "the model tells who is moved"
)


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """See `Learn`."""
    dataset = build_uplift_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_uplift(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return record(trained, provenance=dataset.provenance, seed=seed)


def record(trained: TrainedUplift, *, provenance: Provenance, seed: int) -> TrainingRecord:
    """What is logged about an uplift model."""
    arms = to_arms(trained.test.trial)
    curves = {
        "model": trace_qini(trained.score_test, arms),
        BASELINE: trace_qini(trained.score_baseline, arms),
    }
    n_treated, n_without = trained.test.trial.count_both()
    return TrainingRecord(
        name=ModelName.UPLIFT,
        model=trained.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **describe_training(provenance, seed=seed, split=trained.split),
            "effect_days": EFFECT_DAYS,
            "baseline": BASELINE,
            "randomised": trained.test.randomised,
            **{f"weight_{one.learner}": one.weight for one in trained.fitted.weighed},
        },
        metrics={
            "n_test": n_treated + n_without,
            "n_test_without_message": n_without,
            **_flatten_scores(trained.ours, suffix=""),
            **_flatten_scores(trained.baseline, suffix="_baseline"),
            **{f"gain_{one.learner}": one.gain for one in trained.fitted.weighed},
        },
        plots={"qini": draw_qini(curves)},
        notes=_note(trained),
        held_out=_hold_out(trained),
    )


def _hold_out(trained: TrainedUplift) -> HeldOut:
    """Squared errors to the pseudo-outcomes of the test rows, as at the gate."""
    known, test = trained.known.trial, trained.test
    nuisance = expect_outcomes(known, test.trial, seed=0)
    shown = show(find_effects(trained.model, test), test.trial, nuisance=nuisance)
    return HeldOut(
        customers=test.trial.customers,
        moments=test.moments,
        ours=judge_uplift(shown, test.trial, nuisance=nuisance),
        baseline=judge_response(trained.response, known, test.trial, nuisance=nuisance),
    )


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    """See `FindLaterRows`; expected outcomes and the baseline are of the earlier rows."""
    dataset = build_uplift_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    moments, span = dataset.moments, dataset.label_span
    later = dataset.take(is_from(seen_until, moments=moments))
    earlier = dataset.take(is_known_by(fit_until, moments=moments, label_span=span))
    if not (len(later.moments) and len(earlier.moments)):
        return too_early(seen_until, known_until=known_until, label_span=span)
    split = split_uplift(earlier)
    if isinstance(split, NotEnoughData):
        return split
    nuisance = expect_outcomes(earlier.trial, later.trial, seed=0)
    response = fit_response(earlier, split=split, seed=0)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.trial.customers,
        baseline=judge_response(response, earlier.trial, later.trial, nuisance=nuisance),
        baseline_name=BASELINE,
        faults=() if dataset.randomised else (NOT_RANDOMISED,),
        slices=slice_rows(tables, customers=later.trial.customers, moments=later.moments),
        # An effect is a small difference between large noises: a month of decisions cannot show it.
        # What holds the model to its evidence is in it: it may find nothing, and says how unsure it
        # is. Held back, decisions would go by beliefs, which no trial has looked at.
        may_draw=True,
    )

    def judge(model: Servable) -> Judged:
        effects = find_effects(require(model, UpliftModel), later)
        shown = show(effects, later.trial, nuisance=nuisance)
        return judge_uplift(shown, later.trial, nuisance=nuisance)

    return LaterRows(window, judge)


def _flatten_scores(scores: UpliftScores, *, suffix: str) -> Mapping[str, float]:
    flat: dict[str, float] = {}
    for field in fields(scores):
        flat |= flatten(f"{field.name}{suffix}", getattr(scores, field.name))
    return flat


def _note(trained: TrainedUplift) -> Mapping[str, str]:
    notes = {}
    if not trained.test.randomised:
        notes["warning"] = NOT_RANDOMISED
    if trained.ours.qini.low <= 0:
        notes["evidence"] = WEAK
    return notes


def find_leak(
    tables: Tables, /, *, known_until: datetime, seed: int
) -> LeakageCheck | NotEnoughData:
    """See `FindLeak`; of the marketing decisions of a week."""
    rows = build_shuffled(tables, known_until=known_until, rng=np.random.default_rng(seed))
    if isinstance(rows, NotEnoughData):
        return rows
    return check_uplift_leakage(rows, seed=seed)


UPLIFT = Recipe(ModelName.UPLIFT, learn, find_later_rows, sign(ENGAGEMENT_FEATURES), find_leak)
