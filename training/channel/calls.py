"""How many support calls a message prevents when it is seen, measured where chance chose.

Channels differ in how likely a message is seen, and chance chose among them. So calls about a
trigger are regressed on P(seen | the channel it went to), beside the customer's mean over all
channels: what is left of P(seen) is chance, and its slope is what seeing a message does (an
instrument; Angrist & Pischke 2009, ch. 4). The error is large: the figure is there to check what
the policy's settings assume (`p_call x prevented_share`), and does not change it by itself.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from features.vocabulary import Outcome, Trigger
from training.channel.describing import describe_messages
from training.datasets.channel import ChannelDataset
from training.measures import Floats
from training.registry.servable import CHANNELS, TRIGGERS, ChannelModel, Measured

_FEWEST_MESSAGES: Final = 300
_FEWEST_CALLS: Final = 10


def measure_prevented(model: ChannelModel, dataset: ChannelDataset) -> dict[Trigger, Measured]:
    """Calls prevented by a message that is seen, by service trigger with enough messages and calls.

    Empty where nobody was written to by chance.
    """
    if not dataset.randomised:
        return {}
    found = {}
    for at, trigger in enumerate(TRIGGERS):
        rows = dataset.trigger == at
        enough = rows.sum() >= _FEWEST_MESSAGES and dataset.called[rows].sum() >= _FEWEST_CALLS
        if trigger.is_service and enough:
            found[trigger] = _regress(model, dataset.take(rows))
    return found


def _regress(model: ChannelModel, messages: ChannelDataset) -> Measured:
    n = len(messages.channel)
    sendings = describe_messages(model, messages)
    acted = np.array([model.acted_per_open[channel] for channel in CHANNELS])
    by_channel = np.column_stack(
        [
            model.predict(Outcome.OPENED, replace(sendings, channel=np.full(n, at))) * acted[at]
            for at in range(len(CHANNELS))
        ]
    )
    p_seen: Floats = np.minimum(by_channel, 1.0)
    X = np.column_stack([p_seen[np.arange(n), messages.channel], p_seen.mean(axis=1), np.ones(n)])
    inverse = np.linalg.pinv(X.T @ X)
    slopes = inverse @ X.T @ messages.called
    residuals = messages.called - X @ slopes
    # Calls are rarer where they are prevented: an error that allows for it (White 1980).
    covariance = inverse @ ((X * residuals[:, None] ** 2).T @ X) @ inverse
    return Measured(float(-slopes[0]), float(np.sqrt(covariance[0, 0])))
