"""Where a command computes: in this process, or on Spark."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from features.engines import DUCKDB, Engine
from features.engines.batches import InProcess, RowMapper
from features.engines.moments import find_span
from features.engines.spark import SparkEngine, is_address
from features.errors import BadInputError
from features.sources import Location, open_table_files
from features.table_files import TableFiles
from serving.cli.data import warn_of_the_future
from serving.cli.output import parse_moment


class EngineName(StrEnum):
    """Engines by the word for them."""

    DUCKDB = "duckdb"
    SPARK = "spark"


EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="duckdb: this process. spark: a cluster, or all cores here."),
]


@dataclass(frozen=True)
class Place:
    """Where SQL runs, and functions over rows."""

    engine: Engine
    mapper: RowMapper


def place_of(name: EngineName) -> Place:
    """The place of that name."""
    if name is EngineName.SPARK:
        spark = SparkEngine()
        return Place(spark, spark)
    return Place(DUCKDB, InProcess())


def open_files(data: Location, *, name: EngineName, folder: Path) -> TableFiles:
    """The tables as files that the engine reads where they lie.

    Args:
        data: See `--data`; on Spark also the address of a folder in an object store, whose files
            are taken as they are: nobody has checked them.
        name: Which engine.
        folder: Where tables go that are no parquet files; every machine must see it.
    """
    if data.is_database or not is_address(data.path):
        return open_table_files(data, folder=folder, until=datetime.now(UTC))
    if name is not EngineName.SPARK:
        raise BadInputError(f"--data {data}: only --engine spark reads object stores")
    files = SparkEngine().find_tables(data.path)
    if "customers" not in files:
        raise BadInputError(f"--data {data}: there is no customers.parquet, or it cannot be read")
    return files


def choose_moment(tables: TableFiles, as_of: str | None, *, engine: Engine) -> datetime:
    """The moment that was asked for, else the first second at which everything is known."""
    span = find_span(tables, engine=engine)
    if as_of is None:
        warn_of_the_future(span.end)
        return span.end
    moment = parse_moment(as_of)
    if span.first_customer >= moment:
        raise BadInputError(f"--as-of {as_of}: no customer is known before that moment")
    return moment


@contextmanager
def work_folder(out: Path | None) -> Iterator[Path]:
    """A folder beside the goal, where every machine of an engine sees it; removed at the end."""
    beside = None if out is None or is_address(out) else out.parent
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".opportune-", dir=beside) as folder:
        yield Path(folder)
