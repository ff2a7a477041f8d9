"""The policy of the history: partly random, with the true propensity of everything it sent.

A job runs every six hours over what has become true since the last run, at most one case of each
customer. A customer belongs to one arm for good: `random` (75 %), `rules` (15 %) or `holdout`
(10 %: nothing but notices of disruptions, which go by the rules). The random arm sends with
probability .85 and then picks each of these evenly:

- a channel among those the customer has agreed to and not left;
- an hour among the next 24 (of disruptions and strange logins: the next 6) that begins between 9:00
  and 21:00 local time, for disruptions at any time of day;
- a style, `clear` or `warm`; the variant is `{trigger}.{channel}.{style}`.

The propensity is the probability of that channel, hour and style, given the arm and the case. No
message comes within 20 hours of the customer's last one or as a third in seven days: an hour that
would is not moved, the message is left out.

`decisions` holds every occasion, those on which nothing was sent included, with the probability of
each channel. Whoever asks what a message brings needs them: `messages` does not
tell whom chance left alone.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pandas as pd

from features.economics import default_economics
from features.vocabulary import Arm, Trigger
from training.world.clock import DAY, HOUR, NEVER, Flags, Floats, Ints, Micros, hour_of_week
from training.world.codes import ARMS, CHANNELS, INDEX, TRIGGERS
from training.world.life.cases import NO_CASE
from training.world.life.realm import Realm
from training.world.luck import Keys
from training.world.mail.outbox import Imprint, Mail, write_mail
from training.world.mail.response import Approach, wordings_of
from training.world.mail.rules import RULE_HOURS, RULE_RANK
from training.world.people.places import ZONES

EVERY_HOURS: Final = 6
STYLES: Final = ("clear", "warm")
P_SEND: Final = 0.85
ARM_SHARES: Final = {Arm.RANDOM: 0.75, Arm.RULES: 0.15, Arm.HOLDOUT: 0.10}

_RANDOM, _RULES, _HOLDOUT = (ARMS.index(arm) for arm in ARM_SHARES)
_VARIANTS = np.array(
    [f"{t}.{c}.{s}" for t in TRIGGERS for c in CHANNELS for s in STYLES], dtype=object
)
_OPEN_FROM, _OPEN_TO = 9, 21
_N_SLOTS = 24
_N_URGENT_SLOTS = 6
_LEAST_GAP = 20 * HOUR
_P_AT_RISK = 0.004  # a run, of those who have been away for long
_AWAY_FACTOR = 2.0
_URGENT = np.array([t in (Trigger.SERVICE_DISRUPTION, Trigger.ACCOUNT_ANOMALY) for t in TRIGGERS])
_CRITICAL = np.array([t is Trigger.SERVICE_DISRUPTION for t in TRIGGERS])
# Moods are hidden from the policy: it guesses who is at risk.
_ACTED_ON = np.array([t not in (Trigger.CHURN_RISK, Trigger.INCIDENT_UPDATE) for t in TRIGGERS])
_CONSIDERED = {
    Trigger.BROWSE_ABANDONMENT: 0.45,
    Trigger.PRICE_DROP: 0.55,
    Trigger.ORDER_SHIPPED: 0.7,
}
_P_CONSIDERED = np.array([_CONSIDERED.get(t, 1.0) for t in TRIGGERS])


@dataclass(frozen=True)
class _Occasion:
    """Whom one could write to about what, n rows; case is NO_CASE where nothing is true."""

    customer: Ints
    trigger: Ints
    case: Ints
    arm: Ints
    keys: Keys


@dataclass(frozen=True)
class _Ways:
    """What one could do on each occasion, n rows: open channels, and hours from `first` on."""

    channels: Flags
    slots: Flags
    first: Micros

    @property
    def soon(self) -> Flags:
        """The hours of the next day, (n, 24)."""
        return self.slots[:, :_N_SLOTS]


@dataclass(frozen=True)
class _Choice:
    """What is sent, n rows; `occasion` is the row of the occasion it answers."""

    customer: Ints
    trigger: Ints
    case: Ints
    arm: Ints
    channel: Ints
    style: Ints
    sent_at: Micros
    propensity: Floats
    occasion: Ints

    def rows(self, kept: Flags) -> "_Choice":
        return _Choice(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})


class HistoryPolicy:
    """Decides every six hours until the history ends; remembers whom it wrote to when."""

    def __init__(self, realm: Realm, *, ends_at: int) -> None:
        self._realm = realm
        self._ends_at = ends_at
        self._n_sent = 0
        self._n_left = 0
        self._last_sent = np.full((realm.people.n, 2), -NEVER)
        luck = realm.luck.uniform(realm.luck.keys(np.arange(realm.people.n)), purpose="history arm")
        bounds = np.cumsum(list(ARM_SHARES.values()))[:-1]
        self._arm = np.array([_RANDOM, _RULES, _HOLDOUT])[np.searchsorted(bounds, luck)]

    def decide(self, now: int) -> Mail:
        """Decide about what became true in the last six hours; the messages, noted in the facts."""
        occasion = self._find_occasions(now)
        ways = self._find_ways(occasion, now)
        choice = self._choose(occasion, ways)
        choice = choice.rows(self._fits(choice.customer, choice.sent_at))
        ids = [f"h{number:08d}" for number in range(self._n_sent, self._n_sent + len(choice.arm))]
        self._log(occasion, ways, choice, ids=ids, now=now)
        self._last_sent[choice.customer, 1] = self._last_sent[choice.customer, 0]
        self._last_sent[choice.customer, 0] = choice.sent_at
        return self._write(choice, ids)

    def _fits(self, customer: Ints, sent_at: Micros) -> Flags:
        """Whether messages at these moments come late enough after the customer's last ones."""
        last = self._last_sent[customer]
        fits: Flags = np.abs(sent_at - last[:, 0]) >= _LEAST_GAP
        fits &= sent_at - last[:, 1] >= 7 * DAY
        return fits & (sent_at < self._ends_at)

    def _find_occasions(self, now: int) -> _Occasion:
        cases = self._realm.cases
        new = self._new_cases(now)
        risky = np.setdiff1d(self._at_risk(now), cases.customer[new])
        risk = self._realm.life.case[risky, INDEX[Trigger.CHURN_RISK]]
        stands = (risk != NO_CASE) & (cases.closes_at[risk] > now)
        customer = np.concatenate([cases.customer[new], risky])
        about_risk = np.full(len(risky), INDEX[Trigger.CHURN_RISK])
        trigger = np.concatenate([cases.trigger[new], about_risk])
        own = self._arm[customer]
        return _Occasion(
            customer=customer,
            trigger=trigger,
            case=np.concatenate([new, np.where(stands, risk, NO_CASE)]),
            arm=np.where((own == _HOLDOUT) & _CRITICAL[trigger], _RULES, own),
            keys=self._realm.luck.keys(customer, trigger, np.full(len(customer), now)),
        )

    def _new_cases(self, now: int) -> Ints:
        """Rows of the cases to act on: new ones that still stand, one of each customer."""
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
        one_each: Ints = rows[order[first]]
        return one_each

    def _at_risk(self, now: int) -> Ints:
        """A few of those who stay away longer than they use to: all that this policy can see."""
        realm = self._realm
        usual = DAY / realm.people.rhythm.visits_per_day
        away = now - realm.life.last_active_at > _AWAY_FACTOR * usual
        keys = realm.luck.keys(np.arange(realm.people.n), np.full(realm.people.n, now))
        drawn = realm.luck.uniform(keys, purpose="at risk") < _P_AT_RISK
        return np.flatnonzero(drawn & away & realm.life.present)

    def _find_ways(self, occasion: _Occasion, now: int) -> _Ways:
        who = occasion.customer
        consent = self._realm.people.identity.consent[who] == 1
        first = np.full(len(who), now - now % HOUR + HOUR)
        return _Ways(
            channels=consent & (self._realm.life.unsubscribed_at[who] > now),
            slots=self._allowed_slots(occasion, first),
            first=first,
        )

    def _choose(self, occasion: _Occasion, ways: _Ways) -> _Choice:
        luck, keys = self._realm.luck, occasion.keys
        who, trigger = occasion.customer, occasion.trigger
        channels, soon = ways.channels, ways.soon
        n_ways = channels.sum(axis=1) * soon.sum(axis=1) * len(STYLES)
        rank = np.where(channels, RULE_RANK[trigger], len(CHANNELS))
        by_rule = np.where(rank.min(axis=1) < len(CHANNELS), rank.argmin(axis=1), -1)
        waited = ways.slots & (np.arange(2 * _N_SLOTS) + 1 >= RULE_HOURS[trigger, None])
        by_chance = occasion.arm == _RANDOM
        channel = np.where(by_chance, self._pick(channels, keys, "channel"), by_rule)
        slot = np.where(by_chance, self._pick(soon, keys, "slot"), waited.argmax(axis=1))
        style = (luck.uniform(keys, purpose="style") * len(STYLES)).astype(np.int64)
        sends = luck.uniform(keys, purpose="send") < np.where(by_chance, P_SEND, 1.0)
        choice = _Choice(
            customer=who,
            trigger=trigger,
            case=occasion.case,
            arm=occasion.arm,
            channel=channel,
            style=np.where(by_chance, style, 0),
            sent_at=ways.first + slot * HOUR,
            propensity=np.where(by_chance, P_SEND / np.maximum(n_ways, 1), 1.0),
            occasion=np.arange(len(who)),
        )
        return choice.rows(sends & (n_ways > 0) & (channel >= 0) & (occasion.arm != _HOLDOUT))

    def _log(
        self, occasion: _Occasion, ways: _Ways, choice: _Choice, *, ids: list[str], now: int
    ) -> None:
        """Note every decision, those not to write included, with what chance could have done.

        An hour that comes too soon after another message counts as no message.
        """
        n = len(occasion.customer)
        channel, names = np.full(n, -1), [f"q{self._n_left + at:08d}" for at in range(n)]
        self._n_left += n
        for at, name in zip(choice.occasion.tolist(), ids, strict=True):
            names[at] = name
        channel[choice.occasion] = choice.channel
        moments = ways.first[:, None] + np.arange(_N_SLOTS) * HOUR
        who = np.repeat(occasion.customer, _N_SLOTS)
        in_time = ways.soon & self._fits(who, moments.ravel()).reshape(moments.shape)
        p_send = P_SEND * in_time.sum(axis=1) / np.maximum(ways.soon.sum(axis=1), 1)
        each = p_send / np.maximum(ways.channels.sum(axis=1), 1)
        by_chance = (occasion.arm == _RANDOM)[:, None]
        taken = channel[:, None] == np.arange(len(CHANNELS))
        p = np.where(by_chance, ways.channels * each[:, None], taken)
        self._realm.facts.add(
            "decisions",
            decision_id=self._realm.facts.number_decisions(names),
            customer_id=occasion.customer,
            trigger=occasion.trigger,
            decided_at=np.full(n, now),
            arm=occasion.arm,
            channel=channel,
            **{f"p_{name}": p[:, at] for at, name in enumerate(CHANNELS)},
        )

    def _allowed_slots(self, occasion: _Occasion, first: Micros) -> Flags:
        """Which of the 48 hours from `first` on a message may be sent in, (n, 48)."""
        hours = first[:, None] + np.arange(2 * _N_SLOTS) * HOUR
        zone = np.repeat(self._realm.people.identity.zone[occasion.customer], 2 * _N_SLOTS)
        local = hour_of_week(hours.ravel(), zone=zone, zones=ZONES).reshape(hours.shape) % 24
        awake = (local >= _OPEN_FROM) & (local < _OPEN_TO)
        n_slots = np.where(_URGENT[occasion.trigger], _N_URGENT_SLOTS, 2 * _N_SLOTS)
        in_time = np.arange(2 * _N_SLOTS) < n_slots[:, None]
        any_hour: Flags = _CRITICAL[occasion.trigger, None]
        return (awake | any_hour) & in_time

    def _pick(self, allowed: Flags, keys: Keys, purpose: str) -> Ints:
        """An allowed column of each row, evenly; -1 where none is."""
        counts = allowed.sum(axis=1)
        nth = (self._realm.luck.uniform(keys, purpose=purpose) * counts).astype(np.int64)
        column = (np.cumsum(allowed, axis=1) > nth[:, None]).argmax(axis=1)
        return np.where(counts > 0, column, -1)

    def _write(self, choice: _Choice, decision_ids: list[str]) -> Mail:
        n = len(choice.customer)
        numbers = range(self._n_sent, self._n_sent + n)
        self._n_sent += n
        way = (choice.trigger * len(CHANNELS) + choice.channel) * len(STYLES) + choice.style
        variants = pd.Series(_VARIANTS[way])
        season = np.zeros(n, dtype=np.int64)
        approach = Approach(
            customer=choice.customer,
            trigger=choice.trigger,
            channel=choice.channel,
            sent_at=choice.sent_at,
            wording=wordings_of(variants, season=season, seed=self._realm.luck.seed),
            season=season,
            case=choice.case,
        )
        costs = np.array([default_economics().send_cost_cents(c) for c in CHANNELS])
        imprint = Imprint(
            message_ids=[f"m{number:08d}" for number in numbers],
            decision_ids=decision_ids,
            variants=variants,
            case_keys=pd.Series([None] * n, dtype="str"),
            arm=choice.arm,
            propensity=choice.propensity,
            cost_cents=costs[choice.channel],
        )
        return write_mail(self._realm.facts, approach, imprint)
