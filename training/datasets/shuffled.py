"""Tables whose future belongs to somebody else: what an honest feature cannot notice.

Shuffling labels after the features were made finds no leak: a feature that knows the label does not
know the shuffled one. So the facts themselves are shuffled, and features and labels are made from
them anew. A feature that reads only what was known before the moment stays as it was and tells
nothing of the new label. A feature that reads the future follows it.

The shuffled labels are the old ones, each with another customer: their rate stays.
"""

from datetime import datetime

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS, KNOWN_AT
from features.tables import Tables, find_known

_OF_CUSTOMERS = "customers"


def sample_customers(tables: Tables, *, n: int, rng: np.random.Generator) -> Tables:
    """At most `n` customers and what happened to them: enough for a check, and quicker."""
    ids = np.unique(tables["customers"]["customer_id"].to_numpy(dtype=object).astype(str))
    if len(ids) <= n:
        return tables
    chosen = pd.Index(rng.choice(ids, size=n, replace=False))
    return {
        name: frame[frame["customer_id"].isin(chosen)] if "customer_id" in frame else frame
        for name, frame in tables.items()
    }


def shuffle_futures(
    tables: Tables, *, customers: "pd.Series[str]", as_of: datetime, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Everything that became known of a customer at the moment or later goes to another one.

    Rows of earlier days and the table of customers stay. So do rows without a customer of the list,
    and the later changes of an earlier row (a delivery, a payment): what they say of the customer's
    future is not shuffled.

    Args:
        tables: Conformed tables.
        customers: Among whom; each gives to one and receives from one.
        as_of: Aware moment.
        rng: Of the permutation.

    Returns:
        New frames of the tables that changed, the same ones of the others.
    """
    ids = np.unique(customers.to_numpy(dtype=object).astype(str))
    heir = dict(zip(ids.tolist(), rng.permutation(ids).tolist(), strict=True))
    shuffled: dict[str, pd.DataFrame] = {}
    for name, frame in tables.items():
        contract = CONTRACTS.get(name)
        dated = contract is not None and contract.moment and "customer_id" in frame
        if contract is None or not dated or name == _OF_CUSTOMERS:
            shuffled[name] = frame
            continue
        is_later = find_known(frame, contract) >= pd.Timestamp(as_of)
        others = frame["customer_id"].map(heir).fillna(frame["customer_id"])
        shuffled[name] = frame.assign(customer_id=frame["customer_id"].where(~is_later, others))
    return shuffled


def shuffle_outcomes(
    tables: Tables, *, messages: pd.DataFrame, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """What came of each message came of another one, as long after it was sent.

    Args:
        tables: Conformed tables with `outcomes`.
        messages: Among which: message_id and sent_at.
        rng: Of the permutation.
    """
    order = rng.permutation(len(messages))
    ids = messages["message_id"].to_numpy(dtype=object)
    heirs = pd.Series(ids[order], index=ids)
    sent = pd.Series(messages["sent_at"].to_numpy(), index=ids)
    later_by = pd.Series(sent.to_numpy()[order] - sent.to_numpy(), index=ids)
    outcomes = tables["outcomes"]
    delay = outcomes["message_id"].map(later_by).fillna(pd.Timedelta(0))
    heir = outcomes["message_id"].map(heirs).fillna(outcomes["message_id"])
    columns = {"message_id": heir.astype("str"), "at": outcomes["at"] + delay}
    if KNOWN_AT in outcomes:
        columns[KNOWN_AT] = outcomes[KNOWN_AT] + delay
    return {**tables, "outcomes": outcomes.assign(**columns)}


def shuffle_deliveries(
    tables: Tables, *, as_of: datetime, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Orders on their way at the moment arrive as early or late as another one of them.

    Args:
        tables: Conformed tables with `orders`.
        as_of: Aware moment.
        rng: Of the permutation.
    """
    orders, now = tables["orders"], pd.Timestamp(as_of)
    on_way = (
        (find_known(orders, CONTRACTS["orders"]) < now)
        & (orders["promised_at"] > now)
        & ~(orders["delivered_at"] < now)
    )
    late_by = (orders["delivered_at"] - orders["promised_at"])[on_way]
    shuffled = pd.Series(late_by.to_numpy()[rng.permutation(len(late_by))], index=late_by.index)
    arrival = orders["promised_at"][on_way] + shuffled
    # Nobody arrives before the moment: that would be known at it.
    arrival = arrival.where(~(arrival < now), now)
    delivered = orders["delivered_at"].mask(on_way, arrival)
    return {**tables, "orders": orders.assign(delivered_at=delivered)}
