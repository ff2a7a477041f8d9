"""How long outcomes take, and what a message without one is worth until then.

A message that has shown nothing after a while is part of a failure: F of those that will succeed
would have done so by now, and G of those that will fail would have told. What is left tells as much
as a share

    rho = 1 - (1 - F) / (1 - G) = (F - G) / (1 - G)

of a failed trial: the likelihood 1 - p rho of what was seen, for small p. Where failures are told
only when the window closes G is 0 and rho is F; where both are told alike rho is 0. F and G come
from messages that have an outcome. Those of young messages are the quick ones, so the curves are
estimated by the product-limit method for truncation on the right (Lagakos, Barraj and De
Gruttola 1988).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from training.bandit.normal_best import Flags, Floats

N_STEPS = 56
"""Steps that a window is cut into: 77 minutes of 3 days."""

_PRIOR_MEAN = 1.0 / 6.0  # of the window
_PRIOR_WEIGHT = 5.0  # outcomes


@dataclass(frozen=True)
class DelayTally:
    """How many outcomes came after how many steps, of messages whose window has closed.

    Attributes:
        successes: (N_STEPS,).
        failures: (N_STEPS,).
    """

    successes: Floats
    failures: Floats

    @classmethod
    def empty(cls) -> Self:
        """No outcome yet."""
        return cls(np.zeros(N_STEPS), np.zeros(N_STEPS))

    def add(self, watched: Floats, *, success: Flags, failure: Flags) -> Self:
        """With these outcomes; `watched` (n,) is in windows."""
        step = _step_of(watched)
        return type(self)(
            self.successes + np.bincount(step[success], minlength=N_STEPS),
            self.failures + np.bincount(step[failure], minlength=N_STEPS),
        )

    def undecided_weights(
        self, watched: Floats, *, ages: Floats, success: Flags, failure: Flags
    ) -> Floats:
        """What part of a failed trial each message is, (n,), if it is undecided.

        Args:
            watched: How long each message has been watched, or its delay, in windows.
            ages: How long ago each was sent, in windows; outcomes after that can't be seen yet.
            success: Those that have succeeded, (n,).
            failure: Those that have failed, (n,).
        """
        prior = _prior_successes()
        quick = _limit(self.successes + prior, watched[success], ages[success])
        slow = np.zeros(N_STEPS)
        slow[-1] = 1.0
        told = _limit(self.failures + slow, watched[failure], ages[failure])
        edges = np.arange(N_STEPS + 1) / N_STEPS
        f = np.interp(watched, edges, np.append(0.0, quick))
        # Failures told when the window closes are told after everything else in its last step.
        g = np.interp(watched, edges, np.concatenate([[0.0], told[:-1], told[-2:-1]]))
        weights: Floats = np.clip((f - g) / np.maximum(1.0 - g, 1e-9), 0.0, 1.0)
        return weights


def _limit(settled: Floats, delays: Floats, ages: Floats) -> Floats:
    """P(delay <= end of each step) from settled counts and young delays seen within their ages."""
    delayed, aged = _step_of(delays), _step_of(ages)
    events = settled + np.bincount(delayed, minlength=N_STEPS)
    # At risk at step s: came by s, and old enough that s could have been seen.
    came = np.cumsum(np.bincount(delayed, minlength=N_STEPS))
    too_young = np.append(0, np.cumsum(np.bincount(aged, minlength=N_STEPS))[:-1])
    at_risk = np.cumsum(settled) + came - too_young
    stays = np.where(at_risk > 0, 1.0 - events / np.maximum(at_risk, 1e-12), 0.0).clip(0.0, 1.0)
    later = np.cumprod(stays[::-1])[::-1]  # P(delay < step | within the window)
    curve: Floats = np.append(later[1:], 1.0)
    return curve


def _step_of(share: Floats) -> npt.NDArray[np.int64]:
    steps = np.floor(share * N_STEPS).astype(np.int64)
    return np.clip(steps, 0, N_STEPS - 1)


def _prior_successes() -> Floats:
    edges = np.exp(-np.arange(N_STEPS + 1) / N_STEPS / _PRIOR_MEAN)
    mass = edges[:-1] - edges[1:]
    scaled: Floats = _PRIOR_WEIGHT * mass / mass.sum()
    return scaled
