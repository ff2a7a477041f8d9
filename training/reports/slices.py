"""The slices of the customers, read back from a run's metrics."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from training.reports.figures import write_number

SLICE_COLUMNS: Final = ("rows", "AUC", "less the whole", "foretold less observed")
"""What `SliceFigures.cells` say after the name."""

_NAME = re.compile(
    r"^(?:(?P<outcome>[\w-]+)\.)?slice\.(?P<dimension>[^.]+)\.(?P<value>.+)\."
    r"(?P<measure>n|auc|auc_gap|calibration|calibration_gap|log_loss|log_loss_gap)$"
)


@dataclass(frozen=True)
class SliceFigures:
    """How a model does on one slice; None where it was not measured.

    Attributes:
        outcome: What was foretold; empty where there is one thing.
        dimension: What divides the customers.
        value: Which part.
        n_rows: Rows of it.
        auc: On the slice.
        auc_gap: Less that on all rows.
        calibration: Mean probability less rate.
    """

    outcome: str
    dimension: str
    value: str
    n_rows: float | None
    auc: float | None
    auc_gap: float | None
    calibration: float | None

    @property
    def name(self) -> str:
        """In words."""
        part = f"{self.dimension} {self.value}"
        return f"{self.outcome}, {part}" if self.outcome else part

    @property
    def cells(self) -> tuple[str, ...]:
        """The name and `SLICE_COLUMNS` as text."""
        return (
            self.name,
            write_number(self.n_rows),
            write_number(self.auc),
            write_number(self.auc_gap, signed=True),
            write_number(self.calibration, signed=True),
        )


def find_slices(metrics: Mapping[str, float]) -> tuple[SliceFigures, ...]:
    """Every slice that was logged, by outcome, dimension and value.

    >>> found = find_slices({"slice.language.kk.n": 300, "slice.language.kk.auc": 0.7})
    >>> found[0].name, found[0].auc, found[0].auc_gap
    ('language kk', 0.7, None)
    """
    parts: dict[tuple[str, str, str], dict[str, float]] = {}
    for name, value in metrics.items():
        if found := _NAME.match(name):
            key = (found["outcome"] or "", found["dimension"], found["value"])
            parts.setdefault(key, {})[found["measure"]] = value
    return tuple(
        SliceFigures(
            *key,
            n_rows=measures.get("n"),
            auc=measures.get("auc"),
            auc_gap=measures.get("auc_gap"),
            calibration=measures.get("calibration"),
        )
        for key, measures in sorted(parts.items())
    )
