"""What is known of a model on some rows: its losses, and what it said of what happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from training.measures import Bools, Floats, log_losses, make_calibration_error

ONLY_OUTCOME = ""
"""Name of the outcome of a model that foretells one."""


@dataclass(frozen=True)
class Scored:
    """Probabilities of an event and whether it happened.

    Attributes:
        p: Probability of each row, (n,).
        labels: What happened, (n,).
    """

    p: Floats
    labels: Bools

    @property
    def has_both(self) -> bool:
        """Whether it happened in some rows and in others not."""
        return 0 < int(self.labels.sum()) < len(self.labels)


@dataclass(frozen=True)
class Judged:
    """What a gate needs to know of a model on some rows.

    Attributes:
        losses: Of each row, (n,); lower is better.
        calibration_error: Over all rows; None where the model gives no probability of an event.
        scores: What it said, by outcome (`ONLY_OUTCOME` where there is one); empty where the model
            gives no probability of an event.
        unit: Of the losses.
    """

    losses: Floats
    calibration_error: float | None
    scores: Mapping[str, Scored] = field(default_factory=dict)
    unit: str = "nats"

    @property
    def only_labels(self) -> Bools | None:
        """What happened, (n,); None where the model does not foretell one event."""
        return self.scores[ONLY_OUTCOME].labels if ONLY_OUTCOME in self.scores else None


@dataclass(frozen=True)
class HeldOut:
    """Rows that a training kept for the test, and how model and baseline did on them.

    Attributes:
        customers: customer_id of each row, (n,).
        moments: As of when each row is, (n,), UTC microseconds without a zone.
        ours: How the model did.
        baseline: How the plain baseline did.
        units: What the bootstrap draws, (n,), where that is not the customer.
        is_list: Whether the rows of one moment are a list from which a team calls the first.
    """

    customers: npt.NDArray[np.object_]
    moments: npt.NDArray[np.datetime64]
    ours: Judged
    baseline: Judged
    units: npt.NDArray[np.object_] | None = None
    is_list: bool = False

    def __post_init__(self) -> None:
        lengths = {
            "customers": len(self.customers),
            "moments": len(self.moments),
            "losses": len(self.ours.losses),
            "losses of the baseline": len(self.baseline.losses),
            "units": len(self.drawn),
        }
        if len(set(lengths.values())) > 1:
            raise BadInputError(f"held-out rows want parts of one length, got {lengths}")

    @property
    def drawn(self) -> npt.NDArray[np.object_]:
        """What the bootstrap draws, (n,)."""
        return self.customers if self.units is None else self.units


def judge(p: Floats, *, labels: Bools) -> Judged:
    """Log loss of each row, and the calibration error over all."""
    calibration_error = make_calibration_error(p, labels)(np.ones(len(p)))
    scores = {ONLY_OUTCOME: Scored(p, labels)}
    return Judged(log_losses(p, labels=labels), calibration_error, scores)
