"""Purchases of what a customer had looked at: what a message about an item may bring.

Whether there was any order in 7 days says little about a message on one item: most orders have
nothing to do with it, and bury its effect. A purchase of an item that the customer had looked at,
or put into the cart, before the decision comes of fewer other things. Written to or not, everybody
is counted by the same rule, so the difference stays that of a trial.
"""

from datetime import timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.vocabulary import Trigger
from training.measures import Bools, Integers
from training.registry.servable import TRIGGERS

ABOUT_AN_ITEM: Final = frozenset(
    {Trigger.ABANDONED_CART, Trigger.BROWSE_ABANDONMENT, Trigger.PRICE_DROP}
)
"""Triggers whose message is about an item that the customer has looked at."""

LOOK_DAYS: Final = 30
"""A look counts for so long: a price that falls is about one of weeks ago."""

_PURCHASE: Final = "purchase"


def is_about_item(group: Integers) -> Bools:
    """Whether the triggers at these positions are about an item, (n,)."""
    wanted = [TRIGGERS.index(trigger) for trigger in ABOUT_AN_ITEM]
    return np.asarray(np.isin(group, wanted), dtype=bool)


def find_bought(
    activity: pd.DataFrame,
    *,
    customers: "pd.Series[str]",
    starts: "pd.Series[pd.Timestamp]",
    span: timedelta,
) -> Bools | None:
    """Whether each customer bought, in the span from the start on, what was looked at before it.

    Args:
        activity: The table of that name.
        customers: customer_id, n of them.
        starts: Moments, n of them.
        span: For how long purchases count.

    Returns:
        (n,), or None where no purchase tells its item.
    """
    told = activity.dropna(subset=["item"])[["customer_id", "item", "at", "kind"]]
    bought = told[told["kind"] == _PURCHASE].drop(columns="kind")
    if bought.empty:
        return None
    looked = told[told["kind"] != _PURCHASE].drop(columns="kind")
    pairs = bought.merge(looked, on=["customer_id", "item"], suffixes=("", "_looked"))
    waited = pairs["at"] - pairs["at_looked"]
    pairs = pairs[(waited > timedelta(0)) & (waited <= timedelta(days=LOOK_DAYS) + span)]
    # A decision counts between the first look, or the span before the purchase, and the purchase.
    first = pairs.groupby(["customer_id", "item", "at"], as_index=False)["at_looked"].min()
    opens = first["at_looked"].where(first["at_looked"] > first["at"] - span, first["at"] - span)
    codes, names = pd.factorize(customers)
    whose = pd.Index(names).get_indexer(pd.Index(first["customer_id"]))
    here = whose >= 0
    began, ended = (np.sort(_to_keys(whose[here], at[here])) for at in (opens, first["at"]))
    asked = _to_keys(codes.astype(np.int64), starts)
    n_open: Integers = np.searchsorted(began, asked) - np.searchsorted(ended, asked)
    return np.asarray(n_open > 0, dtype=bool)


def _to_keys(customer: Integers, at: "pd.Series[pd.Timestamp]") -> Integers:
    """Numbers that sort by customer, then by second."""
    keys: Integers = (customer.astype(np.int64) << 36) + at.astype("int64").to_numpy() // 1_000_000
    return keys
