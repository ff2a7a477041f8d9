"""Sample-ratio alarm: whether customers fall into the arms in the shares that were planned.

When they do not, something treats arms unalike before anything is measured (a filter, a crash, a
cache, lost records), and no comparison between arms can be trusted.

The test is the sequential one of Lindon and Malek, "Anytime-valid inference for multinomial count
data" (NeurIPS 2022): a Bayes factor of a Dirichlet around the planned shares against the shares
themselves. Under the plan it is a martingale that starts at 1, so by Ville's inequality it ever
exceeds 1 / alpha with a probability of at most alpha. One may look every day and stop at will; a
chi-square test that is repeated every day would sooner or later always alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from features.errors import BadInputError
from features.vocabulary import Arm

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DEFAULT_ALPHA = 0.001
"""An alarm stops everybody; one false alarm in a thousand experiments, however often one looks."""

_CONCENTRATION = 100.0
"""Of the Dirichlet: deviations of about a tenth of a share are looked for; any is valid."""


@dataclass(frozen=True)
class SampleRatio:
    """How the customers of an experiment fell into its arms.

    Attributes:
        arms: The arms with a share, in their order.
        counts: Customers in each.
        shares: Planned share of each.
        p_value: Anytime-valid: 1 over the largest Bayes factor so far, at most 1.
        alarmed_at: First look at which it was an alarm; None where there was none.
        alpha: Below this p-value it is an alarm.
    """

    arms: tuple[Arm, ...]
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    p_value: float
    alarmed_at: int | None
    alpha: float

    @property
    def n(self) -> int:
        """Customers."""
        return sum(self.counts)

    @property
    def is_alarm(self) -> bool:
        """Whether the shares are not the planned ones."""
        return self.alarmed_at is not None

    @property
    def worst(self) -> Arm:
        """The arm that is furthest from its plan, in standard deviations."""
        expected = self.n * np.array(self.shares)
        spread = np.sqrt(np.maximum(expected * (1 - np.array(self.shares)), 1e-12))
        return self.arms[int(np.argmax(np.abs(np.array(self.counts) - expected) / spread))]


def check_sample_ratio(
    looks: Sequence[Mapping[Arm, int]],
    *,
    shares: Mapping[Arm, float],
    alpha: float = DEFAULT_ALPHA,
) -> SampleRatio:
    """Whether customers came into the arms as planned.

    Args:
        looks: New customers by arm at each look, in the order of time; a customer counts once, in
            the arm that was assigned.
        shares: Planned share of each arm; they add up to 1.
        alpha: Probability of a false alarm, over all looks that will ever be taken.

    Raises:
        BadInputError: Shares or counts are not that; all faults at once.
    """
    _require_valid(looks, shares, alpha)
    arms = tuple(arm for arm in Arm if shares.get(arm, 0.0) > 0)
    new = np.array([[look.get(arm, 0) for arm in arms] for look in looks], dtype=np.int64)
    totals = new.reshape(len(looks), len(arms)).cumsum(axis=0)
    planned = np.array([shares[arm] for arm in arms], dtype=np.float64)
    log_factors = log_bayes_factor(totals, planned)
    above = np.flatnonzero(log_factors >= -np.log(alpha))
    stray = [at for at, look in enumerate(looks) if any(look[a] for a in look if a not in arms)]
    alarms = sorted({*above[:1].tolist(), *stray[:1]})
    p_value = 0.0 if stray else float(np.exp(-max(0.0, float(np.max(log_factors, initial=0.0)))))
    counts = totals[-1] if len(looks) else np.zeros(len(arms), dtype=np.int64)
    return SampleRatio(
        arms=arms,
        counts=tuple(int(count) for count in counts),
        shares=tuple(planned.tolist()),
        p_value=p_value,
        alarmed_at=alarms[0] if alarms else None,
        alpha=alpha,
    )


def log_bayes_factor(totals: Ints, shares: Floats) -> Floats:
    """Logarithm of the Bayes factor against the shares at each look, (looks,).

    BF = P(counts | Dirichlet-multinomial of concentration x shares) / P(counts | shares).

    Args:
        totals: Customers by arm so far, (looks, arms).
        shares: Planned shares, (arms,), positive and adding up to 1.
    """
    n = totals.sum(axis=1)
    against = stats.dirichlet_multinomial.logpmf(totals, _CONCENTRATION * shares, n)
    factor: Floats = against - stats.multinomial.logpmf(totals, n, shares)
    return factor


def _require_valid(
    looks: Sequence[Mapping[Arm, int]], shares: Mapping[Arm, float], alpha: float
) -> None:
    faults = []
    if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-9:
        faults.append(f"shares {dict(shares)}: expected numbers that add up to 1")
    if not 0 < alpha < 1:
        faults.append(f"alpha {alpha}: expected between 0 and 1")
    if any(count < 0 for look in looks for count in look.values()):
        faults.append("counts: expected none below 0")
    if faults:
        raise BadInputError("; ".join(faults))
