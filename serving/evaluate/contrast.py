"""What a policy would earn more than the running one, on the same decisions."""

from collections.abc import Sequence

import numpy as np

from features.vocabulary import Arm
from serving.evaluate.columns import DecisionLog
from serving.evaluate.judge import arms_that_speak, combine, find_noise, weigh_log
from serving.evaluate.prepare import ReadyLog
from serving.evaluate.targets import Target, apply_settings
from serving.policy.cases import Flags, Floats
from serving.policy.settings import PolicySettings
from training.evaluation.bootstrap import Estimate
from training.ope.estimators import Estimator, Parts, estimate_parts
from training.ope.intervals import martingale_interval
from training.ope.overlap import ThinOverlap, measure_overlap, require_overlap
from training.ope.weighted import Names, WeightedLog
from training.policy_gate import PolicyEvidence

_JUDGED = frozenset({"temperature_cents", "temperature_share", "wide_share", "floor"})
_NAMELY = frozenset({"name"})
_SAME = 1e-6


def gather_evidence(
    ready: ReadyLog, *, candidate: PolicySettings, running: PolicySettings
) -> PolicyEvidence:
    """What the log says about a policy's settings beside the running ones.

    Only settings of the choice itself can be judged: values, guards and arms are in the log as they
    were when it was made.
    """
    faults = find_faults(ready, candidate=candidate, running=running)
    if ready.rewards.is_silent:
        faults.append("nothing is known of what came of its decisions: no outcome, order or call")
    if faults:
        return PolicyEvidence(ready.log.n, None, None, None, faults=tuple(faults))
    return contrast(
        ready,
        candidate=apply_settings(ready.log, candidate.learned, name=candidate.version),
        running=apply_settings(ready.log, running.learned, name=running.version),
    )


def contrast(ready: ReadyLog, *, candidate: Target, running: Target) -> PolicyEvidence:
    """Two policies on the decisions in which it can be told what either would have done."""
    log, known = ready.log, candidate.is_known & running.is_known
    weighted = [
        weigh_log(
            log,
            ready.rewards.net,
            target=target,
            expected=ready.expected.ahead,
            squares=ready.expected.squares,
        )
        for target in (candidate, running)
    ]
    noises = [
        find_noise(log, p, ready.expected.squares)
        for p in (candidate.p, running.p, candidate.p - running.p)
    ]
    n_known = int(known.sum())
    n_apart = int((known & _differ(log, candidate.p, running.p)).sum()) if n_known else None
    speaking = arms_that_speak(log, known, weighted)
    if not speaking:
        refusals = _refusals(log.arms, known, weighted)
        return PolicyEvidence(n_known, None, None, None, refusals, n_apart=n_apart)
    shares = [
        min(measure_overlap(one.take(rows)).n_effective for one in weighted)
        for rows in speaking.values()
    ]
    found: list[Estimate] = []
    for part, noise in zip(_three_parts(weighted), noises, strict=True):
        by_arm = [
            martingale_interval(_take(part, rows), noise=noise[rows], customers=log.customers[rows])
            for rows in speaking.values()
        ]
        found.append(combine(by_arm, shares))
    new, old, apart = found
    return PolicyEvidence(n_known, new, old, apart, n_apart=n_apart)


def find_faults(
    ready: ReadyLog, *, candidate: PolicySettings, running: PolicySettings
) -> list[str]:
    """Why this log cannot tell the two settings apart."""
    new, old = candidate.model_dump(), running.model_dump()
    learned, of_running = new.pop("learned"), old.pop("learned")
    changed = [name for name in new if name not in _NAMELY and new[name] != old[name]]
    changed += [
        f"learned.{name}"
        for name in learned
        if name not in _JUDGED and learned[name] != of_running[name]
    ]
    faults = []
    if changed:
        faults.append(
            f"it differs from {running.version} in {', '.join(changed)}: what would then have been "
            "allowed, or valued, is not in the log; try it in a rehearsal"
        )
    faults += _find_strangeness(ready.log, running)
    return faults


def _find_strangeness(log: DecisionLog, running: PolicySettings) -> list[str]:
    """Why the log is not the running policy's; empty where it is.

    Its own decisions must have the probabilities that its settings give. Where it made none, those
    of other versions must have them, and there must be some: the version of a file may have changed
    by what does not matter to the choice.
    """
    again = apply_settings(log, running.learned, name=running.version)
    told = again.is_known & (log.arms == Arm.LEARNED.value)
    off = _differ(log, again.p, log.actions.p_logged)
    mine = log.versions == running.version
    if mine.any():
        n_off = int((off & told & mine).sum())
        why = (
            f"{n_off:,} decisions of {running.version} were made with other probabilities than its "
            "settings give: the log is not this policy's"
        )
        return [why] if n_off else []
    n_off, n_told = int((off & told).sum()), int(told.sum())
    if n_told and not n_off:
        return []
    made_by = ", ".join(np.unique(log.versions).tolist())
    shown = (
        f"gives other probabilities than {n_off:,} of its {n_told:,} learned decisions have"
        if n_told
        else "cannot be compared with it, for want of a learned decision"
    )
    return [f"no decision of the log is by {running.version}, which {shown}: it is by {made_by}"]


def _differ(log: DecisionLog, p: Floats, other_p: Floats) -> Flags:
    """Whether any action of a decision has another probability."""
    differs: Flags = log.sums((np.abs(p - other_p) > _SAME).astype(float)) > 0
    return differs


def _three_parts(weighted: Sequence[WeightedLog]) -> tuple[Parts, Parts, Parts]:
    """DR of the candidate, of the running policy, and of their difference."""
    new, old = (estimate_parts(one, by=Estimator.DR) for one in weighted)
    apart = Parts(new.base - old.base, new.numerator - old.numerator, new.denominator)
    return new, old, apart


def _take(parts: Parts, rows: Flags) -> Parts:
    columns: tuple[Floats, Floats, Floats] = (parts.base, parts.numerator, parts.denominator)
    return Parts(*(column[rows] for column in columns))


def _refusals(
    arms: Names, known: Flags, weighted: Sequence[WeightedLog]
) -> dict[str, tuple[str, ...]]:
    refusals: dict[str, tuple[str, ...]] = {}
    for arm in np.unique(arms[known]).tolist():
        for one in weighted:
            found = require_overlap(one.take(known & (arms == arm)))
            if isinstance(found, ThinOverlap):
                refusals[arm] = found.reasons
                break
    return refusals
