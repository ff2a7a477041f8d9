"""What a message changes: measured by the uplift model, cautiously, and drawn to what is believed.

The level of an effect, by trigger, is the least sure part of a value, and an action that looks best
is chosen more often where it is overrated. So the measured effect counts less `caution` standard
errors of its level, and is drawn to what response rates and the settings would have it. It is drawn
in logs: where the trial says that nothing is changed, no belief brings it back.
"""

from dataclasses import dataclass

import numpy as np

from features.vocabulary import Trigger
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
    cases: Cases,
    uplift: UpliftModel | None,
    *,
    most: Floats,
    share: float,
    learned: LearnedSettings,
) -> Effect:
    """The effect on the cases; what is believed alone where nothing was measured.

    That is so without a model, and for triggers it does not know.

    Args:
        cases: Of one trigger.
        uplift: What was measured.
        most: What a message on each channel is believed to change at most, (n, 5).
        share: How much of that it is believed to change.
        learned: Caution, and how much a belief weighs.
    """
    believed = most * share
    told = _find_measured(cases, uplift, most=most)
    if told is None:
        return Effect(believed, np.ones(believed.shape), np.full(cases.n, learned.believed_error))
    sd = np.where(np.isnan(told.sd), learned.believed_error * np.abs(told.value), told.sd)
    level_sd = np.sqrt(np.maximum(sd**2 - (told.own_sd * told.value) ** 2, 0.0))
    measured = np.maximum(told.value - learned.caution * level_sd, 0.0)
    weight = learned.believed_share
    p = measured ** (1.0 - weight) * believed**weight
    borne_out = np.divide(p, believed, out=np.zeros(p.shape), where=believed > 0.0)
    value = np.maximum(told.value, 0.0).sum(axis=1)
    error = np.divide(sd.sum(axis=1), value, out=np.ones(cases.n), where=value > 0.0)
    return Effect(p, np.minimum(borne_out, 1.0), np.minimum(error, 1.0))


def expect_calls(cases: Cases, uplift: UpliftModel | None, *, believed: float) -> Floats:
    """P(the customer calls about a service case if nobody writes), (n,).

    As it was counted, where it was; calls are told by far more rows than what messages change.

    Args:
        cases: Of one trigger.
        uplift: Where calls were counted.
        believed: The chance where they were not.
    """
    counted = None
    if uplift is not None and cases.trigger in uplift.groups:
        counted = uplift.p_bad(cases.trigger, belonging=_find_belonging(cases))
    return np.full(cases.n, believed) if counted is None else counted


def _find_belonging(cases: Cases) -> Belonging:
    return Belonging(
        np.array(cases.segments, dtype=object), np.array(cases.languages, dtype=object)
    )


@dataclass(frozen=True)
class _Measured:
    """What the trial found.

    Attributes:
        value: The effect, (n, 5).
        sd: How unsure it is, (n, 5); NaN where that is not known.
        own_sd: The part of it that is the customer's own, over the effect.
    """

    value: Floats
    sd: Floats
    own_sd: float


def _find_measured(cases: Cases, uplift: UpliftModel | None, *, most: Floats) -> _Measured | None:
    """What a trial says of the cases; None where it says nothing.

    Calls that come later than the days a trial looks at leave it nothing to see: an effect of
    nothing that is sure of it. Then the family tells, by the share of the most that can be changed
    which its messages achieve.

    Args:
        cases: Of one trigger.
        uplift: The model.
        most: What a message on each channel is believed to change at most, (n, 5).
    """
    if uplift is None or cases.trigger not in uplift.groups:
        return None
    own_sd = uplift.own_sd[uplift.groups.index(cases.trigger)]
    if cases.trigger not in uplift.foreseen:
        belonging = _find_belonging(cases)
        told = uplift.effects(cases.engagement, group=cases.trigger, belonging=belonging)
        if told.value.any() or np.nan_to_num(told.sd, nan=1.0).any():
            return _Measured(told.value, told.sd, own_sd)
    return _tell_by_family(uplift, cases.trigger, most=most, own_sd=own_sd)


def _tell_by_family(
    uplift: UpliftModel, trigger: Trigger, *, most: Floats, own_sd: float
) -> _Measured | None:
    """The share of the most that messages of such triggers achieve; None where it is not known."""
    shares = uplift.shares(trigger)
    if shares is None:
        return None
    level = shares.mean()
    unsure = shares.std(ddof=1) if len(shares) > 2 else np.nan
    return _Measured(most * level, most * np.hypot(unsure, own_sd * level), own_sd)
