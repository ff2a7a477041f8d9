"""The plain baseline: one number for each outcome and channel, its rate so far."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Outcome, Trigger
from training.datasets.channel import ChannelDataset
from training.measures import Floats
from training.registry.servable import CHANNELS, TRIGGERS

BASELINE = "constant rate per channel"
_PRIOR_CONVERSIONS = 10.0


@dataclass(frozen=True)
class ChannelRates:
    """One rate for each outcome and channel.

    Attributes:
        by_outcome: Rate by position in `CHANNELS`, (channels,); a channel without messages has
            the rate of all.
    """

    by_outcome: Mapping[Outcome, Floats]

    def predict(self, outcome: Outcome, dataset: ChannelDataset) -> Floats:
        """Probability of the outcome, (n,)."""
        return self.by_outcome[outcome][dataset.channel]


def count_rates(dataset: ChannelDataset) -> ChannelRates:
    """The baseline from these rows; a rate never seen is not zero (Jeffreys)."""
    n = np.bincount(dataset.channel, minlength=len(CHANNELS))
    by_outcome = {}
    for outcome, labels in dataset.targets.items():
        overall = (labels.sum() + 0.5) / (len(labels) + 1.0)
        n_positive = np.bincount(dataset.channel[labels], minlength=len(CHANNELS))
        by_outcome[outcome] = np.where(n > 0, (n_positive + 0.5) / (n + 1.0), overall)
    return ChannelRates(by_outcome)


def estimate_values(dataset: ChannelDataset) -> dict[Trigger, float]:
    """Mean cents of a conversion by trigger, shrunk to the mean of all by 10 conversions.

    Every trigger has one; empty where no conversion has a known value.
    """
    known = ~np.isnan(dataset.value_cents)
    if not known.any():
        return {}
    overall = float(dataset.value_cents[known].mean())
    values = {}
    for position, trigger in enumerate(TRIGGERS):
        cents = dataset.value_cents[known & (dataset.trigger == position)]
        total = cents.sum() + _PRIOR_CONVERSIONS * overall
        values[trigger] = float(total / (len(cents) + _PRIOR_CONVERSIONS))
    return values
