"""Daily life: who comes when, signs in from where, and uses what.

At most one visit per customer and day, at an hour drawn from the customer's own week in local time.
A dissatisfied customer comes less and less; one who has left does not come at all.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.vocabulary import Trigger
from training.world.clock import (
    DAY,
    HOUR,
    NEVER,
    SECOND,
    Flags,
    Floats,
    Ints,
    Micros,
    day_start,
    hour_of_week,
    month_end,
)
from training.world.life.rates import p_call
from training.world.life.realm import Realm
from training.world.people.moods import DISSATISFIED
from training.world.people.places import CITIES, FEATURES, N_ITEMS, PLAN_LIMITS, REGIONS, ZONES
from training.world.people.population import Population

N_DRAWS: Final = 9
LIMIT_SHARE: Final = 0.8

DECLINE_DAYS: Final = 12.0
LEAST_SHARE: Final = 0.15
MOST_P_VISIT: Final = 0.95
SESSION_MINUTES: Final = 9.0
SESSION_SPREAD: Final = 1.4
_P_LOGIN = 0.6
_P_ELSEWHERE = 0.006
_P_FEATURE = 0.5
_P_UPGRADE = 0.15
_P_UPSELL_SHOWN = 0.15
_ANOMALY_HOURS = 48
_LIMITS = np.array(PLAN_LIMITS)


@dataclass(frozen=True)
class Visits:
    """The visits of one day.

    Attributes:
        day: The day.
        customer: Positions, sorted, (m,).
        at: Begin, (m,).
        luck: Uniform numbers for what is done on the visit, (N_DRAWS, m).
    """

    day: int
    customer: Ints
    at: Micros
    luck: Floats


def come(realm: Realm, day: int) -> Visits:
    """Who comes on that day, and when."""
    people, life = realm.people, realm.life
    draws = realm.luck.of_day(day, subject="visits").random((3 + N_DRAWS, people.n))
    open_hours = hours_of_day(people, day)
    usual = people.rhythm.visits_per_day * 7.0 * open_hours.sum(axis=1)
    p_visit = np.minimum(usual * eagerness(realm, day), MOST_P_VISIT)
    who = np.flatnonzero((draws[0] < p_visit) & life.present)
    until_hour = np.cumsum(open_hours[who], axis=1)
    hour = (draws[1, who, None] * until_hour[:, -1:] > until_hour[:, :-1]).sum(axis=1)
    second = (draws[2, who] * 3_600).astype(np.int64)
    return Visits(day, who, day_start(day) + hour * HOUR + second * SECOND, draws[3:, who])


def eagerness(realm: Realm, day: int) -> Floats:
    """Share of their usual visits that customers make: all while content, fewer and fewer else."""
    since = day - realm.life.turned_on
    return np.where(realm.life.mood == DISSATISFIED, decline(since), 1.0)


def decline(since_days: Ints) -> Floats:
    """Share of their usual visits that customers make so many days after turning dissatisfied."""
    declined: Floats = np.maximum(np.exp(-since_days / DECLINE_DAYS), LEAST_SHARE)
    return declined


def keenness(eager: Floats) -> Floats:
    """How long sessions are, as a share of the usual, of customers who are so eager to come."""
    return 0.5 + 0.5 * eager


def sign_in(realm: Realm, visits: Visits) -> None:
    """Logins, some from a city the customer has never been seen in."""
    chance, where, far, *luck = visits.luck[:5]
    logs_in = chance < _P_LOGIN
    who, at = visits.customer[logs_in], visits.at[logs_in]
    home = realm.people.identity.region[who]
    away = len(REGIONS) + (where[logs_in] * (len(CITIES) - len(REGIONS))).astype(np.int64)
    elsewhere = far[logs_in] < _P_ELSEWHERE * realm.scenario.traffic
    city = np.where(elsewhere, away, home)
    bit = np.int64(1) << city
    seen = realm.life.cities[who]
    is_new = (seen != 0) & (seen & bit == 0)
    realm.life.cities[who] = seen | bit
    realm.record("login", who, at, location=city)
    realm.open_case(
        Trigger.ACCOUNT_ANOMALY,
        customer=who[is_new],
        at=at[is_new],
        closes_at=at[is_new] + _ANOMALY_HOURS * HOUR,
        p_event=p_call(Trigger.ACCOUNT_ANOMALY, calls=realm.people.temper.calls[who[is_new]]),
        luck=np.array(luck)[:, logs_in][:, is_new],
    )


def use(realm: Realm, visits: Visits) -> None:
    """Sessions, features, steps of onboarding, and units of the plan used up."""
    who, at, life = visits.customer, visits.at, realm.life
    length, feature, which, units = visits.luck[5:9]
    keen = keenness(eagerness(realm, visits.day)[who])
    minutes = np.round(SESSION_MINUTES * np.exp(SESSION_SPREAD * (length - 0.5)) * keen, 1)
    realm.record("session", who, at + 20 * SECOND, value=minutes)
    uses = feature < _P_FEATURE
    picked = N_ITEMS + (which[uses] ** 1.5 * len(FEATURES)).astype(np.int64)
    realm.record("feature_use", who[uses], at[uses] + 90 * SECOND, item=picked)
    learns = life.onboarded[who] < 1.0
    step = np.minimum(life.onboarded[who[learns]] + 0.25, 1.0)
    life.onboarded[who[learns]] = step
    realm.record("onboarding_step", who[learns], at[learns] + 150 * SECOND, value=step)
    _use_up(realm, who, at + 300 * SECOND, units=units, day=visits.day)
    realm.be_active(who, at + 90 * SECOND)


def fall_silent(realm: Realm, day: int) -> None:
    """Open the cases of customers who complete seven days without activity on that day."""
    life = realm.life
    due = life.last_active_at + 7 * DAY
    start = day_start(day)
    silent = np.flatnonzero(life.present & (due >= start) & (due < start + DAY))
    price = realm.market.mean_price_cents(realm.people, customer=silent)
    realm.open_case(
        Trigger.INACTIVITY,
        customer=silent,
        at=due[silent],
        closes_at=NEVER,
        amount_cents=np.round(price).astype(np.int64),
    )


def hours_of_day(people: Population, day: int) -> Floats:
    """Weight of each UTC hour of the day, (n, 24), from the customers' weeks in local time."""
    n_zones = len(ZONES)
    hours = np.tile(day_start(day) + np.arange(24) * HOUR, n_zones)
    local = hour_of_week(hours, zone=np.repeat(np.arange(n_zones), 24), zones=ZONES)
    week, zone = people.rhythm.week, people.identity.zone
    weights = np.take_along_axis(week, local.reshape(n_zones, 24)[zone], axis=1)
    return weights.astype(np.float64)


