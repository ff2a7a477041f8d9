"""Logged metrics as rows that people can read: value, interval, baseline, difference."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.vocabulary import Outcome
from training.reports.purposes import Purpose

MEASURES: Mapping[str, str] = {
    "auc": "ranking (AUC; chance .5)",
    "average_precision": "average precision",
    "brier": "Brier score (lower is better)",
    "log_loss": "log loss, nats (lower is better)",
    "calibration_error": "calibration error (lower is better)",
    "qini": "Qini coefficient (0: no better than any order)",
    "auuc": "area under the uplift curve",
    "uplift_at_top": "uplift among the best 30 %",
    "uplift_at_top_by_group": "the same, the best 30 % with and without message each",
    "uplift": "uplift among all",
}
_BESIDE = {"over_rule": "beside the rule of thumb"}
_OVER = "loss_over_"  # a paired difference of `loss`
_OTHERS: Mapping[str, str] = {
    "population": "everybody's week",
    "customer_only": "the customer's own week alone",
    "one_strength": "one strength of shrinkage for all",
}
_HORIZON = re.compile(r"horizon_(\d+)")
_OF_UPLIFT = {"qini_low", "uplift", "uplift_at_top", "uplift_at_top_low", "uplift_at_top_high"}
_OF_MANY = ("auc", "log_loss", "calibration_error")
_ASIDE = re.compile(r"(^|\.)(slice|risk|leakage|capacity|highest)\.")
_SUFFIXES = ("_low", "_high", "_baseline", "_gain")


@dataclass(frozen=True)
class Measured:
    """One measure of a model on later rows.

    Attributes:
        outcome: What was foretold; empty where there is one thing.
        measure: Its name in the metrics, without the outcome.
        value: Of the model, with its interval.
        baseline: Of the plain baseline, with its interval where that was logged; empty where there
            is none.
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
        if self.measure.startswith(_OVER):
            name = self.measure.removeprefix(_OVER)
            other = _OTHERS.get(name, name.replace("_", " "))
            return f"log loss of the hour that came, nats (lower is better), beside {other}"
        horizon = _HORIZON.fullmatch(self.outcome)
        outcome = f"{horizon[1]} days ahead" if horizon else _BESIDE.get(self.outcome, self.outcome)
        return f"{outcome}: {words}" if outcome else words


def find_measured(metrics: Mapping[str, float]) -> tuple[Measured, ...]:
    """What was logged with an interval, slices and other special metrics aside.

    Of a model with several outcomes the order, the loss and the calibration of each are enough.
    """
    found = []
    for name in metrics:
        if _ASIDE.search(name) or name.endswith(_SUFFIXES) or f"{name}_low" not in metrics:
            continue
        found.append(_measure(metrics, name))
    if any(one.outcome for one in found):
        found = [one for one in found if one.measure in _OF_MANY or not one.outcome]
    found.sort(key=lambda one: _position(one.measure, among=list(MEASURES)))
    found.sort(key=lambda one: _position(one.outcome, among=["", *Outcome]))
    return tuple(found)


def _measure(metrics: Mapping[str, float], name: str) -> Measured:
    outcome, _, measure = name.rpartition(".")
    if measure.startswith(_OVER):  # the interval is of the difference alone
        loss = metrics.get("loss")
        return Measured(
            outcome=outcome,
            measure=measure,
            value=write_number(loss),
            baseline=write_number(None if loss is None else loss - metrics[name]),
            gain=write_interval(metrics, name, signed=True),
        )
    return Measured(
        outcome=outcome,
        measure=measure,
        value=write_interval(metrics, name),
        baseline=write_interval(metrics, f"{name}_baseline"),
        gain=write_interval(metrics, f"{name}_gain", signed=True),
    )


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
    metrics: Mapping[str, float], *, params: Mapping[str, str], purpose: Purpose
) -> str:
    """How good the model is in people's terms; empty where that cannot be said.

    With the capacity that was measured, or else the tenth that it rates highest.

    Args:
        metrics: What was logged.
        params: Settings that were logged.
        purpose: What the model is for.
    """
    if "capacity.precision" in metrics:
        calls = params.get("capacity", "")
        which = f"that it names (the first {calls} of each list)" if calls else "that it names"
        pick = _Pick("capacity.", which, "The lists hold")
        return _tell_picked(metrics, pick=pick, purpose=purpose)
    highest = f"{purpose.outcome}.highest." if purpose.outcome else "highest."
    if f"{highest}precision" in metrics:
        pick = _Pick(highest, "among the tenth that it rates highest", "That tenth holds")
        return _tell_picked(metrics, pick=pick, purpose=purpose)
    return _tell_uplift(metrics) if metrics.keys() >= _OF_UPLIFT else _tell_openness(metrics)


@dataclass(frozen=True)
class _Pick:
    """The rows that a model picks.

    Attributes:
        prefix: Of their metrics.
        which: They are, in words.
        holds: How a sentence begins that says what part of the events is among them.
    """

    prefix: str
    which: str
    holds: str


def _tell_picked(metrics: Mapping[str, float], *, pick: _Pick, purpose: Purpose) -> str:
    """What comes of the rows that were picked, beside chance and the baseline's pick."""
    prefix = pick.prefix

    def in_100(name: str) -> float | None:
        found = metrics.get(f"{prefix}{name}")
        return None if found is None else 100 * found

    precision, lift = metrics[f"{prefix}precision"], metrics.get(f"{prefix}lift", 0.0)
    low, high = in_100("precision_low"), in_100("precision_high")
    between = "" if low is None or high is None else f" (between {low:.0f} and {high:.0f})"
    by_chance = f"; by chance {100 * precision / lift:.0f}" if lift else ""
    baseline = in_100("precision_baseline")
    rule = f"; picked by the plain baseline {baseline:.0f}" if baseline is not None else ""
    recall = in_100("recall")
    who = "who" if purpose.row == "customers" else "that"
    all_of_them = f"{purpose.row} {who} {purpose.event}"
    held = f" {pick.holds} {recall:.0f} % of all {all_of_them}." if recall is not None else ""
    return (
        f"Of 100 {purpose.row} {pick.which}, {100 * precision:.0f} {purpose.event}"
        f"{between}{by_chance}{rule}.{held}"
    )


def _tell_uplift(metrics: Mapping[str, float]) -> str:
    top, low, high = (metrics[f"uplift_at_top{end}"] for end in ("", "_low", "_high"))
    is_shown = metrics["qini_low"] > 0
    verdict = (
        "they show that it tells who is moved"
        if is_shown
        else "they do not show that it tells who is moved better than any order does"
    )
    return (
        f"Of 100 decisions among the 30 % that it rates highest a message turned {100 * top:+.1f} "
        f"to the good (between {100 * low:+.1f} and {100 * high:+.1f}); among all "
        f"{100 * metrics['uplift']:+.1f}. Later days judge: {verdict}."
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
