"""What messages change is found on numbers whose truth is known, where the plain way misses it."""

from dataclasses import replace

import numpy as np
import pytest

from features.channel_priors import default_channel_priors
from features.vocabulary import Outcome, Trigger
from training.channel.cells import Cells
from training.channel.pooling import pool_rates
from training.measures import Floats
from training.registry.servable import CHANNELS, TRIGGERS, PooledRates
from training.registry.servable.pooled import relate_reading
from training.uplift.products import pool_shares

CART, DROP, SHIPPED = (
    TRIGGERS.index(t) for t in (Trigger.ABANDONED_CART, Trigger.PRICE_DROP, Trigger.ORDER_SHIPPED)
)
PRIORS = default_channel_priors()


def draw_trials(shares: Floats, *, error: float, n: int, seed: int) -> tuple[Floats, Floats]:
    """Shares as n trials would find them, (n, groups), and their precisions, (groups,)."""
    rng = np.random.default_rng(seed)
    return shares + error * rng.standard_normal((n, len(shares))), np.full(len(shares), error**-2.0)


def pool_all(found: Floats, precision: Floats) -> Floats:
    return np.array([pool_shares([(own * precision, precision)])[0][0] for own in found])


def test_a_family_that_achieves_nothing_is_found_out_where_clipped_shares_are_positive() -> None:
    found, precision = draw_trials(np.zeros(4), error=0.25, n=200, seed=1)
    pooled, clipped = pool_all(found, precision), np.clip(found, 0.0, 1.0)
    assert pooled.mean() < 0.04 < 0.08 < clipped.mean()
    # And of what is served a caution of half an error leaves next to nothing, mostly.
    cautious = np.array(
        [
            np.maximum(mean - 0.5 * sd, 0.0).max()
            for mean, sd in (pool_shares([(own * precision, precision)])[0] for own in found)
        ]
    )
    assert np.mean(cautious < 0.02) > 0.85


def test_a_family_that_achieves_something_keeps_it() -> None:
    truth = np.array([0.35, 0.45, 0.55, 0.65])
    found, precision = draw_trials(truth, error=0.25, n=200, seed=2)
    pooled = pool_all(found, precision)
    assert pooled.mean() == pytest.approx(truth.mean(), abs=0.05)
    own_error, pooled_error = (((x - truth) ** 2).mean() for x in (found, pooled))
    assert pooled_error < 0.5 * own_error


def make_cells(p: Floats, *, n: float, seed: int) -> Cells:
    """Messages on three triggers to two segments, n in a cell; p is (3, channels, 2)."""
    rng = np.random.default_rng(seed)
    at, channel, segment = (x.ravel() for x in np.indices(p.shape))
    return Cells(
        trigger=np.array([CART, DROP, SHIPPED])[at],
        channel=channel,
        segment=segment,
        language=np.full(p.size, -1),
        n=np.full(p.size, n),
        n_with=rng.binomial(int(n), p.ravel()).astype(np.float64),
        segments=("calm", "keen"),
        languages=(),
    )


def foretell(rates: PooledRates, opened: PooledRates, *, trigger: int) -> Floats:
    """P(converted), (channels, 2)."""
    readers = opened.segments.effect[:2].T
    base = opened.base[trigger][:, None]
    z = rates.base[trigger][:, None] + rates.segments.effect[:2].T
    z = z + rates.follows * relate_reading(base, readers)
    for segment in (0, 1):
        at = (np.full(1, trigger), np.full(1, segment))
        z[:, segment] += rates.find_interests(trigger=at[0], segment=at[1])
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def test_conversions_are_found_by_what_readers_do_and_by_what_a_segment_minds() -> None:
    """Keen customers open twice as often, and buy twice as often again where a price fell."""
    opened_base = (
        np.array([0.12, 0.10, 0.35])[:, None, None]
        * np.linspace(0.7, 1.3, len(CHANNELS))[None, :, None]
    )
    p_open = opened_base * np.array([0.7, 1.4])
    acts = np.ones((3, 1, 2)) * np.array([0.2, 0.1, 0.01])[:, None, None]
    acts[1] *= np.array([0.7, 1.4])
    p_buy = p_open * acts
    opened = pool_rates(make_cells(p_open, n=6000.0, seed=3), Outcome.OPENED, priors=PRIORS)
    bought = make_cells(p_buy, n=6000.0, seed=4)
    rates = pool_rates(bought, Outcome.CONVERTED, priors=PRIORS, opened=opened)
    plain = replace(rates, interests=None)
    for at, trigger in enumerate((CART, DROP)):
        truth = p_buy[at, :, 1] / p_buy[at, :, 0]  # of the keen over the calm: 2, then 4
        found = foretell(rates, opened, trigger=trigger)
        missed = foretell(plain, opened, trigger=trigger)
        error = np.abs(np.log(found[:, 1] / found[:, 0] / truth)).mean()
        plain_error = np.abs(np.log(missed[:, 1] / missed[:, 0] / truth)).mean()
        assert error < 0.15
        assert plain_error > error + 0.05
