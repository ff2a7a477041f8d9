"""Subscriptions with a beginning and an end as rows that hold from a moment on."""

from datetime import datetime
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.checks.columns import LIKELY_TIMES

_Column: TypeAlias = "pd.Series[Any]"
_Bools: TypeAlias = npt.NDArray[np.bool_]

# An end that another row of the customer goes on through is no cancellation. Of several rows that
# end together the one that began last is canceled.
_CANCELED = """
    SELECT place FROM spans AS a
    WHERE ends IS NOT NULL AND ends >= begins AND NOT EXISTS (
        SELECT 1 FROM spans AS b
        WHERE b.customer_id = a.customer_id AND b.place <> a.place
          AND b.begins <= a.ends AND (b.ends IS NULL OR b.ends > a.ends)
    )
    QUALIFY row_number() OVER (PARTITION BY customer_id, ends ORDER BY begins DESC, place DESC) = 1
    ORDER BY place
"""


def cancel_ended(frame: pd.DataFrame, ended_at: _Column, *, until: datetime | None) -> pd.DataFrame:
    """Each row active from `valid_from` on, and a canceled row where a customer's last one ended.

    Args:
        frame: Rows with `customer_id` and `valid_from`, in our words.
        ended_at: When each ended; null, or a time that stands for never, where it goes on.
        until: Aware moment; later ends have not happened. None takes all as happened.

    Returns:
        The rows but those that ended when they began, then the canceled ones in their order, known
        at their `valid_from`. What is no time, or before the beginning, stands there as a text,
        for the checks to refuse.
    """
    is_text = ended_at.map(lambda cell: isinstance(cell, str)).to_numpy(dtype=bool)
    read = pd.to_datetime(ended_at.where(~is_text), utc=True, errors="coerce")
    ends = read.astype("datetime64[us, UTC]")
    happened = ends < (LIKELY_TIMES[1] if until is None else pd.Timestamp(until))
    begins = pd.to_datetime(frame["valid_from"], utc=True, errors="coerce")
    spans = pd.DataFrame(
        {
            "customer_id": frame["customer_id"].astype("str").to_numpy(),
            "begins": _micros(begins),
            "ends": _micros(ends.where(happened)),
            "place": range(len(frame)),
        }
    )
    with duckdb.connect() as connection:
        connection.register("spans", spans)
        places = [place for (place,) in connection.execute(_CANCELED).fetchall()]
    canceled = frame.iloc[places].assign(
        valid_from=pd.DatetimeIndex(ends.iloc[places]), status="canceled"
    )
    never_ran = _is_true(spans["ends"] == spans["begins"])
    parts = [frame.assign(status="active")[~never_ran], canceled]
    is_wrong = is_text | _is_true(spans["ends"] < spans["begins"])
    if is_wrong.any():
        words = [_name_wrong(cell) for cell in ended_at[is_wrong]]
        wrong = frame[is_wrong].assign(valid_from=words, status="canceled")
        parts = [part.astype({"valid_from": "object"}) for part in (*parts, wrong)]
    return pd.concat(parts, ignore_index=True)


def _is_true(flags: _Column) -> _Bools:
    """Null is no."""
    return flags.fillna(value=False).to_numpy(dtype=bool)


def _name_wrong(end: object) -> str:
    return end if isinstance(end, str) else f"{end}, before it began"


def _micros(times: _Column) -> _Column:
    """UTC microseconds since 1970; null stays null."""
    plain = times.dt.tz_convert(None).astype("datetime64[us]")
    return pd.Series(plain.astype("int64").astype("Int64").where(plain.notna()).array)
