"""Messages on their way and what comes of them.

Every draw is a stable hash of customer, trigger, channel and moment (see `luck`): it matters not
when a message was handed over or what else was sent, except for what the customer really went
through: the load of earlier messages, channels left, moods.
"""

from dataclasses import dataclass

import numpy as np

from features.vocabulary import Channel, Outcome, Trigger
from training.world.clock import (
    HOUR,
    NEVER,
    SECOND,
    Flags,
    Floats,
    Ints,
    Micros,
    after,
    hours_between,
)
from training.world.codes import CHANNELS, INDEX, OUTCOMES
from training.world.life.accounts import recover, turn
from training.world.life.cases import NO_CASE
from training.world.life.realm import Realm
from training.world.luck import Keys
from training.world.mail.outbox import Mail
from training.world.mail.response import (
    DELAY_HOURS,
    DELAY_SHARES,
    FADE_HOURS,
    IS_SERVICE,
    OPENED_SHARE,
    P_BOUNCE,
    SPEED,
    Approach,
    respond,
)
from training.world.people.moods import CONTENT, DISSATISFIED

_EMAIL = CHANNELS.index(Channel.EMAIL)
_P_CLICK = 0.12
_P_COMPLAINS = 0.12  # of those who unsubscribe
_HOURS_TO_BUY = 2.0


def reaches(realm: Realm, approach: Approach) -> Flags:
    """Whether the channel is open: consent given, and not left before the message is sent."""
    who, channel = approach.customer, approach.channel
    left_at = realm.life.unsubscribed_at[who, channel]
    agreed: Flags = realm.people.identity.consent[who, channel] == 1
    return agreed & (left_at > approach.sent_at)


def load_at(realm: Realm, customer: Ints, at: Micros) -> Floats:
    """What remains at these moments of the load of the messages that arrived before."""
    life = realm.life
    since = hours_between(life.loaded_at[customer], at)
    recovery = realm.people.temper.recovery_hours[customer]
    load: Floats = life.load[customer] * np.exp(-np.maximum(since, 0.0) / recovery)
    return load


def receive(realm: Realm, mail: Mail) -> None:
    """Let customers meet these messages, one at most for each, all sent on the realm's day."""
    approach = mail.approach
    who, sent_at = approach.customer, approach.sent_at
    keys = realm.luck.keys(who, approach.trigger, approach.channel, sent_at)
    load = load_at(realm, who, sent_at)
    response = respond(approach, load=load, people=realm.people, scenario=realm.scenario)
    arrived = reaches(realm, approach) & (_draw(realm, keys, "arrive") > P_BOUNCE[approach.channel])
    there = arrived & realm.life.present[who]
    realm.life.load[who[there]] = load[there] + 1.0
    realm.life.loaded_at[who[there]] = sent_at[there]
    _note_arrival(realm, mail, arrived, keys)
    sees = np.flatnonzero(there & (_draw(realm, keys, "see") < response.p_seen))
    hours = _hours_to_open(realm, keys[sees])
    read = _Reading(
        mail=mail.rows(sees),
        keys=keys[sees],
        p_unsubscribe=response.p_unsubscribe[sees],
        seen_at=after(sent_at[sees], hours=SPEED[approach.channel[sees]] * hours),
        opened_at=after(sent_at[sees], hours=hours),
        irritated=_draw(realm, keys[sees], "irritate") < response.p_irritate[sees],
    )
    won = _act_on_case(realm, read, response.power[sees])
    _change_mood(realm, read, response.save[sees])
    _note_reading(realm, read, won)


@dataclass(frozen=True)
class _Reading:
    """Messages that are seen.

    Attributes:
        mail: The messages.
        keys: Keys of their luck.
        p_unsubscribe: See `Response`.
        seen_at: When.
        opened_at: When they are opened, where that is reported.
        irritated: They would turn a content reader dissatisfied.
    """

    mail: Mail
    keys: Keys
    p_unsubscribe: Floats
    seen_at: Micros
    opened_at: Micros
    irritated: Flags


def _draw(realm: Realm, keys: Keys, purpose: str) -> Floats:
    return realm.luck.uniform(keys, purpose=purpose)


def _hours_to_open(realm: Realm, keys: Keys) -> Floats:
    kind = np.searchsorted(np.cumsum(DELAY_SHARES)[:-1], _draw(realm, keys, "kind of delay"))
    hours: Floats = -DELAY_HOURS[kind] * np.log(_draw(realm, keys, "delay"))
    return hours


