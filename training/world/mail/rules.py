"""The rules that the history's `rules` arm follows: the design's defaults, one channel each.

The rules policy proper lives in serving; this is what a company without Opportune might have done.
"""

import numpy as np

from features.vocabulary import Channel, Trigger
from training.world.codes import CHANNELS, TRIGGERS

_ORDER = {
    Trigger.DELIVERY_DELAY: (Channel.SMS, Channel.PUSH, Channel.EMAIL),
    Trigger.SERVICE_DISRUPTION: (Channel.PUSH, Channel.SMS, Channel.EMAIL),
    Trigger.SUBSCRIPTION_LIMIT: (Channel.IN_APP, Channel.EMAIL),
    Trigger.ACCOUNT_ANOMALY: (Channel.EMAIL, Channel.SMS),
    Trigger.INACTIVITY: (Channel.PUSH, Channel.EMAIL, Channel.SMS),
    Trigger.PRICE_DROP: (Channel.PUSH, Channel.EMAIL, Channel.SMS),
    Trigger.ORDER_SHIPPED: (Channel.SMS, Channel.EMAIL, Channel.PUSH),
}
_DEFAULT = (Channel.EMAIL, Channel.SMS, Channel.PUSH)
_HOURS = {Trigger.INACTIVITY: 24.0, Trigger.PRICE_DROP: 0.1, Trigger.ABANDONED_CART: 1.5}

RULE_RANK = np.array(
    [
        [order.index(c) if c in order else len(CHANNELS) for c in CHANNELS]
        for order in (_ORDER.get(t, _DEFAULT) for t in TRIGGERS)
    ]
)
"""Rank of each channel by trigger; `len(CHANNELS)`: the rules never use it."""

RULE_HOURS = np.array([0.0 if t.is_service else _HOURS.get(t, 2.0) for t in TRIGGERS])
"""Hours that the rules wait by trigger."""
