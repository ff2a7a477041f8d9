"""The slices of the customers, read back from a run's metrics."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from training.reports.figures import write_interval, write_number

_COLUMNS: Final = (
    "rows",
    "AUC",
    "less the whole",
    "foretold less observed",
    "loss less the baseline's",
)
_NAME = re.compile(
    r"^(?:(?P<outcome>[\w-]+)\.)?slice\.(?P<dimension>[^.]+)\.(?P<value>.+)\."
    r"(?P<measure>n|auc|auc_gap|calibration|calibration_gap|log_loss|log_loss_gap"
    r"|loss_over_baseline|loss_over_baseline_low|loss_over_baseline_high)$"
)


@dataclass(frozen=True)
class SliceFigures:
    """How a model does on one slice; what was not measured is not among its measures.

    Attributes:
        outcome: What was foretold; empty where there is one thing, or where all of them count.
        dimension: What divides the customers.
        value: Which part.
        measures: By name: `n` rows; `auc` on the slice and `auc_gap`, less that on all rows;
            `calibration`, mean probability less rate; `loss_over_baseline`, the loss less that of
            the plain baseline, whose interval holds for all slices together.
    """

    outcome: str
    dimension: str
    value: str
    measures: Mapping[str, float]

    @property
    def name(self) -> str:
        """In words."""
        part = f"{self.dimension} {self.value}"
        return f"{self.outcome}, {part}" if self.outcome else part

    @property
    def excess(self) -> float:
        """For the order: how far the AUC is from the whole, or else how much worse the loss is."""
        gap = self.measures.get("auc_gap")
        return self.measures.get("loss_over_baseline", 0.0) if gap is None else abs(gap)

    @property
    def cells(self) -> tuple[str, ...]:
        """The name and the figures as text."""
        return (
            self.name,
            write_number(self.measures.get("n")),
            write_number(self.measures.get("auc")),
            write_number(self.measures.get("auc_gap"), signed=True),
            write_number(self.measures.get("calibration"), signed=True),
            write_interval(self.measures, "loss_over_baseline", signed=True),
        )


def find_slices(metrics: Mapping[str, float]) -> tuple[SliceFigures, ...]:
    """Every slice that was logged, by outcome, dimension and value.

    >>> found = find_slices({"slice.language.kk.n": 300, "slice.language.kk.auc": 0.7})
    >>> found[0].name, found[0].measures
    ('language kk', {'n': 300, 'auc': 0.7})
    """
    parts: dict[tuple[str, str, str], dict[str, float]] = {}
    for name, value in metrics.items():
        if found := _NAME.match(name):
            key = (found["outcome"] or "", found["dimension"], found["value"])
            parts.setdefault(key, {})[found["measure"]] = value
    return tuple(SliceFigures(*key, measures=measures) for key, measures in sorted(parts.items()))


def tabulate_slices(
    slices: Sequence[SliceFigures], *, first: str
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of a table; a measure that no slice has is no column of it.

    >>> tabulate_slices(find_slices({"slice.language.kk.n": 300}), first="slice")
    (('slice', 'rows'), [('language kk', '300')])
    """
    rows = [one.cells for one in slices]
    kept = [n for n in range(len(_COLUMNS) + 1) if n == 0 or any(row[n] for row in rows)]
    header = (first, *_COLUMNS)
    return tuple(header[n] for n in kept), [tuple(row[n] for n in kept) for row in rows]
