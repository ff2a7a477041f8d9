"""The truth about channels that stays the same: for scoring a choice of channels only.

What varies (mood, load, the hour, how old a case is) enters with its mean: a customer is
dissatisfied as often as in the long run (always, where the trigger is the risk itself), carries the
load of one message, is written to in a mean hour between 9:00 and 21:00 local time, six hours after
the case began, about the customer's mean order (as far as such cases are about one), by the average
variant. The rest is the formula of `training.world.truth`. So it is the most that a choice can know
that knows everything about customer and trigger but nothing of the moment.
"""

import numpy as np

from features.economics import Economics
from features.vocabulary import Trigger
from training.world.clock import Floats, Ints
from training.world.codes import CHANNELS, INDEX, TRIGGERS
from training.world.life.rates import EVENT_RATE, P_EVENT, p_call
from training.world.life.realm import Realm
from training.world.mail.response import (
    FADE_HOURS,
    IS_SERVICE,
    P_BOUNCE,
    SPEED,
    Approach,
    mean_seen,
    reads_in_time,
    respond,
    week_openness,
)
from training.world.people.moods import p_lost_ahead
from training.world.people.population import N_TASTES

_AGE_HOURS = 6.0
_HOUR_OF_DAY = np.arange(168) % 24
_BY_DAY = (_HOUR_OF_DAY >= 9) & (_HOUR_OF_DAY < 21)
_SOME_CASE = 0
"""Any row but NO_CASE: the message is about something true."""


def value_channels(realm: Realm, who: Ints, trigger: Ints, *, economics: Economics) -> Floats:
    """Expected cents of a message on every channel, (n, channels), by what stays the same.

    Args:
        realm: The world.
        who: Positions of the customers, (n,).
        trigger: Positions of the triggers, (n,).
        economics: Prices of sending.
    """
    columns = [
        _value(realm, who, trigger, channel=channel) - economics.send_cost_cents(CHANNELS[channel])
        for channel in range(len(CHANNELS))
    ]
    return np.column_stack(columns)


def _value(realm: Realm, who: Ints, trigger: Ints, *, channel: int) -> Floats:
    """Cents but for the cost of sending, (n,)."""
    people, worth = realm.people, realm.worth
    approach = Approach(
        customer=who,
        trigger=trigger,
        channel=np.full(len(who), channel),
        sent_at=np.zeros(len(who), dtype=np.int64),
        wording=np.zeros((len(who), 1 + N_TASTES)),
        season=np.zeros(len(who), dtype=np.int64),
        case=np.full(len(who), _SOME_CASE),
    )
    response = respond(approach, load=np.ones(len(who)), people=people, scenario=realm.scenario)
    by_day = week_openness(people.rhythm.week[who], channel=channel)[:, _BY_DAY].mean(axis=1)
    p_seen = mean_seen(people, season=0)[who, trigger, channel] * by_day
    p_dissatisfied = np.where(
        trigger == INDEX[Trigger.CHURN_RISK], 1.0, _dissatisfied_in_the_long_run(realm)[who]
    )
    p_lost = p_lost_ahead(people)[who]
    at_stake = worth.lost[who] * (p_lost[:, 1] - p_lost[:, 0])
    won = response.save * p_dissatisfied - response.p_irritate * (1.0 - p_dissatisfied)
    per_reader = (
        _gain(realm, who, trigger, channel=channel) * response.power
        - response.p_unsubscribe * worth.channel[0, who, channel]
        + at_stake * won
    )
    value: Floats = (1.0 - P_BOUNCE[channel]) * (p_seen * per_reader - worth.patience[0, who])
    return value


def _gain(realm: Realm, who: Ints, trigger: Ints, *, channel: int) -> Floats:
    """Cents gained when a message with full power is seen, (n,)."""
    people, worth = realm.people, realm.worth
    service = IS_SERVICE[trigger]
    calls = np.zeros(len(who))
    for at in np.unique(trigger[service]):
        rows = trigger == at
        calls[rows] = p_call(TRIGGERS[at], calls=people.temper.calls[who[rows]])
    price = realm.market.mean_price_cents(people, customer=who) * _relative_amounts(realm)[trigger]
    order = worth.margin_share * price - worth.order_support[who]
    in_time = reads_in_time(
        sooner=np.full(len(who), -_AGE_HOURS),
        rate=np.where(service, EVENT_RATE[trigger], 1.0 / FADE_HOURS[trigger]),
        speed=np.full(len(who), SPEED[channel]),
    )
    stake = np.where(service, worth.support_call * calls, order * (1.0 - P_EVENT[trigger]))
    gain: Floats = stake * in_time
    return gain


def _relative_amounts(realm: Realm) -> Floats:
    """Mean amount of a trigger's cases over their customers' mean order, (triggers,)."""
    cases = realm.cases
    rows = np.arange(cases.n)
    everyone = np.arange(realm.people.n)
    mean_order = realm.market.mean_price_cents(realm.people, customer=everyone)
    relative = cases.amount_cents[rows] / mean_order[cases.customer[rows]]
    total = np.bincount(cases.trigger[rows], relative, minlength=len(TRIGGERS))
    n = np.bincount(cases.trigger[rows], minlength=len(TRIGGERS))
    amounts: Floats = total / np.maximum(n, 1)
    return amounts


def _dissatisfied_in_the_long_run(realm: Realm) -> Floats:
    temper = realm.people.temper
    share: Floats = temper.p_turn / (temper.p_turn + temper.p_recover + temper.p_lose)
    return share
