"""Files of messages: the table `inbound` on its own, parquet or CSV."""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.checks import Checked, conform_tables
from features.contracts import CONTRACTS
from features.errors import SourceUnreadableError
from features.sources.arrow import frame_from_arrow
from features.sources.csv_cells import read_csv
from serving.autopilot.inbound.message import InboundMessage

_TABLE: Final = "inbound"


def read_messages(path: Path) -> list[InboundMessage]:
    """The messages of a file, in order of time.

    Args:
        path: A `.parquet` or `.csv` file with the columns of the table `inbound`.

    Raises:
        SourceUnreadableError: It is no such file.
        TablesRefusedError: It breaks the table's contract; every violation is named.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise SourceUnreadableError(f"{path}: expected a .csv or .parquet file of messages")
    try:
        raw = _read(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
    conformed = conform_tables({_TABLE: raw})
    checked = Checked(conformed.tables, conformed.violations, ())
    return messages_of(checked.require_valid()[_TABLE])


def messages_of(frame: pd.DataFrame) -> list[InboundMessage]:
    """The rows of a conformed table `inbound`, in order of time."""
    ordered = frame.sort_values(["at", "inbound_id"], kind="stable")
    branches = ordered["branch"] if "branch" in ordered else pd.Series(None, index=ordered.index)
    return [
        InboundMessage(
            inbound_id=str(inbound_id),
            at=at.to_pydatetime(),
            customer_id=None if pd.isna(customer_id) else str(customer_id),
            source=str(source),
            branch=None if pd.isna(branch) else str(branch),
            text=str(text),
        )
        for inbound_id, at, customer_id, source, branch, text in zip(
            ordered["inbound_id"],
            ordered["at"],
            ordered["customer_id"],
            ordered["source"],
            branches,
            ordered["text"],
            strict=True,
        )
    ]


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return read_csv(path, contract=CONTRACTS[_TABLE])
    return frame_from_arrow(pq.ParquetFile(path).read())
