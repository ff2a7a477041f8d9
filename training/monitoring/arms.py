"""Whether customers come into the arms of the experiment as planned, as a check."""

from collections.abc import Mapping, Sequence

from features.vocabulary import Arm
from training.experiments.sample_ratio import DEFAULT_ALPHA, SampleRatio, check_sample_ratio
from training.monitoring.status import Check, Finding, Status, cannot_tell, conclude

ARMS = "arms"
_WATCH = 1 / 20
_FINE = "customers come into the arms in the shares that the policy plans"
_NOT_FINE = (
    "something treats arms unalike before anything is measured: no comparison between arms can be "
    "trusted until it is found; if the shares were changed, give the experiment another name"
)


def check_arms(
    looks: Sequence[Mapping[Arm, int]],
    *,
    shares: Mapping[Arm, float],
    n_moved: int = 0,
    alpha: float = DEFAULT_ALPHA,
) -> Check:
    """The sample-ratio alarm.

    Args:
        looks: New customers by arm, day by day.
        shares: What the policy plans.
        n_moved: Customers that were decided about under more than one arm.
        alpha: Probability of a false alarm, over all days that will ever be looked at.
    """
    found = check_sample_ratio(looks, shares=shares, alpha=alpha)
    if found.n == 0 and n_moved == 0:
        return cannot_tell(ARMS, "nobody was decided about under this experiment yet")
    findings = [_describe(found)]
    if n_moved:
        words = f"{n_moved:,} customers were decided about under more than one arm"
        findings.append(Finding("moved", Status.ALARM, float(n_moved), 1.0, 1.0, words))
    return conclude(
        ARMS,
        findings,
        measure="evidence against the planned shares: 1 over the anytime-valid p-value",
        fine=_FINE,
        not_fine=_NOT_FINE,
    )


def _describe(found: SampleRatio) -> Finding:
    worst = found.arms.index(found.worst)
    share = found.counts[worst] / found.n if found.n else 0.0
    evidence = 1 / found.p_value if found.p_value else float("inf")
    is_watched = evidence >= 1 / _WATCH
    status = Status.ALARM if found.is_alarm else Status.WATCH if is_watched else Status.OK
    return Finding(
        subject="shares",
        status=status,
        value=evidence,
        watch_from=1 / _WATCH,
        alarm_from=1 / found.alpha,
        words=f"{found.worst}: {share:.2%} of {found.n:,} customers, "
        f"{found.shares[worst]:.2%} planned",
    )