def _use_up(realm: Realm, who: Ints, at: Micros, *, units: Floats, day: int) -> None:
    """Use units; who passes 80 % of the limit has a case, who reaches it may take a bigger plan."""
    people, life = realm.people, realm.life
    metered = ~np.isnan(_LIMITS[life.plan[who]])
    who, at, units = who[metered], at[metered], units[metered]
    a_month = people.account.usage_ratio[who] * _LIMITS[people.account.plan[who]]
    a_visit = a_month / (30.0 * people.rhythm.visits_per_day[who])
    before = life.used[who]
    used = np.round(before + a_visit * (0.4 + 1.2 * units), 1)
    life.used[who] = used
    realm.facts.add("usage", customer_id=who, at=at, used=used)
    limit = _LIMITS[life.plan[who]]
    near = (before <= LIMIT_SHARE * limit) & (used > LIMIT_SHARE * limit) & (used < limit)
    near &= ~life.upsell_shown[who]
    full = (before < limit) & (used >= limit)
    realm.close_case(Trigger.SUBSCRIPTION_LIMIT, who[full], at[full])
    luck = realm.luck.of_day(day, subject="limit").random((3, people.n))[:, who]
    realm.open_case(
        Trigger.SUBSCRIPTION_LIMIT,
        customer=who[near],
        at=at[near],
        closes_at=month_end(day),
        p_event=p_call(Trigger.SUBSCRIPTION_LIMIT, calls=people.temper.calls[who[near]]),
        luck=luck[:2, near],
    )
    _offer_more(realm, who[near | full], at[near | full], full[near | full], luck[2, near | full])


def _offer_more(realm: Realm, who: Ints, at: Micros, full: Flags, luck: Floats) -> None:
    """Some see the product's own offer near the limit, some take a bigger plan on reaching it."""
    life = realm.life
    changes = luck < np.where(full, _P_UPGRADE, _P_UPSELL_SHOWN)
    changes &= life.change_at[who] == NEVER
    life.change_at[who[changes]] = at[changes] + HOUR
    life.upgrades[who[changes]] = full[changes]
