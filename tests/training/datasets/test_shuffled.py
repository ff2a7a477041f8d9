from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.churn import churn_labels, eligible_customers
from features.point_in_time import make_spine
from features.tables import Tables
from training.datasets.shuffled import shuffle_deliveries, shuffle_futures, shuffle_outcomes


def test_futures_change_hands_and_the_past_and_the_rate_stay(
    shop_tables: Tables, shop_end: datetime
) -> None:
    moment = shop_end - timedelta(days=30)
    ids = eligible_customers(shop_tables, as_of=moment)
    shuffled = shuffle_futures(
        shop_tables, customers=ids, as_of=moment, rng=np.random.default_rng(1)
    )
    for name in ("activity", "messages"):
        at = shop_tables[name]["at" if name == "activity" else "sent_at"]
        before, after = shop_tables[name], shuffled[name]
        pd.testing.assert_frame_equal(before[at < moment], after[at < moment])
        assert (before["customer_id"] != after["customer_id"])[at >= moment].mean() > 0.6
    assert shuffled["customers"] is shop_tables["customers"]
    spine = make_spine(ids, as_of=moment)
    labels, others = (
        churn_labels(tables, spine, horizon_days=30, known_until=shop_end).to_numpy(dtype=bool)
        for tables in (shop_tables, shuffled)
    )
    assert labels.sum() == others.sum()
    assert (labels != others).any()


def test_future_of_who_is_not_asked_for_stays(shop_tables: Tables, shop_end: datetime) -> None:
    moment = shop_end - timedelta(days=30)
    some = pd.Series(["c0001", "c0002"], dtype="str")
    shuffled = shuffle_futures(
        shop_tables, customers=some, as_of=moment, rng=np.random.default_rng(3)
    )
    changed = shop_tables["activity"]["customer_id"] != shuffled["activity"]["customer_id"]
    assert set(shop_tables["activity"]["customer_id"][changed]) <= set(some)


def test_outcomes_change_messages_and_keep_their_delay(shop_tables: Tables) -> None:
    messages = shop_tables["messages"].iloc[1000:6000]
    shuffled = shuffle_outcomes(shop_tables, messages=messages, rng=np.random.default_rng(1))
    sent = shop_tables["messages"].set_index("message_id")["sent_at"]

    def delays(outcomes: pd.DataFrame) -> pd.Series:
        return (outcomes["at"] - outcomes["message_id"].map(sent)).reset_index(drop=True)

    before, after = shop_tables["outcomes"], shuffled["outcomes"]
    pd.testing.assert_series_equal(delays(before), delays(after))
    taken = before["message_id"].isin(messages["message_id"])
    assert (before["message_id"] == after["message_id"])[~taken].all()
    assert (before["message_id"] != after["message_id"])[taken].mean() > 0.99
    assert set(after["message_id"][taken]) <= set(messages["message_id"])


def test_orders_on_their_way_arrive_as_late_as_another_and_never_before_the_moment() -> None:
    moment = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
    days = pd.to_timedelta([-20, -5, -4, -3, -2], unit="D")
    orders = pd.DataFrame(
        {
            "order_id": list("abcde"),
            "customer_id": "x",
            "ordered_at": pd.Timestamp(moment) + days,
            "promised_at": pd.Timestamp(moment) + pd.to_timedelta([-9, 3, 4, 5, 6], unit="D"),
            "delivered_at": pd.Timestamp(moment) + pd.to_timedelta([-8, 1, 6, None, 2], unit="D"),
        }
    )
    shuffled = shuffle_deliveries({"orders": orders}, as_of=moment, rng=np.random.default_rng(2))
    after = shuffled["orders"]
    assert after.loc[0, "delivered_at"] == orders.loc[0, "delivered_at"]  # had come already
    assert after["delivered_at"].isna().sum() == 1
    assert (after["delivered_at"].iloc[1:].dropna() >= moment).all()
    assert (after["delivered_at"] != orders["delivered_at"]).iloc[1:].any()
