"""Tables in memory: frames by name, and what was known of them at a moment."""

from collections.abc import Collection, Mapping
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.contracts import CONTRACTS, DTYPES, KNOWN_AT, TableContract
from features.errors import BadInputError

Tables = Mapping[str, pd.DataFrame]
"""Frames by table name; conformed ones have every column of their contract."""


def known_before(tables: Tables, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """What was known strictly before `as_of`, each row once.

    Of rows that came again the one that holds at the moment is left, and times of later events are
    null again. Features are better made of the whole tables: the time zone of an event is the one
    that was known at the time, and it is gone here where a customer was corrected since.

    Args:
        tables: Conformed frames by name.
        as_of: Aware moment.

    Returns:
        New frames, same columns; unknown tables are left out.
    """
    return {
        name: rows_that_hold(frame, CONTRACTS[name]).reset_index(drop=True)
        if CONTRACTS[name].moment
        else frame
        for name, frame in versions_before(tables, as_of).items()
    }


def rows_about(tables: Tables, customer_ids: Collection[str]) -> dict[str, pd.DataFrame]:
    """The tables with the rows of these customers; those that name no customer are left out.

    Outcomes are their messages'.
    """
    about = {
        name: _rows_of(frame, "customer_id", list(customer_ids))
        for name, frame in tables.items()
        if "customer_id" in frame
    }
    if "messages" in about and "outcomes" in tables:
        about["outcomes"] = _rows_of(
            tables["outcomes"], "message_id", about["messages"]["message_id"]
        )
    return about


def _rows_of(frame: pd.DataFrame, column: str, names: "list[str] | pd.Series[str]") -> pd.DataFrame:
    """Rows that have one of the names; pandas would turn every name into an object first."""
    texts = pa.array(frame[column], pa.large_string(), from_pandas=True)
    is_one = pc.is_in(texts, value_set=pa.array(names, pa.large_string(), from_pandas=True))
    rows: pd.DataFrame = frame.loc[is_one.to_numpy(zero_copy_only=False)]
    return rows.reset_index(drop=True)


def versions_before(tables: Tables, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """What was known strictly before `as_of`, with rows that have been corrected since.

    Whoever looks at earlier moments needs those, too. Times of later events are null again.

    Args:
        tables: Conformed frames by name.
        as_of: Aware moment.

    Returns:
        New frames, same columns; unknown tables are left out.
    """
    known: dict[str, pd.DataFrame] = {}
    for name, frame in tables.items():
        contract = CONTRACTS.get(name)
        if contract is None:
            continue
        if not contract.moment:
            known[name] = frame
            continue
        seen = frame.loc[find_known(frame, contract) < as_of]
        for column in contract.revised:
            if column in seen:
                seen = seen.assign(**{column: seen[column].where(seen[column] < as_of)})
        known[name] = seen.reset_index(drop=True)
    return known


def find_known(frame: pd.DataFrame, contract: TableContract) -> "pd.Series[pd.Timestamp]":
    """When each row became known: its own moment, or its `known_at` where that is later."""
    moments: pd.Series[pd.Timestamp] = frame[contract.moment]
    if KNOWN_AT not in frame:
        return moments
    return moments.where(~(frame[KNOWN_AT] > moments), frame[KNOWN_AT])


def rows_that_hold(frame: pd.DataFrame, contract: TableContract) -> pd.DataFrame:
    """The frame with each identified row once: the last known by key, the first by `event_id`.

    The order of the rows that are left stays; rows without identity all stay.
    """
    identity = list(contract.identity)
    if not identity or any(column not in frame for column in identity):
        return frame
    again = frame.duplicated(identity, keep=False) & frame[identity].notna().all(axis="columns")
    if not again.any():
        return frame
    told = [KNOWN_AT, *(c.name for c in contract.columns if c.name != KNOWN_AT)]
    order = ["known", *(name for name in told if name in frame)]  # contradictions by what they say
    rows = frame.loc[again].assign(known=find_known(frame, contract)[again])
    rows = rows.sort_values(order, kind="stable", na_position="first")
    superseded = rows.duplicated(identity, keep="last" if contract.corrected else "first")
    return frame.drop(index=rows.index[superseded])


def empty_table(name: str) -> pd.DataFrame:
    """A conformed frame without rows."""
    contract = CONTRACTS[name]
    return pd.DataFrame({c.name: pd.Series(dtype=DTYPES[c.kind]) for c in contract.columns})


def last_moment(tables: Tables) -> datetime:
    """The first whole second at which everything in the tables is known.

    Raises:
        BadInputError: No table has a row.
    """
    known = [
        find_known(frame, CONTRACTS[name]).max()
        for name, frame in tables.items()
        if name in CONTRACTS and CONTRACTS[name].moment and len(frame)
    ]
    if not known:
        raise BadInputError("the tables are empty; expected at least one customer")
    last = max(known)
    moment: datetime = (last + pd.Timedelta(microseconds=1)).ceil("s").to_pydatetime()
    return moment
