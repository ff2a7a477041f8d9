"""How a model does on parts of the customers, and how far that is from the whole.

Three questions are asked of a slice: does the model order its customers as well (AUC), does it
foretell as many events as there are (calibration in the large: mean probability minus rate), and
how much does it know (log loss, which also depends on how much there is to know). Each comes with
its gap to the whole, paired. With many slices some gap is large by chance: `stands_out` asks for an
interval that excludes zero after Bonferroni's correction for all slices.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.datasets.slices import SliceTable, Values
from training.evaluation.bootstrap import Estimate
from training.evaluation.clustered import LEVEL, Influenced, Units, auc_of, mean_of
from training.evaluation.judged import Scored
from training.measures import Bools, Floats, log_losses

MIN_ROWS = 200
MIN_UNITS = 50
MIN_EVENTS = 20
MOST_VALUES = 12


@dataclass(frozen=True)
class Slice:
    """One part of the rows.

    Attributes:
        dimension: What divides the rows, such as language.
        value: Which part.
        rows: Its rows, (n,) of the whole.
    """

    dimension: str
    value: str
    rows: Bools

    @property
    def name(self) -> str:
        """In words.

        >>> Slice("language", "kk", np.array([True])).name
        'language kk'
        """
        return f"{self.dimension} {self.value}"


@dataclass(frozen=True)
class SliceSize:
    """A slice that is too small to be judged.

    Attributes:
        dimension: What divides the rows.
        value: Which part.
        n_rows: Its rows.
    """

    dimension: str
    value: str
    n_rows: int


@dataclass(frozen=True)
class Gap:
    """A measure on a slice and its difference from that on all rows.

    Attributes:
        here: On the slice.
        gap: Slice minus whole, paired.
        stands_out: Whether the gap excludes zero after correction for all slices.
    """

    here: Estimate
    gap: Estimate
    stands_out: bool


@dataclass(frozen=True)
class SliceMeasures:
    """How a model does on one slice.

    Attributes:
        dimension: What divides the rows.
        value: Which part.
        n_rows: Its rows.
        n_positives: Those in which the event happened.
        auc: Order.
        calibration: Mean probability minus rate.
        log_loss: In nats a row.
    """

    dimension: str
    value: str
    n_rows: int
    n_positives: int
    auc: Gap
    calibration: Gap
    log_loss: Gap


@dataclass(frozen=True)
class SliceReport:
    """Every slice that is large enough, and those that are not."""

    slices: tuple[SliceMeasures, ...]
    too_small: tuple[SliceSize, ...]


@dataclass(frozen=True)
class SliceLoss:
    """Loss of one model minus another's on one slice, in nats a row.

    Attributes:
        dimension: What divides the rows.
        value: Which part.
        n_rows: Its rows.
        difference: Ours minus the other's; its interval is corrected for all slices.
        other: Mean loss of the other.
    """

    dimension: str
    value: str
    n_rows: int
    difference: Estimate
    other: float

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.dimension} {self.value}"


def measure_slices(scored: Scored, *, drawn: Values, table: SliceTable) -> SliceReport:
    """The measures of probabilities on every slice that is large enough.

    Args:
        scored: Probabilities and labels, both kinds among them.
        drawn: Whose row each is, (n,).
        table: Slices of the rows.
    """
    parts, too_small = find_slices(table, drawn=drawn, labels=scored.labels)
    units, whole = Units.of(drawn), np.ones(len(drawn), dtype=np.bool_)
    strict = correct_level(len(parts))
    everywhere = _measure(scored, rows=whole)

    def gap(here: Influenced, everywhere: Influenced) -> Gap:
        difference = here.minus(everywhere)
        widest = units.estimate(difference, level=strict)
        return Gap(
            here=units.estimate(here),
            gap=units.estimate(difference),
            stands_out=widest.low > 0 or widest.high < 0,
        )

    def describe(part: Slice) -> SliceMeasures:
        here = _measure(scored, rows=part.rows)
        return SliceMeasures(
            dimension=part.dimension,
            value=part.value,
            n_rows=int(part.rows.sum()),
            n_positives=int(scored.labels[part.rows].sum()),
            auc=gap(here.auc, everywhere.auc),
            calibration=gap(here.calibration, everywhere.calibration),
            log_loss=gap(here.log_loss, everywhere.log_loss),
        )

    return SliceReport(tuple(describe(part) for part in parts), too_small)


def compare_slices(
    losses: Floats, *, other: Floats, drawn: Values, table: SliceTable, labels: Bools | None = None
) -> tuple[tuple[SliceLoss, ...], tuple[SliceSize, ...]]:
    """Paired differences of the loss on every slice that is large enough, and those that are not.

    Args:
        losses: Of our model, (n,).
        other: Of the other one, (n,).
        drawn: Whose row each is, (n,).
        table: Slices of the rows.
        labels: What happened, (n,), where there is one event; a slice needs some of both.
    """
    parts, too_small = find_slices(table, drawn=drawn, labels=labels)
    units, level = Units.of(drawn), correct_level(len(parts))
    found = tuple(
        SliceLoss(
            dimension=part.dimension,
            value=part.value,
            n_rows=int(part.rows.sum()),
            difference=units.estimate(mean_of(losses - other, rows=part.rows), level=level),
            other=float(other[part.rows].mean()),
        )
        for part in parts
    )
    return found, too_small


def find_slices(
    table: SliceTable, *, drawn: Values, labels: Bools | None
) -> tuple[tuple[Slice, ...], tuple[SliceSize, ...]]:
    """Slices that are large enough to judge, and the sizes of those that are not.

    Of a dimension the 12 values with most rows are looked at.
    """
    large, small = [], []
    for part in _list_slices(table):
        if _is_large(part.rows, drawn=drawn, labels=labels):
            large.append(part)
        else:
            small.append(SliceSize(part.dimension, part.value, int(part.rows.sum())))
    return tuple(large), tuple(small)


def correct_level(n_slices: int) -> float:
    """Level of each of many intervals, so that all hold together with 95 % (Bonferroni).

    >>> round(correct_level(10), 4)
    0.995
    """
    return 1.0 - (1.0 - LEVEL) / max(n_slices, 1)


@dataclass(frozen=True)
class _Measured:
    auc: Influenced
    calibration: Influenced
    log_loss: Influenced


def _measure(scored: Scored, *, rows: Bools) -> _Measured:
    return _Measured(
        auc=auc_of(scored.p, labels=scored.labels, rows=rows),
        calibration=mean_of(scored.p - scored.labels, rows=rows),
        log_loss=mean_of(log_losses(scored.p, labels=scored.labels), rows=rows),
    )


def _list_slices(table: SliceTable) -> Iterator[Slice]:
    for dimension, values in table.values.items():
        found, position, n_rows = np.unique(
            values.astype(str), return_inverse=True, return_counts=True
        )
        for at in np.argsort(-n_rows, kind="stable")[:MOST_VALUES]:
            yield Slice(dimension, str(found[at]), position == at)


def _is_large(rows: Bools, *, drawn: Values, labels: Bools | None) -> bool:
    n_rows = int(rows.sum())
    if n_rows < MIN_ROWS or len(set(drawn[rows].tolist())) < MIN_UNITS:
        return False
    if labels is None:
        return True
    n_positives = int(labels[rows].sum())
    return min(n_positives, n_rows - n_positives) >= MIN_EVENTS
