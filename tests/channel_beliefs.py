"""A channel model that believes what ships and has seen no message: what tests build theirs on."""

import numpy as np

from features.channel_priors import default_channel_priors
from features.vocabulary import Outcome
from training.registry.servable import (
    CHANNELS,
    OUTCOMES,
    TRIGGERS,
    Calibration,
    ChannelModel,
    FeatureSignature,
    OutcomeModel,
    OwnHistory,
)
from training.registry.servable.pooled import N_HOURS, GroupEffects, PooledRates, logit

_FOLLOW_OPENS = (Outcome.CLICKED, Outcome.CONVERTED)


def believe(signature: FeatureSignature) -> ChannelModel:
    """The model before any message was sent."""
    rates = {outcome: _believe_rates(outcome) for outcome in OUTCOMES}
    opened = rates[Outcome.OPENED].base
    typical = np.mean(1 / (1 + np.exp(-opened)), axis=0, keepdims=True)
    raw = (Calibration(),) * len(CHANNELS)
    return ChannelModel(
        version="",
        signature=signature,
        own=OwnHistory(OwnHistory.feature_names(), 10.0, typical),
        outcomes={outcome: OutcomeModel(rates[outcome], None, raw) for outcome in OUTCOMES},
        mean_value_cents={},
        monthly_cents=0.0,
        acted_per_open=dict.fromkeys(CHANNELS, 1.0),
        prevented={},
    )


def _believe_rates(outcome: Outcome) -> PooledRates:
    priors = default_channel_priors()
    p = [[priors.rate(outcome, trigger=t, channel=c) for c in CHANNELS] for t in TRIGGERS]
    base = logit(np.array(p))
    hours = np.zeros((len(CHANNELS), N_HOURS + 1))
    none = GroupEffects.none()
    follows = float(outcome in _FOLLOW_OPENS)
    return PooledRates(base, np.zeros_like(base), none, none, hours, follows)
