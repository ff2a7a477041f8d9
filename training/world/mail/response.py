"""How customers respond to a message: the one place with its probabilities.

The simulation draws from these functions and the truth takes expectations over the same ones.

A message is *seen* with a probability that depends on trigger, channel, taste, local hour and load
(recent messages of all channels). E-mail that is seen counts as opened; on other channels only a
share of those who see a message open it in a way that is reported. Opens are late by a mixture of
exponentials with median 6.4 h, 26 % within 1 h, 71 % within 24 h and 93 % within 7 days; a channel
is seen `speed` times as late. Sums of exponentials keep every expectation in closed form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.vocabulary import Channel, Trigger
from training.world.clock import Floats, Ints, Micros, hour_of_week
from training.world.codes import CHANNELS, TRIGGERS
from training.world.life.cases import NO_CASE
from training.world.people.places import ZONES
from training.world.people.population import N_TASTES, Population
from training.world.scenario import Scenario

DELAY_SHARES = np.array([0.22060591, 0.43270998, 0.34668411])
DELAY_HOURS = np.array([0.42833987, 7.01695248, 105.00528982])


@dataclass(frozen=True)
class ChannelTraits:
    """What a channel is like.

    Attributes:
        notice: Multiplies the chance that a message is seen.
        opened_share: Share of those who saw it whose open is reported.
        speed: Time until it is seen over the time until it is opened.
        hour_gain: How much the local hour matters, 0 not at all.
        p_bounce: Share that never arrives.
        intrusion: Multiplies unsubscribing and irritation.
    """

    notice: float
    opened_share: float
    speed: float
    hour_gain: float
    p_bounce: float
    intrusion: float


@dataclass(frozen=True)
class TriggerTraits:
    """What a trigger's message is like.

    Attributes:
        interest: Chance that an average e-mail about it is seen.
        power: Chance that who sees it in time does not call (service) or buys (marketing).
        fade_hours: Marketing: the power falls by e in so many hours after the trigger.
        save: Chance that who sees it and is dissatisfied becomes content again.
    """

    interest: float
    power: float
    fade_hours: float = float("inf")
    save: float = 0.0


CHANNEL_TRAITS: Mapping[Channel, ChannelTraits] = MappingProxyType(
    {
        Channel.EMAIL: ChannelTraits(1.0, 1.0, 1.0, 0.50, 0.015, 0.8),
        Channel.SMS: ChannelTraits(1.55, 0.45, 0.03, 0.30, 0.010, 1.6),
        Channel.PUSH: ChannelTraits(1.30, 0.27, 0.10, 0.55, 0.040, 1.0),
        Channel.IN_APP: ChannelTraits(0.85, 0.60, 0.40, 0.60, 0.000, 0.5),
        Channel.WHATSAPP: ChannelTraits(1.40, 0.80, 0.06, 0.35, 0.020, 1.5),
    }
)
TRIGGER_TRAITS: Mapping[Trigger, TriggerTraits] = MappingProxyType(
    {
        Trigger.DELIVERY_DELAY: TriggerTraits(0.32, 0.60),
        Trigger.PAYMENT_FAILURE_RISK: TriggerTraits(0.26, 0.65),
        Trigger.SERVICE_DISRUPTION: TriggerTraits(0.31, 0.60),
        Trigger.SUBSCRIPTION_LIMIT: TriggerTraits(0.22, 0.50),
        Trigger.ACCOUNT_ANOMALY: TriggerTraits(0.32, 0.65),
        Trigger.ORDER_SHIPPED: TriggerTraits(0.33, 0.60),
        Trigger.INCIDENT_UPDATE: TriggerTraits(0.26, 0.30),
        Trigger.ABANDONED_CART: TriggerTraits(0.21, 0.26, fade_hours=30.0),
        Trigger.BROWSE_ABANDONMENT: TriggerTraits(0.13, 0.09, fade_hours=24.0),
        Trigger.PRICE_DROP: TriggerTraits(0.16, 0.14, fade_hours=48.0),
        Trigger.INACTIVITY: TriggerTraits(0.105, 0.08, fade_hours=400.0, save=0.03),
        Trigger.CHURN_RISK: TriggerTraits(0.11, 0.0, save=0.08),
    }
)
_FIT: Mapping[Trigger, Mapping[Channel, float]] = MappingProxyType(
    {
        Trigger.PRICE_DROP: {Channel.PUSH: 1.25, Channel.SMS: 0.8},
        Trigger.ORDER_SHIPPED: {Channel.SMS: 1.15, Channel.EMAIL: 0.95},
        Trigger.ABANDONED_CART: {Channel.EMAIL: 1.1, Channel.PUSH: 0.85},
        Trigger.SUBSCRIPTION_LIMIT: {Channel.IN_APP: 1.5},
        Trigger.INACTIVITY: {Channel.IN_APP: 0.3, Channel.PUSH: 1.1},
        Trigger.CHURN_RISK: {Channel.IN_APP: 0.6},
    }
)
"""How well a channel suits a trigger where it is not 1."""

_NOTICE = np.array([CHANNEL_TRAITS[c].notice for c in CHANNELS])
_GAIN = np.array([CHANNEL_TRAITS[c].hour_gain for c in CHANNELS])
_INTRUSION = np.array([CHANNEL_TRAITS[c].intrusion for c in CHANNELS])
_INTEREST = np.array([TRIGGER_TRAITS[t].interest for t in TRIGGERS])
_FITS = np.array([[_FIT.get(t, {}).get(c, 1.0) for c in CHANNELS] for t in TRIGGERS])
_PRICED = np.array([t is Trigger.PRICE_DROP for t in TRIGGERS])
SPEED = np.array([CHANNEL_TRAITS[c].speed for c in CHANNELS])
OPENED_SHARE = np.array([CHANNEL_TRAITS[c].opened_share for c in CHANNELS])
P_BOUNCE = np.array([CHANNEL_TRAITS[c].p_bounce for c in CHANNELS])
POWER = np.array([TRIGGER_TRAITS[t].power for t in TRIGGERS])
FADE_HOURS = np.array([TRIGGER_TRAITS[t].fade_hours for t in TRIGGERS])
SAVE = np.array([TRIGGER_TRAITS[t].save for t in TRIGGERS])
IS_SERVICE = np.array([t.is_service for t in TRIGGERS])

_WORDING_SD = np.array([0.12, 0.20, 0.20, 0.20])  # main effect, then each direction
_UNFOUNDED = 2.0
"""A message about nothing irritates so many times as much."""
_MAX_OPENNESS = 2.5
_MAX_SEEN = 0.95
_MAX_POWER = 0.90


@dataclass(frozen=True)
class Approach:
    """Messages as the customer meets them, n rows.

    Attributes:
        customer: Position in the population.
        trigger: Position in `TRIGGERS`.
        channel: Position in `CHANNELS`.
        sent_at: Moment of sending.
        wording: Main effect and direction of the variant, (n, 1 + N_TASTES).
        season: 0 before the scenario's change of tastes, 1 after.
        case: Row of the case they are about, NO_CASE where the trigger is not true.
    """

    customer: Ints
    trigger: Ints
    channel: Ints
    sent_at: Micros
    wording: Floats
    season: Ints
    case: Ints

    def rows(self, at: Ints) -> "Approach":
        """These rows of it."""
        return Approach(**{field.name: getattr(self, field.name)[at] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence["Approach"]) -> "Approach":
        """The messages of all parts, at least one, in their order."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@dataclass(frozen=True)
