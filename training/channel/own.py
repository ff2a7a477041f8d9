"""How much a customer's own answers say: learned from how well they foretold later ones."""

from typing import Final

import numpy as np
from scipy.special import expit

from training.datasets.channel import ChannelDataset
from training.measures import Bools, Floats, log_losses
from training.registry.servable import TRIGGERS, OwnHistory, PooledRates, Sendings

_STRENGTHS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 1e6)
"""Expected opens; the last one leaves customers' own answers out."""


def describe_typical(rates: PooledRates, dataset: ChannelDataset) -> Floats:
    """P(opened) by segment (the last row: unknown) and channel, over the triggers of the log."""
    shares = np.bincount(dataset.trigger, minlength=len(TRIGGERS)) / len(dataset.trigger)
    z = rates.base[:, None, :] + rates.segments.effect[None, :, :]
    typical: Floats = np.tensordot(shares, expit(z), axes=1)
    return typical


def fit_strength(
    typical: Floats, *, counts: Floats | None, sendings: Sendings, z: Floats, labels: Bools
) -> OwnHistory:
    """The strength under which the messages were least surprising.

    Args:
        typical: See `OwnHistory`.
        counts: Messages and opens by channel before each message, (n, channels, 2); None where the
            features hold no such counts.
        sendings: The messages.
        z: Log-odds of *opened* without it, (n,).
        labels: Whether each was opened, (n,).
    """
    names = OwnHistory.feature_names()
    if counts is None:
        return OwnHistory(names, _STRENGTHS[-1], typical)
    losses = []
    for strength in _STRENGTHS:
        own = OwnHistory(names, strength, typical)
        added, _ = own.expect(counts, channel=sendings.channel, segment=sendings.segment)
        p = expit(z + added)
        losses.append(float(log_losses(p, labels=labels).mean()))
    return OwnHistory(names, _STRENGTHS[int(np.argmin(losses))], typical)
