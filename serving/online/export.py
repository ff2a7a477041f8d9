"""The log as tables, for those who keep their facts nowhere else."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from features.tables import Tables
from serving.online.rows import read_logged, tables_of
from serving.store.store import Store

_LOT: Final = 20_000


@dataclass(frozen=True)
class Exported:
    """The posted facts as tables.

    Attributes:
        tables: Conformed frames, every version of every row with its `known_at`.
        n_left_out: Rows about customers or messages that were never posted, by table.
    """

    tables: Tables
    n_left_out: dict[str, int]


def export_log(store: Store) -> Exported:
    """Every posted fact as a row; rows that refer to nobody are left out and counted."""
    parts: dict[str, list[pd.DataFrame]] = {}
    with store.reading() as session:
        after = 0
        while logged := session.online.read_log(after=after, most=_LOT):
            after = logged[-1].seq
            for name, frame in tables_of(read_logged(logged), names=()).items():
                parts.setdefault(name, []).append(frame)
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    n_left_out: dict[str, int] = {}
    customers = set(tables["customers"]["customer_id"]) if "customers" in tables else set()
    for name, frame in tables.items():
        if "customer_id" in frame:
            tables[name] = _keep(name, frame, "customer_id", customers, n_left_out)
    messages = set(tables["messages"]["message_id"]) if "messages" in tables else set()
    if "outcomes" in tables:
        tables["outcomes"] = _keep(
            "outcomes", tables["outcomes"], "message_id", messages, n_left_out
        )
    return Exported({name: f for name, f in tables.items() if len(f)}, n_left_out)


def _keep(
    name: str, frame: pd.DataFrame, column: str, known: set[str], n_left_out: dict[str, int]
) -> pd.DataFrame:
    """Rows that refer to somebody known, or to nobody on purpose."""
    stays = frame[column].isin(known) | frame[column].isna()
    if not stays.all():
        n_left_out[name] = int((~stays).sum())
    return frame.loc[stays].reset_index(drop=True)
