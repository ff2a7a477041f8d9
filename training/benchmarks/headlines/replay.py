"""Held-out tests as Bernoulli arms: what the served bandit loses in each, with and without a prior.

A test's true rates are not known. They are drawn from what its clicks say: normal in log odds, with
the test's own mean and the spread of siblings as prior. The texts have no part in that, so a prior
that reads them is not flattered; it looks a little worse than it is.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import special

from features.vocabulary import Channel, Trigger
from training.bandit.beliefs import ArmPrior
from training.bandit.context import CONTEXT_NUMBERS
from training.bandit.contextual import ContextualBandit
from training.bandit.policy import VariantContexts
from training.bandit.rewards import Cell
from training.bandit.sites import Rows
from training.measures import Floats
from training.variant_prior.finished import FinishedTests
from training.variant_prior.siblings import centre

_CELL = Cell(Trigger.BROWSE_ABANDONMENT, Channel.EMAIL)
_SMALL, _LARGE = 100, 250  # impressions between two looks at the clicks
_SMALL_UNTIL = 1_000


def draw_rates(tests: FinishedTests, *, spread: float, rng: np.random.Generator) -> Floats:
    """One draw of the true rates of all wordings, (n,)."""
    weights = 1.0 / (tests.sampling_variance + spread)
    deviation = centre(tests.log_odds, tests=tests.position, weights=weights)
    level = tests.log_odds - deviation
    known = spread / (spread + tests.sampling_variance)
    error = np.sqrt(spread * (1.0 - known))
    drawn = level + known * deviation + error * rng.standard_normal(len(tests))
    rates: Floats = special.expit(drawn)
    return rates


def list_looks(horizon: int) -> list[int]:
    """How many impressions go between two looks at the clicks.

    >>> list_looks(1_300)[-3:]
    [100, 250, 50]
    """
    looks = []
    shown = 0
    while shown < horizon:
        step = _SMALL if shown < _SMALL_UNTIL else _LARGE
        looks.append(min(step, horizon - shown))
        shown += looks[-1]
    return looks


def play(
    bandit: ContextualBandit,
    *,
    rates: Floats,
    horizons: tuple[int, ...],
    beliefs: Mapping[int, ArmPrior],
    seed: int,
) -> Floats:
    """Clicks lost against the best wording until each horizon, (horizons,), in expectation.

    Every wording has clicks of its own lying ready, the same for every contestant with this seed.

    Args:
        bandit: Where it starts.
        rates: True share of clicks of each wording, (arms,).
        horizons: Impressions, ascending.
        beliefs: About wordings, by place.
        seed: Of the clicks and choices.
    """
    rng = np.random.default_rng(seed)
    n_arms = len(rates)
    names = [f"{_CELL.trigger}.{_CELL.channel}.w{at}" for at in range(n_arms)]
    arms = [(_CELL, name) for name in names]
    bandit = bandit.with_arms(arms).believing({arms[at]: b for at, b in beliefs.items()})
    reader = VariantContexts(
        _CELL.trigger, _CELL.channel, ("",), (None,), np.full((1, len(CONTEXT_NUMBERS)), np.nan)
    )
    x = bandit.encode(reader.languages, reader.segments, reader.numbers)[0]
    positions = np.array([bandit.position[arm] for arm in arms], dtype=np.int64)
    gaps = rates.max() - rates
    lost, found, shown = 0.0, [], 0
    for look in list_looks(horizons[-1]):
        p = bandit.probabilities(reader, arms=names)[0]
        lost += look * float(p @ gaps)
        shown += look
        if shown in horizons:
            found.append(lost)
        u = rng.random((2, look))
        chosen = np.minimum(np.searchsorted(np.cumsum(p), u[0]), n_arms - 1)
        clicked = u[1] < rates[chosen]
        bandit = bandit.told(_count(x, positions, chosen, clicked), n_trials=look)
    return np.array(found)


def lose_by_chance(rates: Floats, *, horizons: tuple[int, ...]) -> Floats:
    """Clicks lost by showing all alike, (horizons,)."""
    gap = float(rates.max() - rates.mean())
    return gap * np.array(horizons, dtype=np.float64)


def _count(
    x: Floats,
    positions: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.int64],
    clicked: npt.NDArray[np.bool_],
) -> Rows:
    """Rows of the learner: each wording's clicks and misses as one row each."""
    n_arms = len(positions)
    counts = np.bincount(2 * chosen + ~clicked, minlength=2 * n_arms).astype(np.float64)
    return Rows.sort(
        np.tile(x, (2 * n_arms, 1)),
        np.repeat(positions, 2),
        np.tile([1.0, 0.0], n_arms),
        counts,
    )