class Response:
    """Probabilities of what comes of messages, (n,) each; all but `p_seen` given that it is seen.

    Attributes:
        p_seen: A message that arrived at a customer who is still there is seen.
        p_unsubscribe: The reader leaves the channel.
        p_irritate: The reader, if content, turns dissatisfied.
        power: As `TriggerTraits.power`, for this customer and wording, when fresh.
        save: As `TriggerTraits.save`, for this customer and wording.
    """

    p_seen: Floats
    p_unsubscribe: Floats
    p_irritate: Floats
    power: Floats
    save: Floats


def respond(
    approach: Approach, *, load: Floats, people: Population, scenario: Scenario
) -> Response:
    """How each customer responds, given the load of messages before this one, (n,)."""
    who, trigger, channel = approach.customer, approach.trigger, approach.channel
    taste, temper = people.taste, people.temper
    liking = taste.channel[approach.season, who, channel]
    p_seen = (
        _INTEREST[trigger]
        * _NOTICE[channel]
        * _FITS[trigger, channel]
        * liking
        * _openness(approach, people)
        * np.exp(-temper.saturation[who] * load)
    )
    wording = appeal(approach, people)
    cheaper = np.where(_PRICED[trigger], 0.3 + 1.4 * taste.price[who], 1.0)
    strain = (
        scenario.irritation
        * _INTRUSION[channel]
        * (1.0 + load)
        * np.where(approach.case == NO_CASE, _UNFOUNDED, 1.0)
    )
    return Response(
        p_seen=np.minimum(p_seen, _MAX_SEEN),
        p_unsubscribe=np.minimum(temper.p_unsubscribe[who] * strain, 0.5),
        p_irritate=np.minimum(temper.p_irritate[who] * strain, 0.5),
        power=np.minimum(POWER[trigger] * wording * cheaper * scenario.effect, _MAX_POWER),
        save=np.minimum(SAVE[trigger] * wording * scenario.effect, _MAX_POWER),
    )


