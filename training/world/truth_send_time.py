"""The truth about the hour of sending that stays the same: for scoring a choice of hours only.

What varies (moods, open cases, load) is left out: an hour's worth to a customer on a channel is the
chance that a message sent then is seen, at a load of one message. It is the best that any choice
can know that knows nothing but what stays.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.vocabulary import Channel, Trigger
from training.world.clock import Floats
from training.world.codes import CHANNELS, TRIGGERS
from training.world.mail.response import mean_seen, week_openness
from training.world.people.draw import archetypes, rhythm_weights
from training.world.people.population import Population

_N_STEPS, _N_WARM_UP = 60, 10


def p_seen_by_hour(
    people: Population, customer_ids: Sequence[str], *, trigger: Trigger, channel: Channel
) -> Floats:
    """P(a message that arrives is seen) by hour of the customers' own week, (n, 168)."""
    rows = people.index.get_indexer(pd.Index(customer_ids))
    openness = week_openness(people.rhythm.week[rows], channel=CHANNELS.index(channel))
    at_mean_hour = mean_seen(people, season=0)[
        rows, TRIGGERS.index(trigger), CHANNELS.index(channel)
    ]
    p_seen: Floats = np.minimum(at_mean_hour[:, None] * openness, 1.0)
    return p_seen


def foresee_openness(
    people: Population,
    customer_ids: Sequence[str],
    *,
    visits: Floats,
    channel: Channel,
    rng: np.random.Generator,
) -> Floats:
    """The mean openness of each hour, (n, 168), to who knows the world's laws and these visits.

    Who knows how weeks are drawn (archetypes, the weights of each segment) but not what was drawn
    cannot do better: this is the most that the visits tell. Gibbs sampling of which archetype each
    visit belongs to.

    Args:
        people: Only their segments are read.
        customer_ids: Whose visits they are.
        visits: By hour of the own week, (n, 168), whole numbers.
        channel: Of the message.
        rng: Of the sampler.
    """
    rows = people.index.get_indexer(pd.Index(customer_ids))
    weights, weeks = rhythm_weights(people.identity.segment[rows]), archetypes()
    mixture = weights / weights.sum(axis=1, keepdims=True)
    who, hour = np.nonzero(visits)
    times = visits[who, hour].astype(np.int64)
    openness = np.zeros_like(visits)
    for step in range(_N_STEPS):
        belongs = mixture[who] * weeks[:, hour].T
        kinds = rng.multinomial(times, belongs / belongs.sum(axis=1, keepdims=True))
        posterior = weights.copy()
        np.add.at(posterior, who, kinds)
        mixture = rng.standard_gamma(posterior) + 1e-12
        mixture /= mixture.sum(axis=1, keepdims=True)
        if step >= _N_WARM_UP:
            openness += week_openness(mixture @ weeks, channel=CHANNELS.index(channel))
    mean: Floats = openness / (_N_STEPS - _N_WARM_UP)
    return mean
