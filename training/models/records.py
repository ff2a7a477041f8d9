"""What is written down about every training alike: parameters, metrics and plots of trees."""

from collections.abc import Mapping
from dataclasses import asdict

from matplotlib.figure import Figure

from training.boosting import FittedBooster
from training.datasets.provenance import Provenance
from training.datasets.split import ForwardSplit
from training.evaluation import Comparison, Estimate, lift_at
from training.measures import Bools, Floats
from training.reports.plots import (
    draw_calibration,
    draw_importance,
    draw_lift,
    draw_precision_recall,
)

_LIFT_SHARE = 0.1


def measure_test(p: Floats, *, labels: Bools, comparison: Comparison) -> dict[str, float]:
    """The metrics of one probability on its test rows."""
    return {
        "n_test": len(labels),
        "n_test_positives": int(labels.sum()),
        "lift_at_10_percent": lift_at(p, labels=labels, share=_LIFT_SHARE),
        **flatten_comparison(comparison),
    }


def flatten_comparison(comparison: Comparison, *, prefix: str = "") -> dict[str, float]:
    """Every value and interval by name: `auc`, `auc_low`, `auc_baseline`, `auc_gain_low`, ..."""
    flat: dict[str, float] = {}
    parts = {"": comparison.ours, "_baseline": comparison.other, "_gain": comparison.difference}
    for suffix, measures in parts.items():
        for name, estimate in measures.by_name().items():
            flat |= flatten(f"{prefix}{name}{suffix}", estimate)
    return flat


def flatten(name: str, estimate: Estimate) -> dict[str, float]:
    """A value and its interval: `name`, `name_low`, `name_high`."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def describe_training(
    provenance: Provenance, *, seed: int, split: ForwardSplit
) -> Mapping[str, str | int | float]:
    """Parameters that every training on a matrix has."""
    return {
        "seed": seed,
        "feature_digest": provenance.signature.digest,
        "n_features": len(provenance.signature.names),
        "known_until": provenance.known_until.isoformat(),
        "n_train": int(split.train.sum()),
        "n_calibration": int(split.calibration.sum()),
    }


def describe_trees(fitted: FittedBooster) -> Mapping[str, str | int | float]:
    """How the trees of a booster were grown, and what they look at most."""
    most = int(fitted.importance.argmax())
    return {
        "n_trees": fitted.n_trees,
        **asdict(fitted.settings),
        "most_gain_feature": fitted.model.signature.names[most],
        "largest_gain_share": float(fitted.importance[most]),
    }


def draw_trees(
    fitted: FittedBooster, by_model: Mapping[str, Floats], *, labels: Bools
) -> dict[str, Figure]:
    """The plots of a booster, beside its baseline."""
    return {
        "calibration": draw_calibration(by_model, labels=labels),
        "precision_recall": draw_precision_recall(by_model, labels=labels),
        "lift": draw_lift(by_model, labels=labels),
        "importance": draw_importance(fitted.importance, names=fitted.model.signature.names),
    }
