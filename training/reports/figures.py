"""Logged metrics as rows that people can read: value, interval, baseline, difference."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.vocabulary import Outcome
from training.reports.purposes import Purpose

MEASURES: Mapping[str, str] = {
    "auc": "order (AUC; chance .5)",
    "average_precision": "average precision",
    "brier": "Brier score (lower is better)",
    "log_loss": "log loss, nats (lower is better)",
    "calibration_error": "calibration error (lower is better)",
}
_OF_MANY = ("auc", "log_loss", "calibration_error")
_ASIDE = re.compile(r"(^|\.)(slice|risk|leakage|capacity)\.")
_SUFFIXES = ("_low", "_high", "_baseline", "_gain")


@dataclass(frozen=True)
class Measured:
    """One measure of a model on later rows.

    Attributes:
        outcome: What was foretold; empty where there is one thing.
        measure: Its name in the metrics, without the outcome.
        value: Of the model, with its interval.
        baseline: Of the plain baseline; empty where there is none.
        gain: The paired difference; empty where there is none.
    """

    outcome: str
    measure: str
    value: str
    baseline: str
    gain: str

    @property
    def words(self) -> str:
        """The measure in words, with the outcome in front."""
        words = MEASURES.get(self.measure, self.measure.replace("_", " "))
        return f"{self.outcome}: {words}" if self.outcome else words


def find_measured(metrics: Mapping[str, float]) -> tuple[Measured, ...]:
    """What was logged with an interval, slices and other special metrics aside.

    Of a model with several outcomes the order, the loss and the calibration of each are enough.
    """
    found = []
    for name in metrics:
        if _ASIDE.search(name) or name.endswith(_SUFFIXES) or f"{name}_low" not in metrics:
            continue
        outcome, _, measure = name.rpartition(".")
        found.append(
            Measured(
                outcome=outcome,
                measure=measure,
                value=write_interval(metrics, name),
                baseline=write_number(metrics.get(f"{name}_baseline")),
                gain=write_interval(metrics, f"{name}_gain", signed=True),
            )
        )
    if any(one.outcome for one in found):
        found = [one for one in found if one.measure in _OF_MANY or not one.outcome]
    found.sort(key=lambda one: _position(one.measure, among=list(MEASURES)))
    found.sort(key=lambda one: _position(one.outcome, among=["", *Outcome]))
    return tuple(found)


def _position(name: str, *, among: Sequence[str]) -> int:
    return among.index(name) if name in among else len(among)


def write_interval(metrics: Mapping[str, float], name: str, *, signed: bool = False) -> str:
    """A value with its 95 % interval, empty where it was not logged.

    >>> write_interval({"auc": 0.81, "auc_low": 0.8, "auc_high": 0.82}, "auc")
    '0.810 [0.800, 0.820]'
    """
    if name not in metrics:
        return ""
    value = write_number(metrics[name], signed=signed)
    if f"{name}_low" not in metrics:
        return value
    low, high = (write_number(metrics[f"{name}_{end}"], signed=signed) for end in ("low", "high"))
    return f"{value} [{low}, {high}]"


def write_number(value: float | None, *, signed: bool = False) -> str:
    """A number as people write it; empty for none.

    >>> write_number(0.123456), write_number(0.00123), write_number(1234.0), write_number(None)
    ('0.123', '0.0012', '1,234', '')
    """
    if value is None:
        return ""
    sign = "+" if signed else ""
    if float(value).is_integer() and abs(value) >= 2:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.4f}" if 0 < abs(value) < 0.01 else f"{value:{sign}.3f}"


def tell_people(
    metrics: Mapping[str, float], *, params: Mapping[str, str], purpose: Purpose, evaluation: str
) -> str:
    """How good the model is in people's terms; empty where that cannot be said.

    With the capacity that was measured, or else the tenth that it rates highest.

    Args:
        metrics: What was logged.
        params: Settings that were logged.
        purpose: What the model is for.
        evaluation: The run's `evaluation.json`; empty where it has none.
    """
    if "capacity.precision" in metrics:
        return _tell_capacity(metrics, calls=params.get("capacity", ""), purpose=purpose)
    if evaluation and purpose.event:
        return _tell_highest(evaluation, purpose=purpose)
    return _tell_openness(metrics)


def _tell_capacity(metrics: Mapping[str, float], *, calls: str, purpose: Purpose) -> str:
    precision, lift = metrics["capacity.precision"], metrics.get("capacity.lift", 0.0)
    by_chance = f"; by chance {100 * precision / lift:.0f}" if lift else ""
    low, high = (metrics.get(f"capacity.precision_{end}") for end in ("low", "high"))
    known = low is not None and high is not None
    between = f" (between {100 * (low or 0):.0f} and {100 * (high or 0):.0f})" if known else ""
    baseline = metrics.get("capacity.precision_baseline")
    rule = f"; picked by the plain baseline {100 * baseline:.0f}" if baseline is not None else ""
    each = f" (the first {calls} of each list)" if calls else ""
    recall = metrics.get("capacity.recall")
    reached = f" The lists hold {recall:.0%} of all who do." if recall is not None else ""
    return (
        f"Of 100 {purpose.row} that it names{each}, {100 * precision:.0f} {purpose.event}"
        f"{between}{by_chance}{rule}.{reached}"
    )


def _tell_highest(evaluation: str, *, purpose: Purpose) -> str:
    outcomes = json.loads(evaluation).get("outcomes", {})
    found = outcomes.get(purpose.outcome or "event")
    curve = found["calibration"]["curve"] if found else []
    if not curve:
        return ""
    n_rows = sum(point["n_rows"] for point in curve)
    rate = sum(point["n_rows"] * point["rate"] for point in curve) / n_rows
    share = curve[-1]["n_rows"] / n_rows
    return (
        f"Of 100 {purpose.row} among the {share:.0%} that it rates highest, "
        f"{100 * curve[-1]['rate']:.0f} {purpose.event}; of 100 taken by chance {100 * rate:.0f}."
    )


def _tell_openness(metrics: Mapping[str, float]) -> str:
    gain = metrics.get("loss_over_population")
    if gain is None:
        return ""
    better = "better" if gain < 0 else "worse"
    return (
        f"Knowing the customer's own hours, it foretells the hour of a later visit {better} than "
        f"everybody's week does: {abs(gain):.3f} nats an event, a factor of "
        f"{math.exp(abs(gain)):.2f} in the probability of the hour that came."
    )
