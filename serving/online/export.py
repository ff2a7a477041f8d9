"""The log as tables, for those who keep their facts nowhere else."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from features.contracts import CONTRACTS
from features.tables import Tables
from serving.online.rows import read_logged, tables_of
from serving.policy.cases import from_us
from serving.store.store import Store

_LOT: Final = 20_000


@dataclass(frozen=True)
class Exported:
    """The posted facts as tables.

    Attributes:
        tables: Conformed frames, every version of every row with its `known_at`.
        n_left_out: Rows about customers or messages that were never posted, by table.
        n_to_come: Rows of moments that had not come when the last fact was told, by table.
    """

    tables: Tables
    n_left_out: dict[str, int]
    n_to_come: dict[str, int]


def export_log(store: Store) -> Exported:
    """Every posted fact that has happened, as a row.

    Where no tables were rebuilt from, the log is all there is: rows that refer to nobody in it are
    left out. Else those they refer to may be in the tables, and all rows are given.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    with store.reading() as session:
        generation = session.online.current_generation()
        last = from_us(session.online.last_known_us() or 0)
        after = 0
        while logged := session.online.read_log(after=after, most=_LOT):
            after = logged[-1].seq
            for name, frame in tables_of(read_logged(logged), names=()).items():
                parts.setdefault(name, []).append(frame)
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    n_to_come: dict[str, int] = {}
    for name, frame in tables.items():
        tables[name] = count_out(name, frame, frame[CONTRACTS[name].moment] <= last, n_to_come)
    n_left_out: dict[str, int] = {}
    if generation is None or generation.as_of_us == 0:
        _leave_out_unknown(tables, n_left_out)
    return Exported({n: f for n, f in tables.items() if len(f)}, n_left_out, n_to_come)


def _leave_out_unknown(tables: dict[str, pd.DataFrame], n_left_out: dict[str, int]) -> None:
    """Take out, in place, rows about customers and messages that are not in the tables."""
    customers = set(tables["customers"]["customer_id"]) if "customers" in tables else set()
    for name, frame in tables.items():
        if "customer_id" in frame:
            tables[name] = _keep(name, frame, "customer_id", customers, n_left_out)
    messages = set(tables["messages"]["message_id"]) if "messages" in tables else set()
    if "outcomes" in tables:
        tables["outcomes"] = _keep(
            "outcomes", tables["outcomes"], "message_id", messages, n_left_out
        )


def _keep(
    name: str, frame: pd.DataFrame, column: str, known: set[str], n_left_out: dict[str, int]
) -> pd.DataFrame:
    """Rows that refer to somebody known, or to nobody on purpose."""
    return count_out(name, frame, frame[column].isin(known) | frame[column].isna(), n_left_out)


def count_out(
    name: str, frame: pd.DataFrame, stays: "pd.Series[bool]", counts: dict[str, int]
) -> pd.DataFrame:
    """The rows that stay; the others are counted."""
    if not stays.all():
        counts[name] = int((~stays).sum())
    return frame.loc[stays].reset_index(drop=True)
