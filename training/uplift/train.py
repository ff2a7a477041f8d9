"""Who is moved by a message: an uplift model from the decisions of chance, judged on later ones.

The plain baseline is what is mostly done instead: a response model, which writes to those who act
when written to, whether or not they would have acted anyway.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from features.economics import default_economics
from training.boosting import LabelledRows, fit_booster
from training.datasets.provenance import NotEnoughData
from training.datasets.split import ForwardSplit
from training.datasets.uplift import UpliftDataset, split_uplift
from training.evaluation import Estimate, Judged
from training.measures import Bools, Floats
from training.registry.servable import (
    CHANNELS,
    TRIGGERS,
    BoosterModel,
    FeatureSignature,
    UpliftModel,
)
from training.uplift.fit import (
    FEWEST_ROWS,
    N_REPLICATES,
    FittedEffects,
    fit_effects,
    mean_over_eligible,
)
from training.uplift.learners import (
    Learner,
    Nuisance,
    UpliftSettings,
    fit_outcomes,
    make_pseudo_outcomes,
)
from training.uplift.measures import (
    Arms,
    MakeMeasure,
    Strategy,
    estimate,
    make_auuc,
    make_qini,
    make_uplift_at,
)
from training.uplift.products import find_room
from training.uplift.reach import (
    ReachRows,
    count_foreseen,
    cross_fit_reaches,
    find_families,
    fit_reaches,
)
from training.uplift.trial import Trial

BASELINE: Final = "response model: who acts when written to"
TOP_SHARE: Final = 0.3


@dataclass(frozen=True)
class UpliftScores:
    """How well a score finds who is moved, on later decisions of chance.

    Attributes:
        qini: Qini coefficient, outcomes a decision.
        qini_gain: Its paired difference to the response model.
        auuc: Area under the uplift curve.
        uplift_at_top: Uplift among the best 30 %.
        uplift_at_top_by_group: The same, the best 30 % of treated and untreated each.
        uplift: Of all.
    """

    qini: Estimate
    qini_gain: Estimate
    auuc: Estimate
    uplift_at_top: Estimate
    uplift_at_top_by_group: Estimate
    uplift: Estimate


@dataclass(frozen=True)
class TrainedUplift:
    """An uplift model and how it did on later decisions.

    Attributes:
        model: The model.
        fitted: How its learners were weighed.
        response: The baseline, from the same rows.
        split: Which rows were used for what.
        known: Rows that were learned from.
        test: Rows of the test part.
        score_test: Mean effect of the messages that each row could have had.
        score_baseline: What the response model said of them.
        ours: How well the model's score ranks.
        baseline: How well the response model's score ranks; its `qini_gain` is 0.
    """

    model: UpliftModel
    fitted: FittedEffects
    response: BoosterModel
    split: ForwardSplit
    known: UpliftDataset
    test: UpliftDataset
    score_test: Floats
    score_baseline: Floats
    ours: UpliftScores
    baseline: UpliftScores


def train_uplift(
    dataset: UpliftDataset, *, seed: int, n_replicates: int = N_REPLICATES
) -> TrainedUplift | NotEnoughData:
    """Fit on the earlier decisions, judge on the latest."""
    split = split_uplift(dataset)
    if isinstance(split, NotEnoughData):
        return split
    known, test = dataset.take(split.train | split.calibration), dataset.take(split.test)
    few = min(known.trial.count_both())
    if few < FEWEST_ROWS or min(test.trial.count_both()) < 1:
        return NotEnoughData(
            f"{known.trial.count_both()} decisions to write and not to, and in the test part "
            f"{test.trial.count_both()}: {FEWEST_ROWS} of both are needed, and some to test"
        )
    model, fitted = fit_model(dataset, split=split, seed=seed, n_replicates=n_replicates)
    response = fit_response(dataset, split=split, seed=seed)
    scores = score_rows(model, test), response.predict(_with_group(test.trial))
    rated = [_rate(score, other=scores[1], test=test.trial, seed=seed) for score in scores]
    return TrainedUplift(model, fitted, response, split, known, test, *scores, *rated)


def fit_model(
    dataset: UpliftDataset, *, split: ForwardSplit, seed: int, n_replicates: int = N_REPLICATES
) -> tuple[UpliftModel, FittedEffects]:
    """The model from the rows that do not test."""
    signature = dataset.provenance.signature
    known = dataset.take(split.train | split.calibration)
    rows = ReachRows(
        dataset.take(split.train),
        dataset.take(split.calibration),
    )
    reaches = fit_reaches(rows, signature=signature, seed=seed)
    crossed = cross_fit_reaches(known, among=reaches, signature=signature, seed=seed)
    # What is served must be what effects were learned on.
    reaches = {trigger: reaches[trigger] for trigger in crossed.triggers}
    trial = replace(known.trial, reach=crossed.reach, bounded=find_families(reaches))
    learners = (Learner.REACH, Learner.X, Learner.DR)
    fitted = fit_effects(trial, learners=learners, seed=seed, n_replicates=n_replicates)
    economics = default_economics()
    model = UpliftModel(
        version="",
        signature=signature,
        groups=tuple(TRIGGERS),
        treatments=tuple(CHANNELS),
        members=fitted.members,
        reaches={trigger.value: reach for trigger, reach in reaches.items()},
        own_sd=crossed.own_sd,
        without=_fit_chance(dataset, split=split, rows=~dataset.trial.treated, seed=seed),
        value_cents=dataset.value_cents,
        cost_cents=tuple(economics.send_cost_cents(channel) for channel in CHANNELS),
        foreseen={
            trigger.value: p for trigger, p in count_foreseen(known, until=split.test_from).items()
        },
    )
    return model, fitted


def fit_response(dataset: UpliftDataset, *, split: ForwardSplit, seed: int) -> BoosterModel:
    """The baseline: P(good outcome) of those who were written to."""
    return _fit_chance(dataset, split=split, rows=dataset.trial.treated, seed=seed)


def score_rows(model: UpliftModel, rows: UpliftDataset) -> Floats:
    """Mean effect of the messages that each row could have had, (n,)."""
    return mean_over_eligible(find_effects(model, rows), rows.trial)


def find_effects(model: UpliftModel, rows: UpliftDataset) -> Floats:
    """Effect of every channel on every row, (n, channels)."""
    effects = np.zeros(rows.trial.eligible.shape)
    for position in np.unique(rows.trial.group):
        here, group = rows.trial.group == position, model.groups[int(position)]
        told = model.effects(rows.trial.X[here], group=group, belonging=rows.belonging.take(here))
        effects[here] = told.value
    return effects


def to_arms(trial: Trial) -> Arms:
    """Any message against none; every channel that was possible counts alike."""
    n_eligible = np.maximum(trial.eligible.sum(axis=1), 1)
    p = np.where(trial.treated, np.minimum(trial.p_taken * n_eligible, 1.0), trial.p_taken)
    return Arms(trial.treated, trial.outcome, p, trial.customers)


def judge_uplift(effects: Floats, trial: Trial, *, nuisance: Nuisance) -> Judged:
    """Squared error to the doubly robust pseudo-outcomes, mean over the possible channels, (n,).

    Effects are of what the outcome shows; see `show`.

    Its mean is the error to the true effects and a constant that is the same for every model
    (Kennedy 2020): differences compare, and are in squared outcomes.
    """
    errors = (make_pseudo_outcomes(trial, nuisance) - effects) ** 2
    return Judged(mean_over_eligible(errors, trial), None, unit="squared outcomes")


def show(effects: Floats, trial: Trial, *, nuisance: Nuisance) -> Floats:
    """What the outcome shows of the effects, (n, channels): of orders those that are not a second.

    An order that is brought about is seen in whether there was any only where there was none.
    """
    shown: Floats = effects * find_room(trial, nuisance.without)[:, None]
    return shown


def expect_outcomes(earlier: Trial, later: Trial, *, seed: int) -> Nuisance:
    """Expected outcomes of later rows from earlier ones, the same for every model judged."""
    models = fit_outcomes(earlier, settings=UpliftSettings(), seed=seed)
    without, given = models.expect(later)
    share = float(earlier.treated.mean())
    return Nuisance(without, given, np.full(len(without), share))


def judge_response(
    response: BoosterModel, earlier: Trial, later: Trial, *, nuisance: Nuisance
) -> Judged:
    """The baseline as effects: in proportion to the chance to act, with the mean effect so far."""
    p_before, p = response.predict(_with_group(earlier)), response.predict(_with_group(later))
    arms = to_arms(earlier)
    uplift = make_uplift_at(1.0)(p_before, arms)(np.ones(len(p_before)))
    effects = uplift * p / max(float(p_before.mean()), 1e-12)
    return judge_uplift(
        np.repeat(effects[:, None], later.n_treatments, axis=1), later, nuisance=nuisance
    )


def _rate(score: Floats, *, other: Floats, test: Trial, seed: int) -> UpliftScores:
    arms = to_arms(test)

    def measure(make: MakeMeasure, against: Floats | None = None) -> Estimate:
        rng = np.random.default_rng(seed)
        return estimate(make, score, arms=arms, rng=rng, other=against)

    return UpliftScores(
        qini=measure(make_qini),
        qini_gain=measure(make_qini, other),
        auuc=measure(make_auuc),
        uplift_at_top=measure(make_uplift_at(TOP_SHARE)),
        uplift_at_top_by_group=measure(make_uplift_at(TOP_SHARE, strategy=Strategy.BY_GROUP)),
        uplift=measure(make_uplift_at(1.0)),
    )


def _fit_chance(
    dataset: UpliftDataset, *, split: ForwardSplit, rows: Bools, seed: int
) -> BoosterModel:
    """P(good outcome) of some rows, of features and trigger."""
    signature = _extend(dataset.provenance.signature, "trigger")
    fitted = fit_booster(
        "good outcome",
        signature=signature,
        train=_label(dataset.trial.take(split.train & rows)),
        calibration=_label(dataset.trial.take(split.calibration & rows)),
        seed=seed,
        groups=(len(signature.names) - 1,),
    )
    return fitted.model


def _label(trial: Trial) -> LabelledRows:
    return LabelledRows(_with_group(trial), trial.outcome > 0)


def _with_group(trial: Trial) -> Floats:
    return np.column_stack([trial.X, trial.group.astype(np.float64)])


def _extend(signature: FeatureSignature, *names: str) -> FeatureSignature:
    return FeatureSignature((*signature.names, *names), signature.digest)
