"""Shopping: items looked at, carts, purchases at once or later, prices that fall, parcels.

What is not bought at once becomes a case; part of these customers come back and buy all the same.
"""

from typing import Final

import numpy as np

from features.vocabulary import Trigger
from training.world.clock import DAY, HOUR, NEVER, SECOND, Flags, Floats, Ints, Micros, after
from training.world.codes import INDEX
from training.world.facts.ledger import fact_keys
from training.world.life.rates import (
    DELAY_DAYS,
    DELAY_P_CALL,
    DELAY_SHARE,
    MAX_P_EVENT,
    P_BUY_AT_ONCE,
    P_CART,
    P_EVENT,
    P_SHIPPED,
    P_SHOP,
    p_call,
)
from training.world.life.realm import Realm, Views
from training.world.life.visits import Visits
from training.world.luck import Keys
from training.world.people.places import ITEMS, REGIONS, SHIPMENT_STATUSES

N_DRAWS: Final = 10

_P_SECOND_LOOK = 0.4
_FADE_DAYS = 7  # a cart or a look is nobody's business after a week
_REMEMBERED_DAYS = 30
_BOUGHT_AT_ONCE = len(INDEX)  # source of an order that no case led to


def shop(realm: Realm, visits: Visits) -> None:
    """Looks, carts and purchases of the day's visits."""
    luck = realm.luck.of_day(visits.day, subject="shopping").random((N_DRAWS, realm.people.n))
    luck = luck[:, visits.customer]
    shops = luck[0] < P_SHOP * realm.scenario.traffic
    who, at, luck = visits.customer[shops], visits.at[shops], luck[:, shops]
    item = realm.market.pick(realm.people.taste.thrift[who], luck[1])
    realm.record("page_view", who, at + 180 * SECOND, item=item)
    again = luck[2] < _P_SECOND_LOOK
    other = realm.market.pick(realm.people.taste.thrift[who[again]], luck[3, again])
    realm.record("page_view", who[again], at[again] + 150 * SECOND, item=other)
    realm.be_active(who, at + 180 * SECOND)
    carts = luck[4] < P_CART
    buys = carts & (luck[5] < P_BUY_AT_ONCE)
    _fill_carts(
        realm, who[carts], at[carts] + 400 * SECOND, item[carts], ~buys[carts], luck[6:, carts]
    )
    _leave(realm, who[~carts], at[~carts] + 180 * SECOND, item[~carts], luck[7:9, ~carts])
    seen_by = np.concatenate([who[~buys], who[again]])
    realm.views.append(Views(visits.day, seen_by, np.concatenate([item[~buys], other])))
    realm.views[:] = [seen for seen in realm.views if seen.day > visits.day - _REMEMBERED_DAYS]


def cheapen(realm: Realm, day: int) -> None:
    """Prices of the day; who looked at an item that got cheaper has a case."""
    items, at = realm.market.live_day(day, realm.facts)
    if not len(items) or not realm.views:
        return
    customer = np.concatenate([seen.customer for seen in realm.views])
    item = np.concatenate([seen.item for seen in realm.views])
    looked = np.unique(np.stack([item, customer])[:, np.isin(item, items)], axis=1)
    item, customer = looked[:, realm.life.present[looked[1]]]
    # One case each, about the dearest of the items: they are sorted by price.
    customer, first = np.unique(customer[::-1], return_index=True)
    item = item[::-1][first]
    moment = np.full(len(ITEMS), NEVER)
    moment[items] = at
    luck = realm.luck.of_day(day, subject="cheaper").random((2, realm.people.n))
    realm.open_case(
        Trigger.PRICE_DROP,
        customer=customer,
        at=moment[item],
        closes_at=moment[item] + _FADE_DAYS * DAY,
        p_event=P_EVENT[INDEX[Trigger.PRICE_DROP]],
        luck=luck[:, customer],
        amount_cents=realm.market.price_cents[item],
        item=item,
    )


def buy(
    realm: Realm, customer: Ints, at: Micros, *, item: Ints, amount_cents: Ints, source: Ints
) -> None:
    """Purchases with their orders and parcels; carts and looks before them are settled.

    Args:
        realm: The world.
        customer: Positions, (m,).
        at: Moments of the purchases.
        item: Positions of the items, -1 where unknown.
        amount_cents: Amounts.
        source: Trigger of the case that led to it, or one past the last: bought at once.
    """
    realm.record("purchase", customer, at, value=amount_cents.astype(np.float64), item=item)
    realm.be_active(customer, at)
    realm.close_case(Trigger.ABANDONED_CART, customer, at)
    realm.close_case(Trigger.BROWSE_ABANDONMENT, customer, at)
    luck = realm.luck
    keys = luck.keys(customer, at, source)
    shipped = luck.uniform(keys, purpose="shipped") < P_SHIPPED
    order = (source << 56) | fact_keys(0, customer=customer, at=at)
    promised = _promise(at, luck.uniform(keys, purpose="promise"))
    parcel = luck.keys(customer[shipped], at[shipped], source[shipped])
    delivered = np.full(len(customer), NEVER)
    delivered[shipped] = _ship(
        realm, customer[shipped], at[shipped], promised[shipped], order[shipped], parcel
    )
    realm.facts.add(
        "orders",
        order_id=order,
        customer_id=customer,
        tracking_id=np.where(shipped, order, -1),
        ordered_at=at,
        promised_at=np.where(shipped, promised, NEVER),
        delivered_at=delivered,
        amount_cents=amount_cents,
    )