def mean_seen(people: Population, *, season: int) -> Floats:
    """P(seen) at a mean hour under a load of one message, (n, triggers, channels)."""
    liking = people.taste.channel[season] * np.exp(-people.temper.saturation)[:, None]
    seen: Floats = np.minimum(
        liking[:, None, :] * (_INTEREST[:, None] * _NOTICE * _FITS), _MAX_SEEN
    )
    return seen


def appeal(approach: Approach, people: Population) -> Floats:
    """How well the wording suits the customer, (n,); 1 for the average variant."""
    liking = people.taste.wording[approach.season, approach.customer]
    return bound_appeal(
        1.0 + approach.wording[:, 0] + (approach.wording[:, 1:] * liking).sum(axis=1)
    )


def bound_appeal(factor: Floats) -> Floats:
    """No wording is quite without effect, and none doubles it."""
    bounded: Floats = np.clip(factor, 0.3, 1.9)
    return bounded


def _openness(approach: Approach, people: Population) -> Floats:
    """How open the local hour is: the customer's own visits around it over those of a mean hour."""
    zone = people.identity.zone[approach.customer]
    hour = hour_of_week(approach.sent_at, zone=zone, zones=ZONES)
    week = people.rhythm.week
    near = sum(week[approach.customer, (hour + step) % 168] for step in (-1, 0, 1))
    relative = np.minimum(near * (168.0 / 3.0), _MAX_OPENNESS)
    openness: Floats = 1.0 + _GAIN[approach.channel] * (relative - 1.0)
    return openness


def week_openness(week: Floats | npt.NDArray[np.float32], *, channel: int) -> Floats:
    """How open each hour of customers' own weeks is to a message on that channel, (n, 168)."""
    near = sum((np.roll(week, step, axis=1) for step in (-1, 0, 1)), np.zeros_like(week))
    relative = np.minimum(near * (168.0 / 3.0), _MAX_OPENNESS)
    openness: Floats = 1.0 + _GAIN[channel] * (relative - 1.0)
    return openness


def wordings_of(variants: pd.Series, *, season: Ints, seed: int) -> Floats:
    """Main effect and direction of each variant, (n, 1 + N_TASTES).

    Any id works: its point is a stable hash of seed, season and id. Null is the average variant.
    """
    points = np.zeros((len(variants), 1 + N_TASTES))
    codes, names = pd.factorize(variants, use_na_sentinel=True)
    for at in np.unique(season):
        table = np.array([_point_of(name, season=int(at), seed=seed) for name in names])
        rows = np.flatnonzero((season == at) & (codes >= 0))
        if len(rows):
            points[rows] = table[codes[rows]]
    return points


def _point_of(name: str, *, season: int, seed: int) -> Sequence[float]:
    digest = blake2b(f"{seed}\x1f{season}\x1f{name}".encode(), digest_size=32).digest()
    uniform = (np.frombuffer(digest, dtype="<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53
    # Uniform on (-sqrt 3, sqrt 3) has variance 1.
    unit = (2.0 * uniform - 1.0) * np.sqrt(3.0)
    point: list[float] = (unit * _WORDING_SD).tolist()
    return point


def reads_in_time(*, sooner: Floats, rate: Floats, speed: Floats) -> Floats:
    """P(what comes at `rate` from the onset on has not come when the message is seen), (n,).

    The message is sent `sooner` hours before the onset (after it where negative) and seen D later;
    the event comes at onset + Exp(rate). In closed form, because D is a mixture of exponentials.
    """
    means = speed[:, None] * DELAY_HOURS
    product = rate[:, None] * means
    early = 1.0 - np.exp(-np.maximum(sooner, 0.0)[:, None] / means) * product / (1.0 + product)
    late = np.exp(np.minimum(sooner, 0.0) * rate)[:, None] / (1.0 + product)
    in_time: Floats = np.where(sooner[:, None] > 0.0, early, late) @ DELAY_SHARES
    return in_time
