"""What customers may be like, as a grid: how moods move, how often they come, how late they pay."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from training.world.clock import Floats, Ints
from training.world.foresight.likelihood import CONTENT, JUST_TURNED
from training.world.people.draw import (
    LATE_SD,
    MOOD_SD,
    P_LATE,
    P_LEAVE,
    P_LOSE,
    P_RECOVER,
    P_TURN,
    UNHAPPY,
    UNHAPPY_SD,
    VISITS_PER_DAY,
    VISITS_SD,
)
from training.world.people.population import Population

_N_TURN: Final = 3
_N_LOSE: Final = 2
_N_RECOVER: Final = 2
_N_LATE: Final = 3
_VISITS_STEPS: Final = np.array([-1.6, -0.8, 0.0, 0.8, 1.6, 2.4])
"""From the observed rate of visits, in its standard errors; more above, for moods only lower it."""


@dataclass(frozen=True)
class LostAhead:
    """P(lost within so many days | present mood), (moods' tempers, 1, n) each."""

    content: Floats
    dissatisfied: Floats


@dataclass(frozen=True)
class Tempers:
    """A grid of what n customers may be like: moods' tempers x habits, habits being visits x late.

    Attributes:
        p_turn: Content customers turn dissatisfied, a day, (moods' tempers, 1, n).
        p_lose: Dissatisfied customers leave, a day, (moods' tempers, 1, n).
        p_recover: Dissatisfied customers become content, a day, (moods' tempers, 1, n).
        visits_per_day: While content, (visits, n).
        p_late: Share of invoices that are paid late while content, (late, n).
        log_prior: (moods' tempers, habits, n).
    """

    p_turn: Floats
    p_lose: Floats
    p_recover: Floats
    visits_per_day: Floats
    p_late: Floats
    log_prior: Floats

    def step(self, moods: Floats) -> Floats:
        """P(mood and not lost) a day later, (moods' tempers, habits, n, states)."""
        after = np.empty_like(moods)
        content, dissatisfied = moods[..., CONTENT], moods[..., JUST_TURNED:]
        recovers = self.p_recover * dissatisfied.sum(axis=-1)
        after[..., CONTENT] = (1.0 - P_LEAVE - self.p_turn) * content + recovers
        after[..., JUST_TURNED] = self.p_turn * content
        stays = (1.0 - self.p_lose - self.p_recover)[..., None] * dissatisfied
        after[..., JUST_TURNED + 1 :] = stays[..., :-1]
        after[..., -1] += stays[..., -1]
        return after

    def p_lost(self, *, days: int) -> LostAhead:
        """Chance to be gone after so many days."""
        content, dissatisfied = np.ones_like(self.p_turn), np.ones_like(self.p_turn)
        for _ in range(days):
            content, dissatisfied = (
                (1.0 - P_LEAVE - self.p_turn) * content + self.p_turn * dissatisfied,
                self.p_recover * content + (1.0 - self.p_lose - self.p_recover) * dissatisfied,
            )
        return LostAhead(1.0 - content, 1.0 - dissatisfied)

    def join_habits(self, by_visits: Floats, by_late: Floats) -> Floats:
        """Of likelihoods by rate of visits and by share paid late, those by both, (habits, ...)."""
        both: Floats = by_visits[:, None] * by_late[None, :]
        return both.reshape(-1, *both.shape[2:])


def make_grid(people: Population, who: Ints, *, minutes: Floats, openness: Floats) -> Tempers:
    """The grid for these customers, whose segments are known, around the visits they made.

    Args:
        people: Of the world; nothing of it is read but segments and days of joining.
        who: Positions of the customers, (n,).
        minutes: Sessions, (days, n); NaN where there was none. They only say where points of the
            grid are wanted; what they weigh is the filter's matter.
        openness: See `foresee`, (days, n).
    """
    segment = people.identity.segment[who]
    moods, log_moods = _cross((_N_TURN, UNHAPPY_SD), (_N_LOSE, MOOD_SD), (_N_RECOVER, MOOD_SD))
    late, log_late = _cross((_N_LATE, LATE_SD))
    visits, log_visits = _grid_of_visits(segment, minutes=minutes, openness=openness)
    log_habits = log_visits[:, None, :] + log_late[None, :, None]
    n = len(who)
    here = np.ones(n)
    return Tempers(
        p_turn=(P_TURN * moods[:, :1] * UNHAPPY[segment])[:, None, :],
        p_lose=(P_LOSE * moods[:, 1:2] * here)[:, None, :],
        p_recover=(P_RECOVER * moods[:, 2:3] * here)[:, None, :],
        visits_per_day=visits,
        p_late=np.minimum(P_LATE * late * here, 0.6),
        log_prior=log_moods[:, None, None] + log_habits.reshape(-1, n)[None],
    )


def _cross(*factors: tuple[int, float]) -> tuple[Floats, Floats]:
    """Log-normal factors with mean 1 at the nodes of Gauss-Hermite quadrature, all combinations.

    Args:
        factors: Number of nodes and standard deviation of the logarithm of each.

    Returns:
        Values (combinations, factors) and log weights (combinations,).
    """
    values, log_weights = [], []
    for n, sd in factors:
        nodes, weights = np.polynomial.hermite_e.hermegauss(n)
        values.append(np.exp(sd * nodes - 0.5 * sd * sd))
        log_weights.append(np.log(weights / weights.sum()))
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*values, indexing="ij")], axis=1)
    log_weight: Floats = sum(np.meshgrid(*log_weights, indexing="ij"), np.zeros(())).ravel()
    return grid, log_weight


def _grid_of_visits(segment: Ints, *, minutes: Floats, openness: Floats) -> tuple[Floats, Floats]:
    """Rates around the observed one, evenly spaced in the logarithm, and their log prior."""
    usual = VISITS_PER_DAY[segment]
    pseudo = 1.0 / np.expm1(VISITS_SD**2)  # of a gamma prior with the same spread
    came = ~np.isnan(minutes)
    since = np.where(came.any(axis=0), came.argmax(axis=0), len(minutes))
    days = (openness * (np.arange(len(minutes))[:, None] >= since)).sum(axis=0)
    n_visits = came.sum(axis=0) + pseudo
    log_rate = np.log(n_visits / (days + pseudo / usual))
    log_rate = log_rate + _VISITS_STEPS[:, None] / np.sqrt(n_visits)
    z = (log_rate - np.log(usual)) / VISITS_SD + 0.5 * VISITS_SD
    return np.clip(np.exp(log_rate), 0.02, 0.85), -0.5 * z * z
