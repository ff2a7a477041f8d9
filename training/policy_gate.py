"""Whether a policy may replace the running one: only where the log shows that it earns more.

Both are judged on the same decisions, so what they have in common cancels; the lower bound of the
difference must be above zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.evaluation.bootstrap import Estimate


@dataclass(frozen=True)
class PolicyEvidence:
    """What a log says about a policy beside the running one.

    Attributes:
        n_decisions: Decisions in which there was something to choose.
        candidate: Cents per decision of the policy; None where the log says too little.
        running: Of the running one.
        difference: Of the two on the same decisions.
        refusals: Why the log says too little, by arm.
        faults: What speaks against judging the policy on this log at all.
        n_apart: Decisions in which the two choose with other probabilities; None where nobody
            counted.
    """

    n_decisions: int
    candidate: Estimate | None
    running: Estimate | None
    difference: Estimate | None
    refusals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    n_apart: int | None = None


@dataclass(frozen=True)
class PromotePolicy:
    """The policy earns more than the running one."""

    version: str
    before: str
    evidence: PolicyEvidence

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in a sentence."""
        difference = self.evidence.difference
        shown = "" if difference is None else f": {describe_difference(difference)}"
        n = self.evidence.n_decisions
        return (f"it earns more than {self.before} on {n:,} logged decisions{shown}",)


@dataclass(frozen=True)
class HoldPolicy:
    """The policy is not promoted, and why."""

    version: str
    before: str
    reasons: tuple[str, ...]
    evidence: PolicyEvidence


def decide_policy(
    version: str, *, before: str, evidence: PolicyEvidence
) -> PromotePolicy | HoldPolicy:
    """What the gate says.

    Args:
        version: Of the policy that asks.
        before: Of the running one.
        evidence: What the log says.
    """
    reasons = list(evidence.faults)
    if version == before:
        reasons.append("it is the running policy")
    if reasons:
        return HoldPolicy(version, before, tuple(reasons), evidence)
    difference = evidence.difference
    if evidence.n_apart == 0:
        return HoldPolicy(version, before, (describe_alike(evidence),), evidence)
    if difference is None:
        by_arm = [f"{arm}: {reason}" for arm, why in evidence.refusals.items() for reason in why]
        return HoldPolicy(version, before, ("the log says too little about it", *by_arm), evidence)
    if difference.low > 0:  # no number is not above zero
        return PromotePolicy(version, before, evidence)
    reason = f"it is not shown to earn more than {before}: {describe_difference(difference)}"
    return HoldPolicy(version, before, (reason,), evidence)


def describe_alike(evidence: PolicyEvidence) -> str:
    """That two policies choose alike, in words."""
    return (
        f"both choose alike in each of {evidence.n_decisions:,} logged decisions, which tell "
        "nothing between them; where no model scored a case, rules chose in place of both"
    )


def describe_difference(difference: Estimate) -> str:
    """By how much one policy earns more, in words."""
    return (
        f"{difference.value:+.3f} cents a decision, 95 % interval {difference.low:+.3f} to "
        f"{difference.high:+.3f}"
    )
