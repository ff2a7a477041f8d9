"""The spine: which customers, as of which moments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd

from features.engines import Relations
from features.errors import BadInputError
from features.point_in_time.relations import holds

MICROS_PER_DAY: Final = 86_400_000_000
MICROS_PER_HOUR: Final = 3_600_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT_DTYPE: Final = "datetime64[us, UTC]"


def make_spine(customer_ids: Iterable[str], *, as_of: datetime) -> pd.DataFrame:
    """One row per customer at one moment; concatenate spines for several moments.

    Args:
        customer_ids: Ids, in the order of the rows; repeats are kept.
        as_of: Aware moment.

    Returns:
        Columns customer_id (str) and as_of (datetime64[us, UTC]).

    Raises:
        BadInputError: `as_of` has no time zone.
    """
    ids = pd.Series(list(customer_ids), dtype="str", name="customer_id")
    spine = ids.to_frame()
    spine["as_of"] = pd.Series(to_moment(as_of), index=ids.index, dtype=_MOMENT_DTYPE)
    return spine


def to_moment(as_of: datetime) -> pd.Timestamp:
    """The moment in UTC microseconds; BadInputError when it has no time zone."""
    if as_of.tzinfo is None:
        raise BadInputError(f"as_of {as_of.isoformat()} has no time zone; expected an aware moment")
    return pd.Timestamp(as_of).tz_convert("UTC").as_unit("us")


def to_micros(as_of: datetime) -> int:
    """Microseconds since 1970 in UTC; BadInputError when the moment has no time zone.

    >>> to_micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (to_moment(as_of) - _EPOCH) // timedelta(microseconds=1)


def number_rows(spine: pd.DataFrame) -> pd.DataFrame:
    """The spine as engines read it: row_id (position), customer_id and c (UTC microseconds).

    Raises:
        BadInputError: A column is missing, naive or has nulls.
    """
    for column in ("customer_id", "as_of"):
        if column not in spine:
            raise BadInputError(f"spine has no column {column}; expected customer_id and as_of")
        if spine[column].isna().any():
            at = int(spine[column].isna().to_numpy().argmax())
            raise BadInputError(f"spine.{column} is null in row {at}")
    if not isinstance(spine["as_of"].dtype, pd.DatetimeTZDtype):
        raise BadInputError(f"spine.as_of holds {spine['as_of'].dtype}; expected {_MOMENT_DTYPE}")
    moments = spine["as_of"].astype(_MOMENT_DTYPE)
    return pd.DataFrame(
        {
            "row_id": range(len(spine)),
            "customer_id": spine["customer_id"].astype("str").to_numpy(),
            "c": moments.astype("int64").to_numpy(),
        }
    )


@dataclass(frozen=True)
class EveryCustomer:
    """As a spine: every customer known before one moment, at that moment, by customer_id.

    Attributes:
        as_of: Aware moment.
    """

    as_of: datetime

    def select(self, *, late: bool) -> str:
        """customer_id and c, of the relation `customers`."""
        at = to_micros(self.as_of)
        held = holds("v", late=late, at=at)
        columns = f"v.customer_id, CAST({at} AS BIGINT) AS c"
        return f"SELECT DISTINCT {columns} FROM customers v WHERE {held}"


Spine = pd.DataFrame | EveryCustomer
"""Whose features, and as of when: customer_id and as_of, or every customer at one moment."""


def list_rows(facts: Relations, spine: Spine) -> pd.DataFrame:
    """The spine as a frame; that of every customer is read from the relation `customers`."""
    if isinstance(spine, pd.DataFrame):
        return spine
    text = spine.select(late="customers" in facts.late)
    found = facts.query(f"SELECT p.customer_id FROM ({text}) p ORDER BY p.customer_id")
    return make_spine(found["customer_id"], as_of=spine.as_of)
