"""Accounts: moods and leaving, subscriptions, cards, invoices, tickets and surveys.

Whoever turns dissatisfied shows it: some at once in a ticket that stays open for weeks, all in
later payments, disputes, more tickets, lower answers to surveys, and fewer visits (`visits`).
"""

from dataclasses import dataclass

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
    after,
    day_start,
    to_moment,
)
from training.world.facts.ledger import STATUSES, fact_keys
from training.world.life.rates import P_OWN_RENEWAL, p_call
from training.world.life.realm import Realm
from training.world.people.moods import ABSENT, CONTENT, DISSATISFIED, GONE, step_moods
from training.world.people.places import PLAN_LIMITS, PLAN_MRR_CENTS, PLANS, TICKET_TOPICS

GENERIC_TICKET = 63  # source of tickets that are no call about a trigger

_CARD_NOTICE_DAYS = 30
_CARD_LIFE_DAYS = 36 * 30
P_TICKET = (0.0035, 0.018)  # a day: content, dissatisfied
P_LATE_DISSATISFIED = 0.40
P_DISPUTED = (0.006, 0.06)
P_SURVEYED = 0.006  # a day, answered
NPS = ((8.4, 1.5), (4.6, 2.2))
P_SHOWS_TICKET = 0.35
DUE_DAYS = 14
PAID_DAYS = (0.5, 12.0)
LATE_DAYS = (14.5, 25.0)
"""Days from the invoice to its payment: the least, and the span of the even spread above it."""
_RISK_REOPENS_DAYS = 40  # cases older than `cases` keeps are opened again
_LIMITS = np.array(PLAN_LIMITS)


@dataclass(frozen=True)
class TicketCourse:
    """How long tickets stay open, evenly spread, and the share that is escalated (the longest)."""

    least_days: float
    span_days: float
    p_escalated: float


USUAL_TICKET = TicketCourse(0.3, 4.0, 0.1)
WORSE_TICKET = TicketCourse(10.0, 20.0, 0.6)


def change_moods(realm: Realm, day: int) -> None:
    """Who joins, the day's step of the moods, and the cancellations of those who leave."""
    people, life = realm.people, realm.life
    start = day_start(day)
    life.mood[(life.mood == ABSENT) & (people.identity.signed_up_at < start)] = CONTENT
    luck = _mood_luck(realm, day)
    before = life.mood
    life.mood = step_moods(before, temper=people.temper, luck=luck[0])
    turned = (before == CONTENT) & (life.mood == DISSATISFIED)
    left = (before != GONE) & (life.mood == GONE)
    at = start + (luck[1] * 6 * 3_600).astype(np.int64) * SECOND
    leave(realm, np.flatnonzero(left), at[left])
    turn(realm, np.flatnonzero(turned), at[turned], day=day)
    calm = np.flatnonzero((before == DISSATISFIED) & (life.mood == CONTENT))
    realm.close_case(Trigger.CHURN_RISK, calm, at[calm])
    since = day - life.turned_on
    lasts = (life.mood == DISSATISFIED) & (since > 0) & (since % _RISK_REOPENS_DAYS == 0)
    _open_risk(realm, np.flatnonzero(lasts), at[lasts])
    shows = turned & shows_ticket(realm, day)
    _open_tickets(realm, np.flatnonzero(shows), at[shows], luck[3, shows], worse=True)


def shows_ticket(realm: Realm, day: int) -> Flags:
    """Who opens a ticket at once where the day turns them dissatisfied, (n,)."""
    shows: Flags = _mood_luck(realm, day)[2] < P_SHOWS_TICKET
    return shows


def turn(realm: Realm, who: Ints, at: Micros, *, day: int) -> None:
    """These customers have just turned dissatisfied: at risk until they recover or leave."""
    realm.life.mood[who] = DISSATISFIED
    realm.life.turned_on[who] = day
    _open_risk(realm, who, at)


def recover(realm: Realm, who: Ints, at: Micros) -> None:
    """These customers are content again."""
    realm.life.mood[who] = CONTENT
    realm.close_case(Trigger.CHURN_RISK, who, at)


def leave(realm: Realm, who: Ints, at: Micros) -> None:
    """These customers are gone for good, and cancel."""
    realm.life.mood[who] = GONE
    realm.life.gone_at[who] = at
    realm.close_case(Trigger.CHURN_RISK, who, at)
    realm.close_case(Trigger.INACTIVITY, who, at)
    subscribe(realm, who, at)


def subscribe(realm: Realm, who: Ints, at: Micros) -> None:
    """Rows of the subscriptions as they are now, valid from these moments."""
    life = realm.life
    active = at < life.gone_at[who]
    realm.facts.add(
        "subscriptions",
        customer_id=who,
        valid_from=at,
        plan=life.plan[who],
        mrr_cents=np.array(PLAN_MRR_CENTS)[life.plan[who]],
        plan_limit=_LIMITS[life.plan[who]],
        status=np.where(active, STATUSES.index("active"), STATUSES.index("canceled")),
        card_expires_on=life.card_expires_at[who],
        upsell_shown=life.upsell_shown[who],
    )


def change_subscriptions(realm: Realm, until: int) -> None:
    """Cards replaced, offers shown and bigger plans taken before `until`, in order of time."""
    life = realm.life
    while True:
        at = np.minimum(life.renew_at, life.change_at)
        due = np.flatnonzero(at < until)
        if not len(due):
            return
        at = at[due]
        renews = life.renew_at[due] == at
        _renew(realm, due[renews], at[renews])
        _replan(realm, due[~renews], at[~renews])
        stays = at < life.gone_at[due]
        subscribe(realm, due[stays], at[stays])


