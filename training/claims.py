"""What the record of a training says of its model, for whoever wants to doubt it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.evaluation import Estimate


@dataclass(frozen=True)
class GainShare:
    """The feature that the trees look at most.

    Attributes:
        feature: Its name.
        share: Of the total gain, [0, 1].
    """

    feature: str
    share: float


@dataclass(frozen=True)
class Claims:
    """What was written down when a model was trained.

    Attributes:
        auc: On its own test rows, by outcome.
        leak: Why its features are thought to know the future; None where they are not.
        largest_gain: Its most important feature; None where there are no trees of one kind.
    """

    auc: Mapping[str, Estimate] = field(default_factory=dict)
    leak: str | None = None
    largest_gain: GainShare | None = None


@dataclass(frozen=True)
class RunFacts:
    """What is logged with a run, by name."""

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    notes: Mapping[str, str]


def read_claims(facts: RunFacts) -> Claims:
    """The claims of a training from what was logged; what was not logged is not claimed."""
    metrics, params = facts.metrics, facts.params
    found = metrics.get("leakage.found", 0.0) > 0
    share = params.get("largest_gain_share")
    return Claims(
        auc={
            name.removesuffix("auc").removesuffix("."): Estimate(
                value, metrics[f"{name}_low"], metrics[f"{name}_high"]
            )
            for name, value in metrics.items()
            if _is_claim(name) and f"{name}_low" in metrics and f"{name}_high" in metrics
        },
        leak=facts.notes.get("leakage", "its leakage check failed") if found else None,
        largest_gain=None
        if share is None
        else GainShare(params["most_gain_feature"], float(share)),
    )


def _is_claim(name: str) -> bool:
    """Whether it is an AUC on all test rows: `auc`, or `opened.auc` of one outcome."""
    return name == "auc" or (
        name.endswith(".auc") and name.count(".") == 1 and name != "leakage.auc"
    )