def _fill_carts(
    realm: Realm, who: Ints, at: Micros, item: Ints, leaves: Flags, luck: Floats
) -> None:
    """Carts; luck holds quantity, chance and delay of coming back, and one more."""
    quantity = 1 + (luck[0] > 0.8).astype(np.int64)
    amount = realm.market.price_cents[item] * quantity
    realm.record("cart_add", who, at, value=amount.astype(np.float64), item=item)
    realm.be_active(who, at)
    realm.open_case(
        Trigger.ABANDONED_CART,
        customer=who[leaves],
        at=at[leaves],
        closes_at=at[leaves] + _FADE_DAYS * DAY,
        p_event=P_EVENT[INDEX[Trigger.ABANDONED_CART]],
        luck=luck[1:3, leaves],
        amount_cents=amount[leaves],
        item=item[leaves],
    )
    now = ~leaves
    source = np.full(int(now.sum()), _BOUGHT_AT_ONCE)
    bought_at = at[now] + 200 * SECOND
    buy(realm, who[now], bought_at, item=item[now], amount_cents=amount[now], source=source)


def _leave(realm: Realm, who: Ints, at: Micros, item: Ints, luck: Floats) -> None:
    realm.open_case(
        Trigger.BROWSE_ABANDONMENT,
        customer=who,
        at=at,
        closes_at=at + _FADE_DAYS * DAY,
        p_event=P_EVENT[INDEX[Trigger.BROWSE_ABANDONMENT]],
        luck=luck,
        amount_cents=realm.market.price_cents[item],
        item=item,
    )


def _promise(at: Micros, luck: Floats) -> Micros:
    """Promised for 18:00 UTC three to six days later."""
    days = 3 + (luck * 4).astype(np.int64)
    return at - at % DAY + days * DAY + 18 * HOUR


def _ship(
    realm: Realm, who: Ints, at: Micros, promised: Micros, tracking: Ints, keys: Keys
) -> Micros:
    """Scans of the parcels, late ones with their slip, and their cases; moments of delivery."""
    luck = realm.luck
    region = realm.people.identity.region[who]
    p_late = np.array([r.p_late for r in REGIONS])[region] * realm.scenario.traffic
    late = luck.uniform(keys, purpose="late") < p_late
    kind = np.searchsorted(np.cumsum(DELAY_SHARE)[:-1], luck.uniform(keys, purpose="how late"))
    delay = np.where(late, DELAY_DAYS[kind], 0.0)
    created = after(at, hours=6.0 + 18.0 * luck.uniform(keys, purpose="created"))
    shipped = after(created, hours=4.0 + 14.0 * luck.uniform(keys, purpose="picked up"))
    slipped = after(shipped, hours=6.0 + 24.0 * luck.uniform(keys, purpose="slipped"))
    estimated = promised + (delay * DAY).astype(np.int64)
    early = 20.0 * luck.uniform(keys, purpose="early")
    delivered = np.maximum(after(estimated, hours=-early), slipped + HOUR)
    _scan(realm, tracking, created, promised, "created")
    _scan(realm, tracking, shipped, promised, "shipped")
    _scan(realm, tracking, slipped, estimated, "in_transit")
    _scan(realm, tracking, delivered, delivered, "delivered")
    calls = realm.people.temper.calls[who]
    realm.open_case(
        Trigger.ORDER_SHIPPED,
        customer=who,
        at=created,
        closes_at=delivered,
        p_event=p_call(Trigger.ORDER_SHIPPED, calls=calls),
        luck=_pair(realm, keys, "shipped call"),
    )
    tells = late & (DELAY_P_CALL[kind] > 0.0)
    realm.open_case(
        Trigger.DELIVERY_DELAY,
        customer=who[tells],
        at=slipped[tells],
        closes_at=delivered[tells],
        p_event=np.minimum(DELAY_P_CALL[kind[tells]] * calls[tells], MAX_P_EVENT),
        luck=_pair(realm, keys[tells], "late call"),
    )
    return delivered


def _pair(realm: Realm, keys: Keys, purpose: str) -> Floats:
    return np.stack(
        [realm.luck.uniform(keys, purpose=f"{purpose} {part}") for part in ("?", "when")]
    )


def _scan(realm: Realm, tracking: Ints, at: Micros, estimated: Micros, status: str) -> None:
    statuses = np.full(len(tracking), SHIPMENT_STATUSES.index(status))
    realm.facts.add(
        "shipments", tracking_id=tracking, updated_at=at, estimated_at=estimated, status=statuses
    )
