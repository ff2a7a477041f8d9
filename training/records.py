"""What is written down about each training: parameters, metrics, plots and warnings."""

from collections.abc import Mapping
from dataclasses import asdict

from matplotlib.figure import Figure

from training import channel as channels
from training import churn, lateness, send_time
from training.boosting import FittedBooster
from training.channel import TrainedChannel, score_channels
from training.churn import TrainedChurn
from training.datasets.channel import OUTCOME_DAYS
from training.datasets.provenance import NotEnoughData, Provenance
from training.evaluation import Comparison, Estimate, lift_at
from training.lateness import TrainedLateness
from training.measures import Bools, Floats
from training.registry.entries import ModelName
from training.registry.tracking import TrainingRecord
from training.reports.plots import (
    draw_calibration,
    draw_importance,
    draw_precision_recall,
    draw_strengths,
    draw_week,
)
from training.send_time import SendTimeDataset, TrainedSendTime

NOT_RANDOMISED = (
    "no message of the log was decided by chance: rates per channel are associations, not effects"
)
OPENS_ARE_OBSERVED = "activity tells when a customer is there, not whether a message would be read"
_LIFT_SHARE = 0.1


def record_churn(trained: TrainedChurn, *, provenance: Provenance, seed: int) -> TrainingRecord:
    """What is logged about a churn model."""
    labels, p = trained.test.labels, trained.p_test
    by_model = {"model": p, churn.BASELINE: trained.p_baseline}
    return TrainingRecord(
        name=ModelName.CHURN,
        model=trained.fitted.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **_describe_training(provenance, seed=seed),
            "horizon_days": trained.test.horizon_days,
            "baseline": churn.BASELINE,
            "n_train": int(trained.split.train.sum()),
            "n_calibration": int(trained.split.calibration.sum()),
            **_describe_trees(trained.fitted),
        },
        metrics={
            "n_test": len(labels),
            "n_test_positives": int(labels.sum()),
            "lift_at_10_percent": lift_at(p, labels=labels, share=_LIFT_SHARE),
            **flatten_comparison(trained.comparison),
        },
        plots=_draw_trees(trained.fitted, by_model, labels=labels),
    )


def record_channel(trained: TrainedChannel, *, provenance: Provenance, seed: int) -> TrainingRecord:
    """What is logged about a channel model."""
    metrics: dict[str, float] = {"n_test": len(trained.test.customers)}
    plots = {}
    for outcome, fit in trained.by_outcome.items():
        labels = trained.test.targets[outcome]
        metrics[f"{outcome}.n_test_positives"] = int(labels.sum())
        if not isinstance(fit.comparison, NotEnoughData):
            metrics |= flatten_comparison(fit.comparison, prefix=f"{outcome}.")
            by_model = {"model": fit.p_test, channels.BASELINE: fit.p_baseline}
            plots[f"{outcome}_calibration"] = draw_calibration(by_model, labels=labels)
            plots[f"{outcome}_precision_recall"] = draw_precision_recall(by_model, labels=labels)
        plots[f"{outcome}_importance"] = draw_importance(
            fit.fitted.importance, names=fit.fitted.model.signature.names
        )
    for score in score_channels(trained):
        prefix = f"{score.outcome}.{score.channel}"
        metrics[f"{prefix}.n_test"] = score.n_messages
        metrics[f"{prefix}.log_loss"] = score.log_loss
        metrics[f"{prefix}.log_loss_baseline"] = score.log_loss_baseline
    return TrainingRecord(
        name=ModelName.CHANNEL,
        model=trained.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **_describe_training(provenance, seed=seed),
            "outcome_days": OUTCOME_DAYS,
            "baseline": channels.BASELINE,
            "randomised": trained.test.randomised,
            "n_train": int(trained.split.train.sum()),
            "n_calibration": int(trained.split.calibration.sum()),
            **{
                f"{outcome}.{key}": value
                for outcome, fit in trained.by_outcome.items()
                for key, value in _describe_trees(fit.fitted).items()
            },
        },
        metrics=metrics,
        plots=plots,
        notes={} if trained.test.randomised else {"warning": NOT_RANDOMISED},
    )


def record_send_time(
    trained: TrainedSendTime, *, dataset: SendTimeDataset, seed: int
) -> TrainingRecord:
    """What is logged about a send-time model."""
    return TrainingRecord(
        name=ModelName.SEND_TIME,
        model=trained.model,
        trained_until=trained.test_from,
        fingerprint=dataset.fingerprint,
        tables=dataset.tables,
        params={
            "seed": seed,
            "baseline": send_time.BASELINE,
            "held_out_days": send_time.HELD_OUT_DAYS,
            "strength": trained.model.strength,
        },
        metrics={
            "n_test": len(dataset.test.customers),
            "n_test_events": float(dataset.test.after.sum()),
            "loss": trained.loss,
            **_flatten("loss_over_population", trained.over_population),
            **_flatten("loss_over_customer_only", trained.over_customer),
        },
        plots={
            "strengths": draw_strengths(
                [score.strength for score in trained.scores],
                [score.log_likelihood for score in trained.scores],
            ),
            "week": draw_week(trained.model.population),
        },
        notes={"warning": OPENS_ARE_OBSERVED},
    )


def record_lateness(
    trained: TrainedLateness, *, provenance: Provenance, seed: int
) -> TrainingRecord:
    """What is logged about a model of late deliveries."""
    labels, p = trained.test.labels, trained.p_test
    by_model = {"model": p, lateness.BASELINE: trained.p_baseline}
    return TrainingRecord(
        name=ModelName.LATENESS,
        model=trained.fitted.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **_describe_training(provenance, seed=seed),
            "baseline": lateness.BASELINE,
            "n_train": int(trained.split.train.sum()),
            "n_calibration": int(trained.split.calibration.sum()),
            **_describe_trees(trained.fitted),
        },
        metrics={
            "n_test": len(labels),
            "n_test_positives": int(labels.sum()),
            "lift_at_10_percent": lift_at(p, labels=labels, share=_LIFT_SHARE),
            **flatten_comparison(trained.comparison),
            **flatten_comparison(trained.over_rule, prefix="over_rule."),
        },
        plots=_draw_trees(trained.fitted, by_model, labels=labels),
    )


def flatten_comparison(comparison: Comparison, *, prefix: str = "") -> dict[str, float]:
    """Every value and interval by name: `auc`, `auc_low`, `auc_baseline`, `auc_gain_low`, ..."""
    flat: dict[str, float] = {}
    parts = {"": comparison.ours, "_baseline": comparison.other, "_gain": comparison.difference}
    for suffix, measures in parts.items():
        for name, estimate in measures.by_name().items():
            flat |= _flatten(f"{prefix}{name}{suffix}", estimate)
    return flat


def _flatten(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _describe_training(provenance: Provenance, *, seed: int) -> Mapping[str, str | int | float]:
    return {
        "seed": seed,
        "feature_digest": provenance.signature.digest,
        "n_features": len(provenance.signature.names),
        "known_until": provenance.known_until.isoformat(),
    }


def _draw_trees(
    fitted: FittedBooster, by_model: Mapping[str, Floats], *, labels: Bools
) -> dict[str, Figure]:
    return {
        "calibration": draw_calibration(by_model, labels=labels),
        "precision_recall": draw_precision_recall(by_model, labels=labels),
        "importance": draw_importance(fitted.importance, names=fitted.model.signature.names),
    }


def _describe_trees(fitted: FittedBooster) -> Mapping[str, float]:
    return {"n_trees": fitted.n_trees, **asdict(fitted.settings)}
