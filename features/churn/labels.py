"""Who may be lost, and who was lost."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.declarations import FeatureSet
from features.declared.account import SUBSCRIPTION_ACTIVE
from features.engines import DUCKDB, Engine
from features.errors import BadInputError
from features.point_in_time import EveryCustomer, build_features, make_spine
from features.point_in_time.facts import open_facts
from features.point_in_time.relations import holds
from features.point_in_time.spine import list_rows, number_rows, to_moment
from features.tables import Tables

ACTIVE_WITHIN_DAYS: Final = 90
"""Without subscriptions, whoever showed no sign of life for longer is lost already."""

_SUBSCRIBED = FeatureSet("subscribed", (SUBSCRIPTION_ACTIVE,))

_SIGNS_OF_LIFE = ("activity", "orders")

_COUNT_SIGNS = """
SELECT s.row_id, COUNT(e.t) AS n
FROM spine s LEFT JOIN {table} e ON e.customer_id = s.customer_id AND e.t >= s.b AND {holds}
GROUP BY s.row_id ORDER BY s.row_id
"""


def eligible_customers(
    tables: Tables, *, as_of: datetime, engine: Engine = DUCKDB
) -> "pd.Series[str]":
    """Ids of those one can still lose, sorted: signed up before the moment and still a customer.

    Still a customer is whoever has an active subscription; where there is no `subscriptions` table,
    whoever has a row of `activity` or `orders` in the last 90 days (up to 90 days before the
    moment's UTC midnight).

    Args:
        tables: Conformed frames by name, or files; `customers` is required.
        as_of: Aware moment.
        engine: Where the SQL runs.

    Raises:
        BadInputError: Neither subscriptions nor activity nor orders are there.
    """
    moment = to_moment(as_of)
    with open_facts(tables, names=["customers"], engine=engine) as facts:
        spine = list_rows(facts, EveryCustomer(as_of))
    if "subscriptions" in tables:
        staying = _is_subscribed(tables, spine, engine=engine)
    else:
        begin = moment.normalize() - timedelta(days=ACTIVE_WITHIN_DAYS)
        begins = make_spine(spine["customer_id"], as_of=begin)
        staying = _shows_life(tables, begins=begins, ends=spine, engine=engine)
    return spine.loc[staying, "customer_id"].reset_index(drop=True)


def churn_labels(
    tables: Tables,
    spine: pd.DataFrame,
    *,
    known_until: datetime,
    horizon_days: int = 30,
    engine: Engine = DUCKDB,
) -> "pd.Series[bool]":
    """Whether each customer was lost within the horizon after the moment.

    With a `subscriptions` table: no active subscription at the end of the horizon (whoever pauses
    and is back by then is not lost). Without one: no row of `activity` or `orders` from the moment
    on until before the end of the horizon.

    Args:
        tables: Conformed frames by name.
        spine: customer_id and as_of, as of `make_spine`.
        known_until: The tables hold what was known strictly before this moment.
        horizon_days: Days after the moment that count.
        engine: Where the SQL runs.

    Returns:
        One bool per row of the spine, with its index.

    Raises:
        BadInputError: A horizon ends after `known_until`, so that nobody can know the label; or
            neither subscriptions nor activity nor orders are there.
    """
    ends = spine.assign(as_of=spine["as_of"] + pd.Timedelta(days=horizon_days))
    unknown = ends["as_of"] > to_moment(known_until)
    if unknown.any():
        first = spine["as_of"][unknown].min()
        raise BadInputError(
            f"churn labels: {int(unknown.sum())} moments from {first.isoformat()} on need facts "
            f"for {horizon_days} days, but the tables end at {to_moment(known_until).isoformat()}"
        )
    if "subscriptions" in tables:
        lost = ~_is_subscribed(tables, ends, engine=engine)
    else:
        lost = ~_shows_life(tables, begins=spine, ends=ends, engine=engine)
    return lost.rename("churned")


def _is_subscribed(tables: Tables, spine: pd.DataFrame, *, engine: Engine) -> "pd.Series[bool]":
    numbers = build_features(tables, spine, features=_SUBSCRIBED, engine=engine)
    return numbers["subscription_active"] == 1.0


def _shows_life(
    tables: Tables, *, begins: pd.DataFrame, ends: pd.DataFrame, engine: Engine
) -> "pd.Series[bool]":
    """Whether anything was done from the first spine's moments until before the second's."""
    present = [name for name in _SIGNS_OF_LIFE if name in tables]
    if not present:
        raise BadInputError(
            f"nobody can tell who was lost without subscriptions, activity or orders; "
            f"tables are {', '.join(sorted(tables))}"
        )
    rows = number_rows(ends).assign(b=number_rows(begins)["c"])
    signs = np.zeros(len(rows), dtype=np.int64)
    with open_facts(tables, names=present, engine=engine) as facts:
        facts.register("spine", rows)
        for table in present:
            known = holds("e", late=table in facts.late, at="s.c")
            found = facts.query(_COUNT_SIGNS.format(table=table, holds=known))
            signs += found["n"].to_numpy(dtype=np.int64)
    return pd.Series(signs > 0, index=ends.index)
