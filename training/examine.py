"""What is measured of every training alike: slices, calls at capacity, and leaks.

From the rows that a training held out; the results join its record as metrics and, whole, as the
document `evaluation.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import numpy as np

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.datasets.slices import slice_rows
from training.evaluation.calibration import CalibrationReport, describe_calibration
from training.evaluation.capacity import Capacity, CapacityReport, measure_capacity
from training.evaluation.judged import HeldOut
from training.evaluation.leakage import LeakageCheck
from training.evaluation.slices import (
    SliceLoss,
    SliceReport,
    SliceSize,
    compare_slices,
    measure_slices,
)
from training.models.records import flatten
from training.registry.tracking import TrainingRecord

DOCUMENT: Final = "evaluation.json"
_MOST_NAMED: Final = 5
_HIGHEST: Final = Capacity(share=0.1)
_N_RESAMPLES: Final = 200  # of the highest tenth, for each outcome
_NOTED_GAP: Final = 0.02  # of the AUC; with many rows smaller gaps stand out, too


@dataclass(frozen=True)
class OutcomeExamination:
    """Of one outcome that the model gives a probability of.

    Attributes:
        calibration: Foretold against observed.
        slices: The measures by slice.
        capacity: What the calls are worth; None where rows are not lists to call from.
        highest: What the tenth rated highest is worth where they are not; None where they are, and
            where the baseline gives no probability of the outcome.
    """

    calibration: CalibrationReport
    slices: SliceReport
    capacity: CapacityReport | None
    highest: CapacityReport | None


@dataclass(frozen=True)
class Examination:
    """Everything that was found.

    Attributes:
        by_outcome: By outcome with both kinds among the test rows.
        over_baseline: Loss over the baseline's by slice.
        too_small: Slices for which that could not be told.
        leakage: What the shuffled future gave away; why not where it was not looked at.
    """

    by_outcome: Mapping[str, OutcomeExamination] = field(default_factory=dict)
    over_baseline: tuple[SliceLoss, ...] = ()
    too_small: tuple[SliceSize, ...] = ()
    leakage: LeakageCheck | NotEnoughData | None = None

    def add_to(self, record: TrainingRecord) -> TrainingRecord:
        """The record with what was found, as metrics, notes and a document."""
        return replace(
            record,
            params={**record.params, **self.to_params()},
            metrics={**record.metrics, **self.to_metrics()},
            notes={**record.notes, **self.to_notes()},
            documents={**record.documents, DOCUMENT: self.to_json()},
        )

    def to_params(self) -> dict[str, str]:
        """With how many calls the worth was reckoned, and what became of the look for leaks."""
        reports = [one.capacity for one in self.by_outcome.values() if one.capacity is not None]
        params = {"capacity": str(reports[0].capacity)} if reports else {}
        if isinstance(self.leakage, LeakageCheck):
            params["leakage_check"] = "failed" if self.leakage.leaks else "passed"
        elif self.leakage is not None:
            params["leakage_check"] = f"not made: {self.leakage.reason}"
        return params

    def to_metrics(self) -> dict[str, float]:
        """Numbers by name; see `docs/gate.md`."""
        metrics: dict[str, float] = {}
        for outcome, found in self.by_outcome.items():
            prefix = f"{outcome}." if outcome else ""
            metrics |= _flatten_slices(found.slices, prefix=prefix)
            if found.capacity is not None:
                metrics |= _flatten_capacity(found.capacity, prefix=f"{prefix}capacity.")
            if found.highest is not None:
                metrics |= _flatten_capacity(found.highest, prefix=f"{prefix}highest.")
        for part in self.over_baseline:
            name = _name_slice(part.dimension, part.value)
            metrics[f"{name}.n"] = part.n_rows
            metrics |= flatten(f"{name}.loss_over_baseline", part.difference)
        if isinstance(self.leakage, LeakageCheck):
            metrics |= flatten(f"leakage.{self.leakage.measure}", self.leakage.estimate)
            metrics["leakage.chance"] = self.leakage.chance
            metrics["leakage.found"] = float(self.leakage.leaks)
        return metrics

    def to_notes(self) -> dict[str, str]:
        """What a reader must know: leaks, and slices that are served worse."""
        notes = {}
        if isinstance(self.leakage, LeakageCheck) and self.leakage.leaks:
            notes["leakage"] = describe_leak(self.leakage)
        worse = sorted(
            (part.auc.gap.value, f"{prefix}{part.dimension} {part.value}", part.auc.here.value)
            for prefix, found in self._named()
            for part in found.slices.slices
            if part.auc.stands_out and part.auc.gap.value < -_NOTED_GAP
        )
        if worse:
            named = [f"{name}: AUC {auc:.3f}, {gap:+.3f} to the whole" for gap, name, auc in worse]
            more = f"; and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
            listed = "; ".join(named[:_MOST_NAMED])
            notes["slices"] = f"ranks worse than elsewhere for {listed}{more}"
        return notes

    def to_json(self) -> str:
        """Everything, intervals and sizes included."""
        document = {
            "outcomes": {
                outcome or "event": asdict(one) for outcome, one in self.by_outcome.items()
            },
            "loss_over_baseline": [asdict(part) for part in self.over_baseline],
            "too_small": [asdict(part) for part in self.too_small],
            "leakage": None if self.leakage is None else asdict(self.leakage),
        }
        return json.dumps(document, ensure_ascii=False, indent=1)

    def _named(self) -> list[tuple[str, OutcomeExamination]]:
        return [
            (f"{outcome}, " if outcome else "", one) for outcome, one in self.by_outcome.items()
        ]


def examine(
    held_out: HeldOut | None,
    *,
    tables: Tables,
    capacity: Capacity,
    leakage: LeakageCheck | NotEnoughData | None,
    seed: int,
) -> Examination:
    """Look at held-out rows from every side; without any only the leakage is left.

    Args:
        held_out: Test rows and how the model did on them.
        tables: Conformed tables; of `customers` the slices are read.
        capacity: Calls per list.
        leakage: Of the check that was made.
        seed: Of the bootstrap.
    """
    if held_out is None:
        return Examination(leakage=leakage)
    table = slice_rows(tables, customers=held_out.customers, moments=held_out.moments)
    by_outcome = {
        outcome: OutcomeExamination(
            calibration=describe_calibration(scored),
            slices=measure_slices(scored, drawn=held_out.drawn, table=table),
            capacity=measure_capacity(
                held_out, outcome=outcome, capacity=capacity, rng=np.random.default_rng(seed)
            )
            if held_out.is_list and outcome in held_out.baseline.scores
            else None,
            highest=_measure_highest(held_out, outcome=outcome, seed=seed)
            if not held_out.is_list and outcome in held_out.baseline.scores
            else None,
        )
        for outcome, scored in held_out.ours.scores.items()
        if scored.has_both
    }
    over_baseline, too_small = compare_slices(
        held_out.ours.losses,
        other=held_out.baseline.losses,
        drawn=held_out.drawn,
        table=table,
        labels=held_out.ours.only_labels,
    )
    return Examination(by_outcome, over_baseline, too_small, leakage)


def _measure_highest(held_out: HeldOut, *, outcome: str, seed: int) -> CapacityReport:
    """What comes of the tenth of all rows that is rated highest, as if they were one list."""
    one_list = replace(held_out, moments=np.full_like(held_out.moments, held_out.moments[0]))
    return measure_capacity(
        one_list,
        outcome=outcome,
        capacity=_HIGHEST,
        rng=np.random.default_rng(seed),
        n_resamples=_N_RESAMPLES,
    )


def describe_leak(check: LeakageCheck) -> str:
    """The failed check in words."""
    found = check.estimate
    named = f"; most by {', '.join(check.suspects[:3])}" if check.suspects else ""
    return (
        f"features know the future: trained on a shuffled one, {check.measure} is "
        f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}] instead of {check.chance:g}{named}"
    )


def _flatten_slices(report: SliceReport, *, prefix: str) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for part in report.slices:
        name = prefix + _name_slice(part.dimension, part.value)
        metrics[f"{name}.n"] = part.n_rows
        for measure in ("auc", "calibration", "log_loss"):
            gap = getattr(part, measure)
            metrics[f"{name}.{measure}"] = gap.here.value
            metrics[f"{name}.{measure}_gap"] = gap.gap.value
    return metrics


def _flatten_capacity(report: CapacityReport, *, prefix: str) -> dict[str, float]:
    metrics: dict[str, float] = {f"{prefix}n_called": report.n_called}
    parts = {"": report.ours, "_baseline": report.baseline, "_gain": report.gain}
    for suffix, called in parts.items():
        for measure in ("precision", "recall", "lift"):
            metrics |= flatten(f"{prefix}{measure}{suffix}", getattr(called, measure))
    return metrics


def _name_slice(dimension: str, value: str) -> str:
    """Name of a metric, in the characters that a tracking store takes."""
    allowed = "".join(letter if letter.isalnum() or letter in " _-:" else "_" for letter in value)
    return f"slice.{dimension}.{allowed}"
