"""What is said about policies: their values, what the figures leave out, what the gate answered."""

from collections.abc import Sequence

import numpy as np

from serving.cli.output import Json, say, show, show_json, show_table
from serving.evaluate.judge import ArmJudgement, Judgement, PolicyValue
from serving.evaluate.prepare import ReadyLog
from serving.evaluate.rewards import Reading
from training.evaluation.bootstrap import Estimate
from training.policy_gate import (
    HoldPolicy,
    PolicyEvidence,
    PromotePolicy,
    describe_alike,
    describe_difference,
)


def show_judgements(ready: ReadyLog, judged: Sequence[Judgement]) -> None:
    """What was earned, and what every policy would have earned, by every estimator."""
    log, rewards = ready.log, ready.rewards
    terms = [(name, f"{cents.mean():.3f}") for name, cents in rewards.terms().items()]
    terms.append(("net", f"{rewards.net.mean():.3f}"))
    title = f"{log.n:,} decisions with a choice; cents per decision as logged, by term"
    show_table(("term", "cents"), terms, title=title)
    for one in judged:
        show_table(("policy " + one.target, "estimator", "interval", "cents", "95 %"), _rows(one))
        for arm in one.arms:
            say(f"{one.target}, {arm.arm}: {_word_overlap(arm)}")
        if one.n_unknown:
            say(f"in {one.n_unknown:,} decisions nobody can tell what {one.target} would have done")
    say_reading(ready)


def say_reading(ready: ReadyLog) -> None:
    """What the figures hold, and what they leave out.

    Whoever sends more looks better where only messages can earn, and worse where nothing is known.
    """
    log, rewards = ready.log, ready.rewards
    if rewards.is_silent:
        say("nothing is known of what came of these decisions: only their cost is judged")
    elif rewards.reading is Reading.MESSAGES:
        say(
            "rewards are what was reported of messages; with orders and tickets in --data they are "
            "what customers did, and no message has its due"
        )
    versions, counts = np.unique(log.versions, return_counts=True)
    if len(versions) > 1:
        held = ", ".join(f"{n:,} of {name}" for name, n in zip(versions, counts, strict=True))
        say(f"the log holds decisions of {len(versions)} policies: {held}")
    left_out = {
        "decisions without a choice": log.left_out.n_without_choice,
        "decisions whose window is still open": log.left_out.n_open,
        "decisions about customers who were in several arms": log.left_out.n_moved,
        "outcomes from before their decision": rewards.told.n_early,
        "outcomes of messages that none of these decisions sent": rewards.told.n_of_others,
    }
    for what, n in left_out.items():
        if n:
            say(f"left out: {n:,} {what}")
    if log.left_out.n_open:
        say(f"what came of decisions is known until {ready.known_until:%Y-%m-%d %H:%M} UTC")


def word_difference(beside: PolicyEvidence) -> str:
    """By how much a policy earns more than the running one, or why that cannot be told."""
    unknown = _why_unknown(beside)
    if beside.difference is not None and not unknown:
        return describe_difference(beside.difference)
    return "cannot be told, because " + "; ".join(unknown)


def _why_unknown(beside: PolicyEvidence) -> list[str]:
    """Why there is no difference; empty where there is one."""
    if beside.n_apart == 0:
        return [describe_alike(beside)]
    if beside.difference is not None:
        return []
    reasons = [f"{arm}: {reason}" for arm, why in beside.refusals.items() for reason in why]
    return reasons or ["nobody can tell in any decision what both would have done"]


def _rows(one: Judgement) -> list[tuple[str, ...]]:
    """Values of the arms that speak, together and then each; why the others do not."""
    speaking = [arm.arm for arm in one.arms if arm.values]
    rows = [_cells(" + ".join(speaking), value) for value in one.values]
    for arm in one.arms:
        if len(speaking) > 1:
            rows += [_cells(arm.arm, value) for value in arm.values[:1]]
        rows += [(arm.arm, "-", "too thin", reason, "") for reason in arm.refusals]
    return rows or [("-", "-", "unknown", "nobody can tell in any decision what it would do", "")]


