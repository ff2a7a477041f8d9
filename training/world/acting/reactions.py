"""How customers take it when somebody does something for them: hidden, and mostly their own.

Four kinds of customers come out of it, as in the literature on retention (Ascarza 2018, "Retention
futility"; Radcliffe & Surry 2011): some are saved, some would have stayed anyway (they were content
all along), some are lost whatever is done, and some leave *because* somebody called and reminded
them of a subscription they had forgotten. Who is which follows in part from what tables show:

- why somebody is dissatisfied is drawn when it happens. A problem shows in a ticket, a price that
  hurts in the segment, missing use in visits. A lever helps against one cause more than another;
- readiness to be saved hangs on the segment and on how long the customer has been dissatisfied;
- who has refused many channels does not want to be contacted at all.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from training.world.acting.protocol import Lever
from training.world.clock import Flags, Floats, Ints
from training.world.life.accounts import P_SHOWS_TICKET, shows_ticket
from training.world.life.realm import Realm
from training.world.luck import Luck
from training.world.people.population import Population

LEVERS: Final = tuple(Lever)

CAUSES: Final = ("problem", "price", "use", "product")
_PROBLEM, _PRICE, _USE, _PRODUCT = range(len(CAUSES))

POWER = np.array(
    # problem, price, use, product
    [
        [0.35, 0.20, 0.25, 0.20],  # call
        [0.10, 0.05, 0.60, 0.20],  # training
        [0.65, 0.05, 0.10, 0.15],  # service
        [0.15, 0.65, 0.20, 0.15],  # discount
        [0.10, 0.10, 0.25, 0.60],  # product
    ]
)
"""P(saved) by lever and cause, of a fully receptive customer who has just turned dissatisfied."""

FADE_DAYS: Final = 60.0
"""By so many days of dissatisfaction a customer's readiness falls by e."""

P_WOKEN: Final = 0.5
"""Of do-not-disturb customers: leaves at the beginning of a conversation."""
P_WOKEN_OTHERS: Final = 0.003

_RECEPTIVE = np.array([0.75, 0.9, 0.8, 0.65, 0.95])  # by segment
_OWN_SD: Final = 0.5
_DISTURBED = np.array([0.01, 0.01, 0.04, 0.60, 0.80, 0.85])  # by channels refused or unknown
_DISTURBED_SEGMENT = np.array([0.9, 0.8, 1.1, 1.2, 0.8])
_PRICE_SHARE: Final = 0.7
_PRODUCT_SHARE: Final = 0.25


@dataclass(frozen=True)
class Reactions:
    """What stays the same about a customer, (n,) each.

    Attributes:
        receptive: Multiplies the chance to be saved, 0..1.
        sleeps: Contact may drive the customer away.
    """

    receptive: Floats
    sleeps: Flags


def draw_reactions(people: Population, luck: Luck) -> Reactions:
    """The hidden reactions of these customers."""
    rng = luck.of_day(0, subject="reactions")
    identity = people.identity
    own = np.exp(rng.normal(-0.5 * _OWN_SD**2, _OWN_SD, people.n))
    refused = (identity.consent != 1).sum(axis=1)
    p_sleeps = _DISTURBED[refused] * _DISTURBED_SEGMENT[identity.segment]
    return Reactions(
        receptive=np.clip(_RECEPTIVE[identity.segment] * own, 0.0, 1.0),
        sleeps=rng.random(people.n) < p_sleeps,
    )


def p_woken(reactions: Reactions, who: Ints) -> Floats:
    """P(the customer leaves because a conversation is begun), (n,)."""
    woken: Floats = np.where(reactions.sleeps[who], P_WOKEN, P_WOKEN_OTHERS)
    return woken


def causes_of(realm: Realm, who: Ints) -> Ints:
    """Why these customers are dissatisfied, or were last; positions in `CAUSES`, (n,)."""
    turned_on = realm.life.turned_on[who]
    problem = np.zeros(len(who), dtype=np.bool_)
    for day in np.unique(turned_on).tolist():
        mine = turned_on == day
        problem[mine] = shows_ticket(realm, day)[who[mine]]
    drawn = realm.luck.uniform(realm.luck.keys(who, turned_on), purpose="cause")
    price = _PRICE_SHARE * realm.people.taste.price[who]
    other = np.where(drawn < price + (1.0 - price) * _PRODUCT_SHARE, _PRODUCT, _USE)
    return np.where(problem, _PROBLEM, np.where(drawn < price, _PRICE, other))


def cause_shares(realm: Realm, who: Ints) -> Floats:
    """P(each cause) of a customer who has yet to turn dissatisfied, (n, causes)."""
    price = _PRICE_SHARE * realm.people.taste.price[who]
    rest = 1.0 - P_SHOWS_TICKET
    product = (1.0 - price) * _PRODUCT_SHARE
    columns = [np.full(len(who), P_SHOWS_TICKET), rest * price, rest * (1.0 - price - product)]
    return np.column_stack([*columns, rest * product])
