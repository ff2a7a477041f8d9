"""What comes due: calls and purchases, written to the facts when their moment has passed."""

from typing import Final

import numpy as np

from features.vocabulary import Outcome
from training.world.clock import DAY, NEVER, Ints, Micros, after
from training.world.codes import OUTCOMES
from training.world.facts.ledger import fact_keys
from training.world.life.accounts import change_subscriptions
from training.world.life.realm import Realm
from training.world.life.shopping import buy
from training.world.mail.response import IS_SERVICE
from training.world.people.places import TICKET_TOPICS

ATTRIBUTION_DAYS: Final = 7
"""A purchase so soon after a message was seen is its conversion, whether caused by it or not."""


def let_happen(realm: Realm, *, until: int) -> None:
    """Write what came due before `until`, and what came of that."""
    change_subscriptions(realm, until)
    cases = realm.cases
    # An order may be followed by a call before `until`: go on until nothing is due.
    while len(rows := cases.due(until)):
        cases.done[rows] = True
        service = IS_SERVICE[cases.trigger[rows]]
        _call(realm, rows[service])
        _purchase(realm, rows[~service])


def _call(realm: Realm, rows: Ints) -> None:
    cases = realm.cases
    who, at, trigger = cases.customer[rows], cases.happens_at[rows], cases.trigger[rows]
    cases.closes_at[rows] = np.minimum(cases.closes_at[rows], at)
    keys = realm.luck.keys(who, trigger, at)
    hours = 1.0 + 40.0 * realm.luck.uniform(keys, purpose="resolved")
    realm.facts.add(
        "tickets",
        ticket_id=(trigger << 56) | fact_keys(0, customer=who, at=at),
        customer_id=who,
        opened_at=at,
        resolved_at=after(at, hours=hours),
        escalated=realm.luck.uniform(keys, purpose="escalated") < 0.06,
        topic=len(TICKET_TOPICS) + trigger,
    )
    _book(realm, rows, at, Outcome.CONTACTED_SUPPORT)


def _purchase(realm: Realm, rows: Ints) -> None:
    cases = realm.cases
    who, at, amount = cases.customer[rows], cases.happens_at[rows], cases.amount_cents[rows]
    buy(
        realm,
        who,
        at,
        item=cases.item[rows],
        amount_cents=amount,
        source=cases.trigger[rows],
    )
    _book(realm, rows, at, Outcome.CONVERTED, value_cents=amount)


def _book(
    realm: Realm, rows: Ints, at: Micros, outcome: Outcome, *, value_cents: Ints | None = None
) -> None:
    """Give the outcome to the last message about the case that was seen before it."""
    seen_at = realm.cases.seen_at[rows]
    told = (seen_at != NEVER) & (seen_at <= at) & (at < seen_at + ATTRIBUTION_DAYS * DAY)
    n_told = int(told.sum())
    values = np.full(n_told, -1) if value_cents is None else value_cents[told]
    realm.facts.add(
        "outcomes",
        message_id=realm.cases.message[rows[told]],
        outcome=np.full(n_told, OUTCOMES.index(outcome)),
        at=at[told],
        value_cents=values,
        machine=np.zeros(n_told, dtype=np.bool_),
    )