def _cells(arm: str, value: PolicyValue) -> tuple[str, ...]:
    found = value.found
    interval = f"[{found.low:.3f}, {found.high:.3f}]" if np.isfinite(found.low) else ""
    return arm, value.estimator, value.interval, f"{found.value:.3f}", interval


def _word_overlap(arm: ArmJudgement) -> str:
    overlap = arm.overlap
    return (
        f"{overlap.n_rows:,} decisions of {overlap.n_customers:,} customers say as much as "
        f"{overlap.n_effective:,.0f}; largest weight {overlap.max_weight:.3g}, mean "
        f"{overlap.mean_weight:.3f}, support {overlap.support_share:.1%}"
    )


def describe_judgements(
    ready: ReadyLog,
    judged: Sequence[Judgement],
    *,
    beside: PolicyEvidence | None,
    faults: Sequence[str],
) -> Json:
    """The same for a program.

    Args:
        ready: The log.
        judged: Policies.
        beside: A policy file beside the running policy; None where none was asked about.
        faults: What of that file the log cannot judge.
    """
    rewards = ready.rewards
    unknown = [] if beside is None else _why_unknown(beside)
    difference = None if beside is None or unknown else beside.difference
    return {
        "n_decisions": ready.log.n,
        "n_without_choice": ready.log.left_out.n_without_choice,
        "n_open": ready.log.left_out.n_open,
        "n_of_moved_customers": ready.log.left_out.n_moved,
        "versions": sorted(set(ready.log.versions.tolist())),
        "reading": rewards.reading.value,
        "n_outcomes": rewards.told.n_counted,
        "n_outcomes_before_their_decision": rewards.told.n_early,
        "n_outcomes_of_other_messages": rewards.told.n_of_others,
        "logged_cents": {
            **{name: float(cents.mean()) for name, cents in rewards.terms().items()},
            "net": float(rewards.net.mean()),
        },
        "policies": [_describe_judgement(one) for one in judged],
        "difference": None if difference is None else describe_estimate(difference),
        "no_difference_because": unknown,
        "only_the_choice_is_judged": list(faults),
    }


def _describe_judgement(one: Judgement) -> Json:
    return {
        "policy": one.target,
        "n_unknown": one.n_unknown,
        "values": [_describe_value(value) for value in one.values],
        "arms": {
            arm.arm: {
                "overlap": {
                    "n_decisions": arm.overlap.n_rows,
                    "n_customers": arm.overlap.n_customers,
                    "n_effective": arm.overlap.n_effective,
                    "matched_share": arm.overlap.matched_share,
                    "support_share": arm.overlap.support_share,
                    "max_weight": arm.overlap.max_weight,
                    "max_share": arm.overlap.max_share,
                    "mean_weight": arm.overlap.mean_weight,
                },
                "values": [_describe_value(value) for value in arm.values],
                "refusals": list(arm.refusals),
            }
            for arm in one.arms
        },
    }


def show_policy_answer(answer: PromotePolicy | HoldPolicy, *, as_json: bool) -> None:
    """What the gate said about a policy."""
    evidence, is_promoted = answer.evidence, isinstance(answer, PromotePolicy)
    if as_json:
        found = {
            "candidate": evidence.candidate,
            "running": evidence.running,
            "difference": evidence.difference,
        }
        cents = {
            name: None if one is None else describe_estimate(one) for name, one in found.items()
        }
        show_json(
            {
                "promoted": is_promoted,
                "version": answer.version,
                "before": answer.before,
                "reasons": list(answer.reasons),
                "n_decisions": evidence.n_decisions,
                "cents_per_decision": cents,
            }
        )
        return
    show(f"policy {answer.version}: {'promoted' if is_promoted else 'held'}")
    for reason in answer.reasons:
        show(f"  because {reason}")


def _describe_value(value: PolicyValue) -> Json:
    return {
        "estimator": value.estimator,
        "interval": value.interval,
        **describe_estimate(value.found),
    }


def describe_estimate(found: Estimate) -> dict[str, float | None]:
    """Value and interval; null where there is none."""
    return {
        "value": found.value,
        "low": found.low if np.isfinite(found.low) else None,
        "high": found.high if np.isfinite(found.high) else None,
    }
