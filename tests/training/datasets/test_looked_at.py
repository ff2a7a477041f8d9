"""What was bought of what had been looked at, against a plain search over all pairs."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import Trigger
from training.datasets.looked_at import LOOK_DAYS, find_bought, is_about_item
from training.measures import Bools
from training.registry.servable import TRIGGERS

START = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = timedelta(days=7)

Happening = tuple[int, int, str, int]  # customer, item, kind, hours after START

HAPPENINGS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["page_view", "cart_add", "purchase"]),
        st.integers(0, 24 * 50),
    ),
    max_size=25,
)


def make_activity(happenings: list[Happening]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": pd.Series([f"c{who}" for who, *_ in happenings], dtype="str"),
            "item": pd.Series([f"i{item}" for _, item, *_ in happenings], dtype="str"),
            "kind": pd.Series([kind for _, _, kind, _ in happenings], dtype="str"),
            "at": pd.Series(
                [START + timedelta(hours=hours) for *_, hours in happenings],
                dtype="datetime64[us, UTC]",
            ),
        }
    )


def ask(activity: pd.DataFrame, asked: list[tuple[int, int]]) -> Bools | None:
    moments = [START + timedelta(hours=hours, minutes=30) for _, hours in asked]
    return find_bought(
        activity,
        customers=pd.Series([f"c{who}" for who, _ in asked], dtype="str"),
        starts=pd.Series(moments, dtype="datetime64[us, UTC]"),
        span=SPAN,
    )


def search(happenings: list[Happening], who: int, hours: float) -> bool:
    """A purchase within the span, of an item that was looked at before the moment."""
    return any(
        buyer == looker == who
        and item == looked
        and hours < bought_at < hours + 7 * 24
        and looked_at < hours
        and bought_at - looked_at <= 24 * (LOOK_DAYS + 7)
        for buyer, item, kind, bought_at in happenings
        if kind == "purchase"
        for looker, looked, how, looked_at in happenings
        if how != "purchase"
    )


@given(happenings=HAPPENINGS, asked=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1200))))
def test_find_bought_is_what_a_search_over_all_pairs_finds(
    happenings: list[Happening], asked: list[tuple[int, int]]
) -> None:
    found = ask(make_activity(happenings), asked)
    if not any(kind == "purchase" for _, _, kind, _ in happenings):
        assert found is None
        return
    assert found is not None
    assert found.tolist() == [search(happenings, who, hours + 0.5) for who, hours in asked]


def test_find_bought_says_so_where_no_purchase_tells_its_item() -> None:
    activity = make_activity([(0, 0, "page_view", 1), (0, 0, "purchase", 5)])
    untold = activity.assign(item=activity["item"].where(activity["kind"] != "purchase"))
    assert ask(untold, [(0, 2)]) is None


@pytest.mark.parametrize("trigger", list(Trigger))
def test_is_about_item_knows_what_is_sold_item_by_item(trigger: Trigger) -> None:
    told = is_about_item(np.array([TRIGGERS.index(trigger)]))[0]
    assert told == (trigger.value in {"abandoned_cart", "browse_abandonment", "price_drop"})
