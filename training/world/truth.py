"""The true value of a message, in closed form.

The value is expected cents, net of the cost of sending, of this one message sent at `send_at`
against no message, with no further message, given everything about the customer (latent traits,
mood, load, open cases, what earlier messages have brought about) but nothing that has not happened
yet. With p = P(arrives) x P(customer is still there) it is

    - cost + p x { p_seen x (gain - p_unsubscribe x channel) - patience }
         + P(arrives) x p_seen x lost x (P(lost | dissatisfied) - P(lost | content))
                      x (save x P(dissatisfied) - p_irritate x P(content))

    gain (service)   = support call x power x P(the call comes after the message is seen)
    gain (marketing) = (margin of the order - calls about its parcel) x power
                       x E[fade until it is seen] x P(would not have bought anyway)

where P(lost | mood) is the chance to leave within 30 days. Each factor is exact: delays until a
message is seen are mixtures of exponentials, moods are a Markov chain, and which case a message is
about is settled when it is handed over. A message about nothing has no gain and no save.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.economics import Economics
from training.world.clock import NEVER, Floats, Ints, day_of, hours_between
from training.world.codes import CHANNELS
from training.world.life.cases import NO_CASE
from training.world.life.realm import Realm
from training.world.mail.messages import load_at, reaches
from training.world.mail.response import (
    FADE_HOURS,
    IS_SERVICE,
    P_BOUNCE,
    SPEED,
    Approach,
    Response,
    reads_in_time,
    respond,
)
from training.world.people.moods import moods_ahead, p_lost_ahead


@dataclass(frozen=True)
class TrueValue:
    """Terms of the true value in cents, (n,) each; they add up to it.

    Attributes:
        send_cost: Cost of sending, negative; of one segment for SMS.
        gain: Prevented calls, margin of orders that would not have come.
        kept: Customers won back.
        irritated: Customers lost, negative.
        unsubscribed: Channels lost, negative.
        worn: Less notice for the messages after it, negative.
    """

    send_cost: Floats
    gain: Floats
    kept: Floats
    irritated: Floats
    unsubscribed: Floats
    worn: Floats

    @property
    def total(self) -> Floats:
        """The value."""
        return (
            self.send_cost + self.gain + self.kept + self.irritated + self.unsubscribed + self.worn
        )


def value_messages(
    realm: Realm, approach: Approach, *, now: int, economics: Economics
) -> TrueValue:
    """The true value of each message, were it alone.

    Args:
        realm: The world as it is at `now`.
        approach: The messages, sent at `now` or later, (n,).
        now: Nothing from this moment on is used.
        economics: Prices of sending.
    """
    who, channel, season = approach.customer, approach.channel, approach.season
    load = load_at(realm, who, approach.sent_at)
    response = respond(approach, load=load, people=realm.people, scenario=realm.scenario)
    p_arrive = reaches(realm, approach) * (1.0 - P_BOUNCE[channel])
    moods = moods_ahead(
        realm.life.mood[who],
        customer=who,
        steps=day_of(approach.sent_at) - realm.day,
        temper=realm.people.temper,
    )
    there = p_arrive * moods.sum(axis=1)
    stays = realm.life.unsubscribed_at[who, channel] == NEVER
    p_lost = p_lost_ahead(realm.people)[who]
    at_stake = p_arrive * response.p_seen * realm.worth.lost[who] * (p_lost[:, 1] - p_lost[:, 0])
    send_cents = np.array([economics.send_cost_cents(c) for c in CHANNELS])
    leaves = there * response.p_seen * response.p_unsubscribe * stays
    return TrueValue(
        send_cost=-send_cents[channel],
        gain=there * response.p_seen * _gain(realm, approach, response, now=now),
        kept=at_stake * moods[:, 1] * np.where(approach.case == NO_CASE, 0.0, response.save),
        irritated=-at_stake * moods[:, 0] * response.p_irritate,
        unsubscribed=-leaves * realm.worth.channel[season, who, channel],
        worn=-there * realm.worth.patience[season, who],
    )


def value_notices(
    realm: Realm, approach: Approach, *, notice: Ints, now: int, economics: Economics
) -> Floats:
    """Cents of each message after those above it in its notice, (n,); a notice's add up.

    Two messages about one case at one moment prevent one call, and win a customer back once: each
    gains what those above it have left. That is taken for independent of them given that there is
    something to gain, which overrates the later ones a little where a call may come very soon.

    Args:
        realm: As of `value_messages`.
        approach: As of `value_messages`.
        notice: Number of the notice that each message belongs to, (n,).
        now: As of `value_messages`.
        economics: As of `value_messages`.
    """
    alone = value_messages(realm, approach, now=now, economics=economics)
    response, p_seen = _meet(realm, approach)
    won = p_seen * _p_won(realm, approach, response, now=now)
    stake = _p_stake(realm, approach, now=now)
    share = np.divide(won, stake, out=np.zeros_like(won), where=stake > 0.0)
    again = alone.gain * (1.0 - _left_by_earlier(share, notice))
    saved = p_seen * np.where(approach.case == NO_CASE, 0.0, response.save)
    again += alone.kept * (1.0 - _left_by_earlier(saved, notice))
    after: Floats = alone.total - again
    return after


def _left_by_earlier(p: Floats, notice: Ints) -> Floats:
    """P(none of the messages above it in its notice did what each does with p), (n,)."""
    none_yet = pd.Series(1.0 - np.clip(p, 0.0, 1.0)).groupby(notice).cumprod()
    left = none_yet.groupby(notice).shift(fill_value=1.0)
    return np.asarray(left, dtype=np.float64)


def find_uplift(realm: Realm, approach: Approach, *, now: int) -> Floats:
    """P(the message prevents a call or brings an order that would not have come), (n,).

    The effect of each message, were it alone, on what happens about its own case.
    """
    who = approach.customer
    response, p_seen = _meet(realm, approach)
    moods = moods_ahead(
        realm.life.mood[who],
        customer=who,
        steps=day_of(approach.sent_at) - realm.day,
        temper=realm.people.temper,
    )
    uplift: Floats = moods.sum(axis=1) * p_seen * _p_won(realm, approach, response, now=now)
    return uplift


def _meet(realm: Realm, approach: Approach) -> tuple[Response, Floats]:
    """How customers respond, and P(each message arrives and is seen) by who is still there."""
    load = load_at(realm, approach.customer, approach.sent_at)
    response = respond(approach, load=load, people=realm.people, scenario=realm.scenario)
    p_arrive = reaches(realm, approach) * (1.0 - P_BOUNCE[approach.channel])
    p_seen: Floats = p_arrive * response.p_seen
    return response, p_seen


def _p_stake(realm: Realm, approach: Approach, *, now: int) -> Floats:
    """P(there is a call to prevent, or an order that needs a message, and it is open), (n,)."""
    row = np.maximum(approach.case, 0)
    p_event = realm.cases.p_event[row]
    of_kind = np.where(IS_SERVICE[approach.trigger], p_event, 1.0 - p_event)
    stake: Floats = of_kind / realm.cases.p_undecided(row, now=now)
    return stake


def _gain(realm: Realm, approach: Approach, response: Response, *, now: int) -> Floats:
    """Cents gained when the message is seen by a customer who is still there, (n,)."""
    cases, worth = realm.cases, realm.worth
    amount = cases.amount_cents[np.maximum(approach.case, 0)]
    order = worth.margin_share * amount - worth.order_support[approach.customer]
    stake = np.where(IS_SERVICE[approach.trigger], worth.support_call, order)
    gain: Floats = stake * _p_won(realm, approach, response, now=now)
    return gain


def _p_won(realm: Realm, approach: Approach, response: Response, *, now: int) -> Floats:
    """P(the message has its effect, when seen by a customer who is still there), (n,)."""
    cases = realm.cases
    row = np.maximum(approach.case, 0)
    service = IS_SERVICE[approach.trigger]
    speed = SPEED[approach.channel]
    undecided = cases.p_undecided(row, now=now)
    before_call = reads_in_time(
        sooner=hours_between(approach.sent_at, cases.onset_at[row]),
        rate=cases.rate[row],
        speed=speed,
    )
    p_call = cases.p_event[row] * before_call / undecided
    fade = reads_in_time(
        sooner=hours_between(approach.sent_at, cases.opened_at[row]),
        rate=1.0 / FADE_HOURS[approach.trigger],
        speed=speed,
    )
    p_needs_it = (1.0 - cases.p_event[row]) / undecided
    won = response.power * np.where(service, p_call, fade * p_needs_it)
    idle = (approach.case == NO_CASE) | cases.won[row] | (cases.happens_at[row] < now)
    return np.where(idle, 0.0, won)
