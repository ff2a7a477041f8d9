"""A policy's value in a log of decisions, by arm and together, by every estimator.

An arm speaks about a policy where it might have done all that the policy does: the random arm about
everything, the rules' about the rules, the holdout about doing nothing. Customers belong to one arm
each, so the arms are independent samples, and are put together by how much each of them says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Arm
from serving.evaluate.columns import DecisionLog
from serving.evaluate.expected import ActionRewards
from serving.evaluate.targets import Target
from serving.policy.cases import Flags, Floats
from training.evaluation.bootstrap import Estimate
from training.ope.estimators import Estimator, estimate_parts
from training.ope.intervals import (
    bootstrap_interval,
    martingale_interval,
    normal_interval,
    sequence_interval,
)
from training.ope.overlap import Overlap, ThinOverlap, require_overlap
from training.ope.tuning import TuningRule, estimate_tuned
from training.ope.weighted import Expected, ExpectedWeights, WeightedLog, add_noise

_N_RESAMPLES = 200


@dataclass(frozen=True)
class PolicyValue:
    """A policy's cents per decision by one estimator."""

    estimator: str
    interval: str
    found: Estimate


@dataclass(frozen=True)
class ArmJudgement:
    """What one arm says about a policy.

    Attributes:
        arm: Which.
        overlap: How much of the policy is in it.
        values: By every estimator, the headline first; none where the overlap is too thin.
        refusals: Why there are none.
    """

    arm: str
    overlap: Overlap
    values: tuple[PolicyValue, ...]
    refusals: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What a log says about a policy.

    Attributes:
        target: Its name.
        n_unknown: Decisions in which nobody can tell what it would have done.
        arms: What each arm says.
        values: Of all arms that say something together; none where no arm does.
    """

    target: str
    n_unknown: int
    arms: tuple[ArmJudgement, ...]
    values: tuple[PolicyValue, ...]

    @property
    def headline(self) -> PolicyValue | None:
        """The value to go by; None where the log says too little."""
        return self.values[0] if self.values else None


def judge(
    log: DecisionLog,
    rewards: Floats,
    *,
    expected: ActionRewards,
    target: Target,
    rng: np.random.Generator,
) -> Judgement:
    """The value of a policy, cents per decision in which there was something to choose.

    Args:
        log: Decisions whose window has closed, in order of time.
        rewards: What came of them, (n,).
        expected: What every action was expected to earn.
        target: The policy.
        rng: Of bootstrap and tuning.
    """
    across = weigh_log(log, rewards, target=target, expected=expected.across)
    ahead = weigh_log(
        log, rewards, target=target, expected=expected.ahead, squares=expected.squares
    )
    arms = []
    for arm in Arm:
        rows = target.is_known & (log.arms == arm.value)
        if rows.any():
            arms.append(_judge_arm(arm.value, across.take(rows), ahead.take(rows), rng=rng))
    return Judgement(target.name, int((~target.is_known).sum()), tuple(arms), _put_together(arms))


def weigh_log(
    log: DecisionLog,
    rewards: Floats,
    *,
    target: Target,
    expected: Floats,
    squares: Floats | None = None,
) -> WeightedLog:
    """The log as estimators see it, weighted for a policy.

    A record has the probabilities of the words of what was sent, not of what might have been: where
    the policy has words of its own the noise is not known.
    """
    noise = None
    if squares is not None and target.p_words is None:
        noise = find_noise(log, target.p, squares)
    return WeightedLog(
        rewards=rewards,
        weights=target.weights(log),
        expected=Expected(expected[log.taken], log.sums(target.p * expected), noise),
        customers=log.customers,
        is_supported=target.is_supported(log),
        expected_weights=_expect_weights(log, target),
    )


def _expect_weights(log: DecisionLog, target: Target) -> ExpectedWeights | None:
    """Of each decision; None where the policy has words of its own."""
    if target.p_words is not None:
        return None
    could_be = np.where(log.actions.p_logged > 0, target.p, 0.0)
    mean = log.sums(could_be)
    squares = find_noise(log, could_be, np.ones_like(could_be))
    return ExpectedWeights(mean, np.maximum(squares - mean**2, 0.0))


def find_noise(log: DecisionLog, p: Floats, squares: Floats) -> Floats:
    """Expected squares of the corrections of each decision, (n,); see `Expected.noise`.

    Args:
        log: The log.
        p: Probabilities of a policy, or the difference of two, (m,).
        squares: Expected squares of the model's errors, (m,).
    """
    return log.sums(add_noise(p, p_logged=log.actions.p_logged, squares=squares))


def arms_that_speak(
    log: DecisionLog, known: Flags, weighted: Sequence[WeightedLog]
) -> dict[str, Flags]:
    """Rows of the arms with overlap enough for all of some policies, by arm; only known rows."""
    speaking = {}
    for arm in Arm:
        rows: Flags = known & (log.arms == arm.value)
        found = [require_overlap(one.take(rows)) for one in weighted]
        if rows.any() and not any(isinstance(one, ThinOverlap) for one in found):
            speaking[arm.value] = rows
    return speaking


def combine(found: Sequence[Estimate], shares: Sequence[float]) -> Estimate:
    """Estimates of the same from independent samples, by shares; at least one."""
    share = np.array(shares) / np.sum(shares)
    values = np.array([one.value for one in found])
    below = np.array([one.value - one.low for one in found])
    above = np.array([one.high - one.value for one in found])
    value = float(share @ values)
    return Estimate(
        value,
        value - float(np.sqrt(((share * below) ** 2).sum())),
        value + float(np.sqrt(((share * above) ** 2).sum())),
    )


def _judge_arm(
    arm: str, across: WeightedLog, ahead: WeightedLog, *, rng: np.random.Generator
) -> ArmJudgement:
    overlap = require_overlap(across)
    if isinstance(overlap, ThinOverlap):
        return ArmJudgement(arm, overlap.overlap, (), overlap.reasons)
    return ArmJudgement(arm, overlap, tuple(_estimate(across, ahead, rng=rng)), ())


def _estimate(
    across: WeightedLog, ahead: WeightedLog, *, rng: np.random.Generator
) -> list[PolicyValue]:
    """By every estimator, the headline first: the martingale interval, else the anytime one.

    Those that are tuned have the headline's interval, reaching to their value; the model alone
    comes without one: its own would be a lie.
    """
    customers = across.customers
    dr_ahead = estimate_parts(ahead, by=Estimator.DR)
    noise = None if ahead.expected is None else ahead.expected.noise
    values = []
    if noise is not None:
        found = martingale_interval(dr_ahead, noise=noise, customers=customers)
        values.append(PolicyValue(Estimator.DR, "martingale", found))
    sequence = sequence_interval(dr_ahead, customers=customers, noise=noise)
    values.append(PolicyValue(Estimator.DR, "anytime", sequence))
    for by in (Estimator.DR, Estimator.SNDR, Estimator.IPS, Estimator.SNIPS):
        parts = estimate_parts(across, by=by)
        values.append(PolicyValue(by, "normal", normal_interval(parts, customers=customers)))
    drawn = bootstrap_interval(
        estimate_parts(across, by=Estimator.SNDR),
        customers=customers,
        rng=rng,
        n_resamples=_N_RESAMPLES,
    )
    values.append(PolicyValue(Estimator.SNDR, "bootstrap", drawn))
    whole = values[0]
    for by in (Estimator.SWITCH_DR, Estimator.DROS, Estimator.CLIPPED):
        tuned = estimate_tuned(across, by=by, rule=TuningRule.SLOPE, rng=rng, whole=whole.found)
        values.append(PolicyValue(by, whole.interval, tuned.estimate))
    model = estimate_parts(across, by=Estimator.DM).value()
    values.append(PolicyValue(Estimator.DM, "none", Estimate(model, -np.inf, np.inf)))
    return values


def _put_together(arms: Sequence[ArmJudgement]) -> tuple[PolicyValue, ...]:
    """All arms that say something, by their effective numbers of customers."""
    speaking = [arm for arm in arms if arm.values]
    shares = [arm.overlap.n_effective for arm in speaking]
    return tuple(
        PolicyValue(
            same[0].estimator, same[0].interval, combine([one.found for one in same], shares)
        )
        for same in zip(*(arm.values for arm in speaking), strict=True)
    )
