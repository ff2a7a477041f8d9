"""The policy of the history: partly random, with the true propensity of everything it sent.

A job runs every six hours over what has become true since the last run. A customer belongs to one
arm for good: `random` (75 %), `rules` (15 %) or `holdout` (10 %, nothing but notices of disruptions,
which go by rules). The random arm sends with probability .85, then picks each of these evenly:

- a channel among those the customer has agreed to and not left;
- an hour among the next 24 (for disruptions and strange logins the next 6) between 9:00 and 21:00
  local time, at any time of day for disruptions;
- a style, `clear` or `warm`; the variant is `{trigger}.{channel}.{style}`.

The propensity is the probability of that channel, hour and style given the arm. No customer gets a
message within 20 hours of another or more than two in seven days.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from features.vocabulary import Arm, Channel, Priority, Trigger
from training.world.cases import NO_CASE
from training.world.clock import DAY, HOUR, NEVER, Flags, Floats, Ints, Micros, hour_of_week
from training.world.luck import Keys
from training.world.places import ZONES
from training.world.realm import INDEX, Realm
from training.world.response import CHANNELS, TRIGGERS
from training.world.tables import ARMS

EVERY_HOURS: Final = 6
STYLES: Final = ("clear", "warm")
P_SEND: Final = 0.85

_ARM_SHARES = {Arm.RANDOM: 0.75, Arm.RULES: 0.15, Arm.HOLDOUT: 0.10}
_ARM_CODES = np.array([ARMS.index(arm) for arm in _ARM_SHARES])
_RANDOM, _RULES, _HOLDOUT = (ARMS.index(arm) for arm in (Arm.RANDOM, Arm.RULES, Arm.HOLDOUT))
_OPEN_FROM, _OPEN_TO = 9, 21
_N_SLOTS = 24
_N_URGENT_SLOTS = 6
_LEAST_GAP = 20 * HOUR
_P_AT_RISK = 0.004  # a run, of those who have been away for long
_AWAY_FACTOR = 2.0
_URGENT = np.array([t in (Trigger.SERVICE_DISRUPTION, Trigger.ACCOUNT_ANOMALY) for t in TRIGGERS])
_CRITICAL = np.array([t is Trigger.SERVICE_DISRUPTION for t in TRIGGERS])

_CONSIDERED = {Trigger.BROWSE_ABANDONMENT: 0.45, Trigger.PRICE_DROP: 0.55, Trigger.ORDER_SHIPPED: 0.7}
# Cases of a mood are hidden from the policy: it guesses who is at risk.
_ACTED_ON = np.array([t not in (Trigger.CHURN_RISK, Trigger.INCIDENT_UPDATE) for t in TRIGGERS])
_P_CONSIDERED = np.array([_CONSIDERED.get(t, 1.0) for t in TRIGGERS])

_RULES_ORDER = {
    Trigger.DELIVERY_DELAY: (Channel.SMS, Channel.PUSH, Channel.EMAIL),
    Trigger.SERVICE_DISRUPTION: (Channel.PUSH, Channel.SMS, Channel.EMAIL),
    Trigger.SUBSCRIPTION_LIMIT: (Channel.IN_APP, Channel.EMAIL),
    Trigger.ACCOUNT_ANOMALY: (Channel.EMAIL, Channel.SMS),
    Trigger.INACTIVITY: (Channel.PUSH, Channel.EMAIL, Channel.SMS),
    Trigger.PRICE_DROP: (Channel.PUSH, Channel.EMAIL, Channel.SMS),
    Trigger.ORDER_SHIPPED: (Channel.SMS, Channel.EMAIL, Channel.PUSH),
}
_RULES_DEFAULT = (Channel.EMAIL, Channel.SMS, Channel.PUSH)
_RULES_DELAY = {Trigger.INACTIVITY: 24.0, Trigger.PRICE_DROP: 1.0}
_RULES_RANK = np.array(
    [
        [order.index(c) if c in order else len(CHANNELS) for c in CHANNELS]
        for order in (_RULES_ORDER.get(t, _RULES_DEFAULT) for t in TRIGGERS)
    ]
)
_RULES_HOURS = np.array(
    [0.0 if t.is_service else _RULES_DELAY.get(t, 2.0) for t in TRIGGERS]
)


@dataclass(frozen=True)
class _Choice:
    """What the policy would send, n rows: positions of everything, and the case each is about."""

    customer: Ints
    trigger: Ints
    channel: Ints
    style: Ints
    sent_at: Micros
    arm: Ints
    propensity: Floats
    case: Ints

    def rows(self, at: Ints) -> "_Choice":
        return _Choice(**{f.name: getattr(self, f.name)[at] for f in fields(self)})


@dataclass(frozen=True)
class _Slots:
    """The hours each message may be sent in, (n, 24) from the next full hour on."""

    first: Micros
    allowed: Flags


class HistoryPolicy:
    """Decides every six hours; remembers whom it wrote to when."""

    def __init__(self, realm: Realm, *, ends_at: int) -> None:
        self._realm = realm
        self._ends_at = ends_at
        self._last_sent = np.full((realm.people.n, 2), -NEVER)
        who = np.arange(realm.people.n)
        luck = realm.luck.uniform(realm.luck.keys(who), purpose="history arm")
        shares = np.cumsum(list(_ARM_SHARES.values()))
        self._arm = _ARM_CODES[np.searchsorted(shares[:-1], luck)]

    def decide(self, now: int) -> _Choice:
        """What is sent about what became true in the last six hours."""
        rows = self._one_each(now)
        cases = self._realm.cases
        who, trigger, case = cases.customer[rows], cases.trigger[rows], rows
        risky = np.setdiff1d(self._at_risk(now), who)
        about = np.full(len(risky), INDEX[Trigger.CHURN_RISK])
        case = np.concatenate([case, self._risk(risky, now)])
        who, trigger = np.concatenate([who, risky]), np.concatenate([trigger, about])
        keys = self._realm.luck.keys(who, trigger, np.full(len(who), now))
        arm = np.where(
            (self._arm[who] == _HOLDOUT) & _CRITICAL[trigger], _RULES, self._arm[who]
        )
        sent = self._choose(who, trigger, arm, case, keys, now)
        return self._spare(sent)

    def _one_each(self, now: int) -> Ints:
        """Rows of the cases to act on: new ones that still stand, one for each customer."""
        cases, luck = self._realm.cases, self._realm.luck
        live = cases.live()
        opened = cases.opened_at[live]
        new = (opened >= now - EVERY_HOURS * HOUR) & (opened < now) & (cases.closes_at[live] > now)
        rows = np.flatnonzero(new) + live.start
        rows = rows[_ACTED_ON[cases.trigger[rows]] & self._realm.life.present[cases.customer[rows]]]
        keys = luck.keys(cases.customer[rows], cases.trigger[rows], cases.opened_at[rows])
        considered = luck.uniform(keys, purpose="consider") < _P_CONSIDERED[cases.trigger[rows]]
        rows, keys = rows[considered], keys[considered]
        order = np.lexsort([luck.uniform(keys, purpose="which"), cases.customer[rows]])
        _, first = np.unique(cases.customer[rows[order]], return_index=True)
        return rows[order[first]]

    def _at_risk(self, now: int) -> Ints:
        """A few of those who have stayed away for longer than they use to: all this policy can see."""
        realm = self._realm
        usual = DAY / realm.people.rhythm.visits_per_day
        away = now - realm.life.last_active_at
        keys = realm.luck.keys(np.arange(realm.people.n), np.full(realm.people.n, now))
        drawn = realm.luck.uniform(keys, purpose="at risk") < _P_AT_RISK
        return np.flatnonzero(drawn & realm.life.present & (away > _AWAY_FACTOR * usual))

    def _risk(self, who: Ints, now: int) -> Ints:
        row = self._realm.life.case[who, INDEX[Trigger.CHURN_RISK]]
        stands = (row != NO_CASE) & (self._realm.cases.closes_at[row] > now)
        return np.where(stands, row, NO_CASE)

    def _choose(
        self, who: Ints, trigger: Ints, arm: Ints, case: Ints, keys: Keys, now: int
    ) -> _Choice:
        slots = self._slots(who, trigger, now)
        identity, life = self._realm.people.identity, self._realm.life
        open_channels = (identity.consent[who] == 1) & (life.unsubscribed_at[who] > now)
        n_ways = open_channels.sum(axis=1) * slots.allowed.sum(axis=1) * len(STYLES)
        by_chance = arm == _RANDOM
        channel = np.where(
            by_chance, self._pick(open_channels, keys, "channel"), _by_rule(open_channels, trigger)
        )
        soonest = np.arange(_N_SLOTS) + 1 >= _RULES_HOURS[trigger, None]
        slot = np.where(
            by_chance,
            self._pick(slots.allowed, keys, "slot"),
            (slots.allowed & soonest).argmax(axis=1),
        )
        luck = self._realm.luck
        style = (luck.uniform(keys, purpose="style") * len(STYLES)).astype(np.int64)
        sends = luck.uniform(keys, purpose="send") < np.where(by_chance, P_SEND, 1.0)
        sends &= (n_ways > 0) & (channel >= 0) & (arm != _HOLDOUT)
        choice = _Choice(
            customer=who,
            trigger=trigger,
            channel=channel,
            style=np.where(by_chance, style, 0),
            sent_at=slots.first + slot * HOUR,
            arm=arm,
            propensity=np.where(by_chance, P_SEND / np.maximum(n_ways, 1), 1.0),
            case=case,
        )
        return choice.rows(np.flatnonzero(sends))

    def _slots(self, who: Ints, trigger: Ints, now: int) -> _Slots:
        first = np.full(len(who), now - now % HOUR + HOUR)
        hours = first[:, None] + np.arange(_N_SLOTS) * HOUR
        zone = np.repeat(self._realm.people.identity.zone[who], _N_SLOTS)
        local = hour_of_week(hours.ravel(), zone=zone, zones=ZONES).reshape(hours.shape) % 24
        day_time = (local >= _OPEN_FROM) & (local < _OPEN_TO)
        soon = np.arange(_N_SLOTS) < np.where(_URGENT[trigger], _N_URGENT_SLOTS, _N_SLOTS)[:, None]
        return _Slots(first, (day_time | _CRITICAL[trigger][:, None]) & soon)

    def _pick(self, allowed: Flags, keys: Keys, purpose: str) -> Ints:
        """An allowed column of each row, evenly; -1 where none is."""
        counts = allowed.sum(axis=1)
        nth = (self._realm.luck.uniform(keys, purpose=purpose) * counts).astype(np.int64)
        column = (np.cumsum(allowed, axis=1) > nth[:, None]).argmax(axis=1)
        return np.where(counts > 0, column, -1)

    def _spare(self, choice: _Choice) -> _Choice:
        """Leave out whom the last messages are too close to, and what would outlast the history."""
        last = self._last_sent[sent.customer]
        fits = (np.abs(sent.sent_at - last[:, 0]) >= _LEAST_GAP) & (
            sent.sent_at - last[:, 1] >= 7 * DAY
        )
        sent = _rows(sent, np.flatnonzero(fits & (sent.sent_at < self._ends_at)))
        self._last_sent[sent.customer, 1] = self._last_sent[sent.customer, 0]
        self._last_sent[sent.customer, 0] = sent.sent_at
        return sent


def first_by_rule(trigger: Ints, channel: Ints) -> Ints:
    """Rank of the channels in the rules' order for their triggers; `len(CHANNELS)`: never used."""
    rank: Ints = _RULES_RANK[trigger, channel]
    return rank


def rule_hours(trigger: Ints) -> Floats:
    """Hours that the rules wait with each trigger's message."""
    hours: Floats = _RULES_HOURS[trigger]
    return hours


def _by_rule(open_channels: Flags, trigger: Ints) -> Ints:
    """The first open channel in the trigger's order; -1 where none is."""
    rank = np.where(open_channels, _RULES_RANK[trigger], len(CHANNELS))
    return np.where(rank.min(axis=1) < len(CHANNELS), rank.argmin(axis=1), -1)
