"""Who the customers are: everything about them that does not change, most of it hidden."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.vocabulary import Channel
from training.world.clock import Flags, Floats, Ints, Micros

N_CHANNELS = len(Channel)
N_TASTES = 3
"""Directions in which wordings differ; a variant is a point among them."""
N_SEASONS = 2
"""Tastes before and after a scenario's change."""


@dataclass(frozen=True)
class Identity:
    """What the customers table shows; positions point into `places`, -1 is null."""

    ids: list[str]
    signed_up_at: Micros
    first_name: Ints
    language: Ints
    region: Ints
    zone: Ints
    segment: Ints
    shown_segment: Ints
    preferred_channel: Ints
    consent: Ints  # (n, channels): 1 yes, 0 no, -1 unknown
    active_from: Ints
    active_to: Ints


@dataclass(frozen=True)
class Rhythm:
    """When customers are there.

    Attributes:
        week: Share of visits by local hour of the week, (n, 168), rows sum to 1.
        visits_per_day: Mean number of days with a visit per day while content, (n,).
    """

    week: npt.NDArray[np.float32]
    visits_per_day: Floats


@dataclass(frozen=True)
class Taste:
    """What customers like.

    Attributes:
        channel: How readily a channel is looked at, about 1, (seasons, n, channels).
        wording: Liking along each direction of wording, (seasons, n, N_TASTES).
        price: Sensitivity to prices, 0..1, (n,).
        thrift: 1 buys across the catalogue, more prefers cheaper items, (n,).
    """

    channel: Floats
    wording: Floats
    price: Floats
    thrift: Floats


@dataclass(frozen=True)
class Temper:
    """How patient customers are; chances are per day unless they say otherwise, all (n,).

    Attributes:
        saturation: A message seen with load x is noticed exp(-saturation * x) as often.
        recovery_hours: The load of a message falls by e in so many hours.
        p_unsubscribe: Chance to unsubscribe per message seen without load.
        p_irritate: Chance to turn dissatisfied per message seen without load.
        p_turn: Content customers turn dissatisfied.
        p_leave: Content customers leave.
        p_lose: Dissatisfied customers leave.
        p_recover: Dissatisfied customers become content again.
        p_late: Share of invoices that a content customer pays late.
        calls: Readiness to call support, about 1.
    """

    saturation: Floats
    recovery_hours: Floats
    p_unsubscribe: Floats
    p_irritate: Floats
    p_turn: Floats
    p_leave: Floats
    p_lose: Floats
    p_recover: Floats
    p_late: Floats
    calls: Floats


@dataclass(frozen=True)
class Account:
    """Subscription at sign-up and habits of paying and of using, all (n,).

    Attributes:
        plan: Position in `PLANS`.
        card_days: Days for which the first card is still valid at sign-up or at the epoch.
        invoice_day: Day of the month 1..28 of the invoice.
        usage_ratio: Mean share of the first plan's limit that is used in a month.
        proxied: The mail client opens every e-mail by itself (privacy proxy).
        scanned: A mail scanner follows the links of e-mails.
    """

    plan: Ints
    card_days: Ints
    invoice_day: Ints
    usage_ratio: Floats
    proxied: Flags
    scanned: Flags


@dataclass(frozen=True)
class Population:
    """All customers of a world, n rows in every array."""

    identity: Identity
    rhythm: Rhythm
    taste: Taste
    temper: Temper
    account: Account

    @cached_property
    def index(self) -> pd.Index:
        """Customer ids, for looking up positions."""
        return pd.Index(self.identity.ids)

    @property
    def n(self) -> int:
        """Number of customers, those who join later included."""
        return len(self.identity.ids)