def _act_on_case(realm: Realm, read: _Reading, power: Floats) -> Flags:
    """Prevent calls and bring purchases; whether each message did what it was sent for."""
    approach, seen_at, cases = read.mail.approach, read.seen_at, realm.cases
    case, trigger = approach.case, approach.trigger
    row = np.maximum(case, 0)
    age = hours_between(cases.opened_at[row], seen_at)
    fresh = np.where(IS_SERVICE[trigger], 1.0, np.exp(-age / FADE_HOURS[trigger]))
    wins = (
        (case != NO_CASE)
        & (_draw(realm, read.keys, "act") < power * fresh)
        & ~cases.won[row]
        & (seen_at < cases.happens_at[row])
    )
    won = row[wins]
    cases.won[won] = True
    hours = 0.1 - _HOURS_TO_BUY * np.log(_draw(realm, read.keys[wins], "buy"))
    buys_at = np.minimum(after(seen_at[wins], hours=hours), cases.happens_at[won])
    service = IS_SERVICE[trigger[wins]]
    cases.happens_at[won] = np.where(service, NEVER, buys_at)
    cases.closes_at[won] = np.minimum(cases.closes_at[won], cases.happens_at[won])
    _replace_card(realm, cases.customer[won], trigger[wins], seen_at[wins])
    touched = (case != NO_CASE) & (seen_at < cases.happens_at[row])
    cases.message[row[touched]] = read.mail.row[touched]
    cases.seen_at[row[touched]] = seen_at[touched]
    acted: Flags = wins
    return acted


def _replace_card(realm: Realm, who: Ints, trigger: Ints, seen_at: Micros) -> None:
    """Readers who acted on an expiring card replace it within the hour."""
    due = realm.life.renew_at[who]
    acts = (trigger == INDEX[Trigger.PAYMENT_FAILURE_RISK]) & (due != NEVER)
    at = np.minimum(due[acts], seen_at[acts] + HOUR)
    realm.life.renew_at[who[acts]] = at


def _change_mood(realm: Realm, read: _Reading, save: Floats) -> None:
    """Irritate content readers and win back dissatisfied ones, on the day of sending."""
    who, sent_at = read.mail.approach.customer, read.mail.approach.sent_at
    mood = realm.life.mood[who]
    saves = (mood == DISSATISFIED) & (read.mail.approach.case != NO_CASE)
    saves &= _draw(realm, read.keys, "save") < save
    irritates = (mood == CONTENT) & read.irritated
    recover(realm, who[saves], sent_at[saves])
    turn(realm, who[irritates], sent_at[irritates], day=realm.day)


def _note_arrival(realm: Realm, mail: Mail, arrived: Flags, keys: Keys) -> None:
    """Delivered or bounced, and what machines do with an e-mail at once."""
    sent_at, who = mail.approach.sent_at, mail.approach.customer
    at = sent_at + (2 + 18 * _draw(realm, keys, "transport")).astype(np.int64) * SECOND
    _note(realm, Outcome.DELIVERED, mail.row[arrived], at[arrived])
    _note(realm, Outcome.BOUNCED, mail.row[~arrived], at[~arrived])
    email = arrived & (mail.approach.channel == _EMAIL)
    proxied = email & realm.people.account.proxied[who]
    fetched = after(at, hours=2.0 * _draw(realm, keys, "proxy") ** 3)
    _note(realm, Outcome.OPENED, mail.row[proxied], fetched[proxied], machine=True)
    scanned = email & realm.people.account.scanned[who]
    _note(realm, Outcome.OPENED, mail.row[scanned], at[scanned] + 3 * SECOND, machine=True)
    for link in range(3):  # every link of the mail, within seconds
        clicked = at[scanned] + (4 + link) * SECOND
        _note(realm, Outcome.CLICKED, mail.row[scanned], clicked, machine=True)


def _note_reading(realm: Realm, read: _Reading, won: Flags) -> None:
    """Opens, clicks, and channels left for good."""
    approach, row, life = read.mail.approach, read.mail.row, realm.life
    opens = _draw(realm, read.keys, "open") < OPENED_SHARE[approach.channel]
    _note(realm, Outcome.OPENED, row[opens], read.opened_at[opens])
    buys = won & ~IS_SERVICE[approach.trigger] & (approach.channel == _EMAIL)
    clicks = opens & (buys | (_draw(realm, read.keys, "click") < _P_CLICK))
    clicked_at = after(read.opened_at, hours=0.005 + 0.05 * _draw(realm, read.keys, "reading"))
    _note(realm, Outcome.CLICKED, row[clicks], clicked_at[clicks])
    leaves = _draw(realm, read.keys, "leave") < read.p_unsubscribe
    left_at = read.seen_at + 30 * SECOND
    who, channel = approach.customer[leaves], approach.channel[leaves]
    already = life.unsubscribed_at[who, channel]
    life.unsubscribed_at[who, channel] = np.minimum(already, left_at[leaves])
    _note(realm, Outcome.UNSUBSCRIBED, row[leaves], left_at[leaves])
    complains = leaves & (_draw(realm, read.keys, "complain") < _P_COMPLAINS)
    _note(realm, Outcome.COMPLAINED, row[complains], left_at[complains])


def _note(
    realm: Realm, outcome: Outcome, message: Ints, at: Micros, *, machine: bool = False
) -> None:
    realm.facts.add(
        "outcomes",
        message_id=message,
        outcome=np.full(len(message), OUTCOMES.index(outcome)),
        at=at,
        machine=np.full(len(message), machine),
    )
