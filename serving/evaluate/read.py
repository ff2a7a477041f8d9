"""Logs in files: records as `opportune decide --out` writes them, with outcomes beside them."""

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from features.errors import BadInputError, SourceUnreadableError
from features.tables import Tables
from serving.faults import describe_validation
from serving.records import Decision, OutcomeEvent

_OUTCOMES = ("outcomes.parquet", "outcomes.csv")
_LOT = 5_000


def read_decision_files(place: Path) -> Iterator[Decision]:
    """Records in a parquet file, or in all parquet files of a folder that hold records.

    Raises:
        SourceUnreadableError: There is no such file.
        BadInputError: A row is not a record.
    """
    paths = [place] if place.is_file() else sorted(place.rglob("*.parquet"))
    holding = [path for path in paths if "record" in _column_names(path)]
    if not holding:
        raise SourceUnreadableError(
            f"{place}: no parquet file with records in it, as `opportune decide --out` writes them"
        )
    for path in holding:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=_LOT, columns=["record"])
            texts = chain.from_iterable(batch["record"].to_pylist() for batch in batches)
            for number, text in enumerate(texts):
                yield _read_record(text, f"{path}, row {number}")


def read_outcome_files(place: Path) -> list[OutcomeEvent]:
    """Outcomes in `outcomes.parquet` or `outcomes.csv` beside the records; none without a file."""
    folder = place.parent if place.is_file() else place
    events: list[OutcomeEvent] = []
    for path in (folder / name for name in _OUTCOMES):
        if path.exists():
            frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
            events += _read_events(frame, str(path))
    return events


def outcomes_of_tables(tables: Tables, *, message_ids: Collection[str]) -> list[OutcomeEvent]:
    """What the company's own tables say of these messages."""
    if "outcomes" not in tables:
        return []
    outcomes = tables["outcomes"]
    return _read_events(outcomes[outcomes["message_id"].isin(list(message_ids))], "outcomes")


def _read_record(text: str | None, place: str) -> Decision:
    if text is None:
        raise BadInputError(f"{place}: not a record: it is empty")
    try:
        return Decision.model_validate_json(text)
    except ValidationError as fault:
        raise BadInputError(f"{place}: not a record: {describe_validation(fault)}") from None


def _read_events(frame: pd.DataFrame, place: str) -> list[OutcomeEvent]:
    wanted = [name for name in OutcomeEvent.model_fields if name in frame]
    cells = frame[wanted].astype(object)
    rows = cells.where(frame[wanted].notna(), None)
    events = []
    for number, row in enumerate(rows.to_dict(orient="records")):
        try:
            events.append(OutcomeEvent.model_validate(row))
        except ValidationError as fault:
            raise BadInputError(
                f"{place}, row {number}: not an outcome: {describe_validation(fault)}"
            ) from None
    return events


def _column_names(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as fault:
        raise SourceUnreadableError(f"{path}: not a parquet file: {fault}") from None