def bill(realm: Realm, day: int) -> None:
    """Invoices of the day; at the turn of the month the used units start again."""
    people, life = realm.people, realm.life
    moment = to_moment(day_start(day))
    if moment.day == 1:
        life.used[:] = 0.0
    billed = np.flatnonzero(life.present & (people.account.invoice_day == moment.day))
    draws = realm.luck.of_day(day, subject="bills").random((3, people.n))[:, billed]
    unhappy = life.mood[billed] == DISSATISFIED
    p_late = np.where(unhappy, P_LATE_DISSATISFIED, people.temper.p_late[billed])
    late = draws[0] < p_late
    issued = np.full(len(billed), day_start(day) + 7 * HOUR)
    days = np.where(
        late, LATE_DAYS[0] + LATE_DAYS[1] * draws[1], PAID_DAYS[0] + PAID_DAYS[1] * draws[1]
    )
    realm.facts.add(
        "invoices",
        invoice_id=fact_keys(0, customer=billed, at=issued),
        customer_id=billed,
        issued_at=issued,
        due_at=issued + DUE_DAYS * DAY,
        paid_at=after(issued, hours=24.0 * days),
        amount_cents=np.array(PLAN_MRR_CENTS)[life.plan[billed]],
        disputed=draws[2] < np.where(unhappy, P_DISPUTED[1], P_DISPUTED[0]),
    )


def ask_and_complain(realm: Realm, day: int) -> None:
    """Answers to surveys and tickets about anything."""
    life, n = realm.life, realm.people.n
    luck = realm.luck.of_day(day, subject="surveys").random((5, n))
    noise = realm.luck.of_day(day, subject="nps").normal(size=n)
    at = day_start(day) + (6 + 15 * luck[0] * 0.999).astype(np.int64) * HOUR
    at += (luck[1] * 3_600).astype(np.int64) * SECOND
    unhappy = life.mood == DISSATISFIED
    answers = np.flatnonzero(life.present & (luck[2] < P_SURVEYED))
    mean, sd = np.array(NPS)[unhappy[answers].astype(np.int64)].T
    nps = np.clip(np.round(mean + sd * noise[answers]), 0, 10).astype(np.int64)
    realm.facts.add("surveys", customer_id=answers, at=at[answers], nps=nps)
    p_ticket = np.where(unhappy, P_TICKET[1], P_TICKET[0])
    complains = np.flatnonzero(life.present & (luck[3] < p_ticket))
    _open_tickets(realm, complains, at[complains], luck[4, complains], worse=False)


def expire_cards(realm: Realm, day: int) -> None:
    """Cases of cards that expire in thirty days; half are replaced in time without being asked."""
    people, life = realm.people, realm.life
    expires = day_start(day) + _CARD_NOTICE_DAYS * DAY
    who = np.flatnonzero(life.present & (life.card_expires_at == expires))
    luck = realm.luck.of_day(day, subject="cards").random((3, people.n))[:, who]
    at = np.full(len(who), day_start(day) + SECOND)
    p_event = p_call(Trigger.PAYMENT_FAILURE_RISK, calls=people.temper.calls[who])
    own = luck[0] < P_OWN_RENEWAL
    share = luck[0] / P_OWN_RENEWAL
    fails = after(np.full(len(who), expires), hours=72.0 * luck[2])
    life.renew_at[who] = np.where(
        own, after(at, hours=24.0 * (_CARD_NOTICE_DAYS - 0.01) * share), fails
    )
    realm.open_case(
        Trigger.PAYMENT_FAILURE_RISK,
        customer=who,
        at=at,
        closes_at=np.where(own, life.renew_at[who], expires),
        p_event=np.minimum(p_event, 1.0 - P_OWN_RENEWAL),
        p_exit=P_OWN_RENEWAL,
        onset_at=np.full(len(who), expires),
        luck=luck[:2],
    )


def _mood_luck(realm: Realm, day: int) -> Floats:
    """Four uniform numbers for every customer, the same whenever they are asked for, (4, n)."""
    return realm.luck.of_day(day, subject="moods").random((4, realm.people.n))


def _open_risk(realm: Realm, who: Ints, at: Micros) -> None:
    realm.open_case(Trigger.CHURN_RISK, customer=who, at=at, closes_at=NEVER)


def _renew(realm: Realm, who: Ints, at: Micros) -> None:
    life = realm.life
    life.card_expires_at[who] += _CARD_LIFE_DAYS * DAY
    life.renew_at[who] = NEVER
    realm.close_case(Trigger.PAYMENT_FAILURE_RISK, who, at)


def _replan(realm: Realm, who: Ints, at: Micros) -> None:
    life = realm.life
    upgrades = life.upgrades[who]
    life.plan[who[upgrades]] = np.minimum(life.plan[who[upgrades]] + 1, len(PLANS) - 1)
    life.upsell_shown[who] = ~upgrades
    life.change_at[who] = NEVER
    realm.close_case(Trigger.SUBSCRIPTION_LIMIT, who, at)


def _open_tickets(realm: Realm, who: Ints, at: Micros, luck: Floats, *, worse: bool) -> None:
    """Tickets about anything; worse ones stay open for weeks and are escalated more often."""
    course = WORSE_TICKET if worse else USUAL_TICKET
    days = course.least_days + course.span_days * luck
    escalated: Flags = luck > 1.0 - course.p_escalated
    realm.facts.add(
        "tickets",
        ticket_id=fact_keys(GENERIC_TICKET, customer=who, at=at),
        customer_id=who,
        opened_at=at,
        resolved_at=after(at, hours=24.0 * days),
        escalated=escalated,
        topic=(luck * 997).astype(np.int64) % len(TICKET_TOPICS),
    )
