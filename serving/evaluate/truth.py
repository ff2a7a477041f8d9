"""Estimates beside the truth, for logs that were made in a world which knows it.

A rehearsal notes what every action that a record allows is truly worth (`value_allowed`, while the
world stands where the decision is made); afterwards any policy's estimates from the kept log can be
held against that (`hold_against_truth`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.vocabulary import Arm
from serving.evaluate.contrast import contrast
from serving.evaluate.expected import expect_rewards
from serving.evaluate.judge import judge
from serving.evaluate.prepare import ReadyLog
from serving.evaluate.targets import Target, TargetName, name_target
from serving.policy.cases import Flags, Floats
from serving.records import Decision
from training.evaluation.bootstrap import Estimate
from training.world.protocol import World


@dataclass(frozen=True)
class BesideTruth:
    """What one arm's log says of a policy, and what is true; cents per decision against silence.

    Attributes:
        target: The policy.
        arm: Whose log.
        n: Decisions.
        truth: Of the policy in these very decisions.
        scored: Estimate where every decision earned what its action is truly worth: whether the
            logged probabilities and the intervals made of them hold. None where overlap is thin.
        reported: Estimate from what came of the decisions, beside the estimate for *no message*;
            None where overlap with either is thin. It sees a window, not the month that the truth
            is about, and other messages of these customers.
    """

    target: str
    arm: Arm
    n: int
    truth: float
    scored: Estimate | None
    reported: Estimate | None

    @property
    def scored_holds(self) -> bool | None:
        """Whether the interval of `scored` holds the truth; None without one."""
        return _holds(self.scored, self.truth)

    @property
    def reported_holds(self) -> bool | None:
        """Whether the interval of `reported` holds the truth; None without one."""
        return _holds(self.reported, self.truth)


def value_allowed(world: World, records: Sequence[Decision]) -> dict[str, Floats]:
    """True cents of every allowed action against *no message*, in the order of `Decision.allowed`.

    By decision_id, for decisions with something to choose. Words are taken as they are on average,
    and channels of one action add up, as where a rehearsal scores what was sent.

    Args:
        world: Standing at the moment of the decisions, before anything of them is delivered.
        records: Decisions.
    """
    rows = [
        (number, place, record.customer_id, record.trigger.value, channel.value, action.send_at)
        for number, record in enumerate(records)
        for place, action in enumerate(record.allowed)
        for channel in action.channels
    ]
    columns = ["number", "place", "customer_id", "trigger", "channel", "send_at"]
    asked = pd.DataFrame(rows, columns=columns)
    asked["send_at"] = pd.to_datetime(asked["send_at"], utc=True).dt.as_unit("us")
    candidates = asked.drop(columns=["number", "place"])
    candidates["variant"] = pd.Series([None] * len(asked), dtype="str")
    cents = world.true_value(candidates)
    values = [np.zeros(len(record.allowed)) for record in records]
    for number, place, one in zip(asked["number"], asked["place"], cents, strict=True):
        values[number][place] += one
    return {
        record.decision_id: value
        for record, value in zip(records, values, strict=True)
        if len(record.allowed) > 1
    }


def hold_against_truth(
    ready: ReadyLog, truth: Mapping[str, Floats], *, target: Target, seed: int
) -> list[BesideTruth]:
    """What every arm's log says of a policy beside what is true.

    Args:
        ready: The log, and what came of it.
        truth: Of `value_allowed`, by decision_id; decisions that it lacks are left out.
        target: The policy.
        seed: Of everything random.
    """
    log = ready.log
    noted = np.array([one in truth for one in log.decision_ids], dtype=bool)
    worth = _spread(ready, truth, noted)
    by_policy, done = log.sums(target.p * worth), worth[log.taken]
    expected = expect_rewards(log, done, rng=np.random.default_rng(seed))
    nothing = name_target(TargetName.NOTHING, log)
    found = []
    for arm in Arm:
        rows: Flags = target.is_known & noted & (log.arms == arm.value)
        if not rows.any():
            continue
        mine = replace(target, is_known=rows)
        scored = judge(
            log, done, expected=expected, target=mine, rng=np.random.default_rng(seed)
        ).headline
        reported = contrast(ready, candidate=mine, running=nothing).difference
        found.append(
            BesideTruth(
                target=target.name,
                arm=arm,
                n=int(rows.sum()),
                truth=float(by_policy[rows].mean()),
                scored=None if scored is None else scored.found,
                reported=reported,
            )
        )
    return found


def _spread(ready: ReadyLog, truth: Mapping[str, Floats], noted: Flags) -> Floats:
    """The truth as the log has its actions, (m,); 0 where it is not noted."""
    log = ready.log
    worth, ends = np.zeros(len(log.actions.row)), np.cumsum(log.n_allowed)
    begins = ends - log.n_allowed
    for row in np.flatnonzero(noted).tolist():
        worth[begins[row] : ends[row]] = truth[log.decision_ids[row]]
    return worth


def _holds(found: Estimate | None, truth: float) -> bool | None:
    return None if found is None else bool(found.low <= truth <= found.high)
