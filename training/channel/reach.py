"""What a reported open stands for: some channels are read without an open being reported.

A push is read on the locked screen, an SMS at once: fewer opens are reported of it, but each stands
for more, and sooner, readers. What customers do tells: conversions per open, by channel.
"""

from typing import Final

import numpy as np

from features.vocabulary import Channel, Outcome
from training.datasets.channel import ChannelDataset
from training.registry.servable import CHANNELS, TRIGGERS

_PRIOR_CONVERSIONS: Final = 10.0
_N_ROUNDS: Final = 50


def estimate_acted_per_open(dataset: ChannelDataset) -> dict[Channel, float]:
    """Conversions per open of each channel over those of e-mail, the same triggers compared.

    Conversions are Poisson with mean `rate[trigger] x factor[channel] x opens`, fitted in turns;
    a factor is shrunk to 1 by 10 conversions (gamma prior). Without conversions all are 1.
    """
    shape = (len(TRIGGERS), len(CHANNELS))
    cell = dataset.trigger * len(CHANNELS) + dataset.channel
    opens, conversions = (
        np.bincount(cell[dataset.targets[o]], minlength=shape[0] * shape[1]).reshape(shape)
        for o in (Outcome.OPENED, Outcome.CONVERTED)
    )
    factor = np.ones(len(CHANNELS))
    for _ in range(_N_ROUNDS):
        rate = conversions.sum(axis=1) / np.maximum(opens @ factor, 1e-9)
        expected = rate @ opens
        factor = (conversions.sum(axis=0) + _PRIOR_CONVERSIONS) / (expected + _PRIOR_CONVERSIONS)
    factor = factor / factor[CHANNELS.index(Channel.EMAIL)]
    return {channel: float(factor[at]) for at, channel in enumerate(CHANNELS)}
