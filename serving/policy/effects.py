"""What a message changes: measured by the uplift model, cautiously, and drawn to what is believed.

The level of an effect, by trigger, is the least sure part of a value, and an action that looks best
is chosen more often where it is overrated. So the measured effect counts less `caution` standard
errors of its level, and is drawn to what response rates and the settings would have it. It is drawn
in logs: where the trial says that nothing is changed, no belief brings it back.
"""

from dataclasses import dataclass

import numpy as np

from serving.policy.cases import Cases, Floats
from serving.policy.settings import LearnedSettings
from training.registry.servable import Belonging, UpliftModel


@dataclass(frozen=True)
class Effect:
    """What a message changes on each channel.

    Attributes:
        p: P(it brings a purchase, or prevents a call, that else would (not) have come), (n, 5).
        borne_out: How much of what is believed the trial bears out, between 0 and 1, (n, 5).
        error: Standard error of the effect over the effect, (n,).
    """

    p: Floats
    borne_out: Floats
    error: Floats


def find_effect(
    cases: Cases, uplift: UpliftModel | None, *, believed: Floats, learned: LearnedSettings
) -> Effect:
    """The effect on the cases; what is believed (n, 5) alone where nothing was measured.

    That is so without a model, for triggers it does not know, and for those of which it saw no
    outcome: their calls come later than the days that a trial looks at.
    """
    unmeasured = Effect(believed, np.ones(believed.shape), np.full(cases.n, learned.believed_error))
    if uplift is None or cases.trigger not in uplift.groups:
        return unmeasured
    belonging = Belonging(
        np.array(cases.segments, dtype=object), np.array(cases.languages, dtype=object)
    )
    told = uplift.effects(cases.engagement, group=cases.trigger, belonging=belonging)
    if not (told.value.any() or np.nan_to_num(told.sd, nan=1.0).any()):
        return unmeasured  # an effect of nothing that is sure of it: there was nothing to see
    own_sd = uplift.own_sd[uplift.groups.index(cases.trigger)] * told.value
    sd = np.where(np.isnan(told.sd), learned.believed_error * np.abs(told.value), told.sd)
    level_sd = np.sqrt(np.maximum(sd**2 - own_sd**2, 0.0))
    measured = np.maximum(told.value - learned.caution * level_sd, 0.0)
    share = learned.believed_share
    p = measured ** (1.0 - share) * believed**share
    borne_out = np.divide(p, believed, out=np.zeros(p.shape), where=believed > 0.0)
    value = np.maximum(told.value, 0.0).sum(axis=1)
    error = np.divide(sd.sum(axis=1), value, out=np.ones(cases.n), where=value > 0.0)
    return Effect(p, np.minimum(borne_out, 1.0), np.minimum(error, 1.0))
