import copy

import numpy as np
import pytest

from features.vocabulary import Trigger
from training.world.clock import DAY, NEVER, to_micros
from training.world.codes import INDEX
from training.world.life.shopping import buy
from training.world.simulated import SimulatedWorld


def test_orders_bring_as_many_calls_as_the_truth_charges_for_them(history: SimulatedWorld) -> None:
    realm = copy.deepcopy(history)._realm
    n_orders = 60
    who = np.tile(np.arange(realm.people.n), n_orders)
    days = np.repeat(np.arange(n_orders), realm.people.n)
    first = realm.cases.n
    buy(
        realm,
        who,
        to_micros(history.now) + days * DAY + who * 1_000_000,
        item=np.zeros(len(who), dtype=np.int64),
        amount_cents=np.full(len(who), 2_000),
        source=np.full(len(who), INDEX[Trigger.PRICE_DROP]),
    )
    cases = realm.cases
    new = slice(first, cases.n)
    about = {INDEX[Trigger.ORDER_SHIPPED], INDEX[Trigger.DELIVERY_DELAY]}
    assert set(cases.trigger[new]) == about
    n_calls = (cases.happens_at[new] < NEVER).sum()
    expected = realm.worth.order_support.sum() / realm.worth.support_call * n_orders
    assert n_calls == pytest.approx(expected, abs=3.5 * np.sqrt(expected))


def test_parcels_move_forward_and_slip_only_when_late(history: SimulatedWorld) -> None:
    tables = history.tables(history.now)
    shipments = tables["shipments"]
    order = ["created", "shipped", "in_transit", "delivered"]
    for _, scans in shipments.groupby("tracking_id"):
        assert scans["status"].tolist() == order[: len(scans)]
    orders = tables["orders"].dropna(subset=["delivered_at"])
    last = shipments.query("status == 'delivered'").set_index("tracking_id")["updated_at"]
    assert (orders["tracking_id"].map(last) == orders["delivered_at"]).all()
    promised = shipments["tracking_id"].map(
        tables["orders"].dropna(subset=["tracking_id"]).set_index("tracking_id")["promised_at"]
    )
    early = shipments["status"].isin(["created", "shipped"])
    assert (shipments["estimated_at"] == promised)[early].all()
    slip = (shipments["estimated_at"] - promised)[shipments["status"] == "in_transit"]
    assert 0.04 < (slip >= np.timedelta64(1, "D")).mean() < 0.14
