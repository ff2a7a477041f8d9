"""Spark: SQL and Python functions over tables that no single machine holds.

PySpark lives here and nowhere else. A session that is there already (`spark-submit`, a notebook, a
platform) is used as it is; else one is started, on all cores of this machine or wherever
`PYSPARK_SUBMIT_ARGS` and `spark-defaults.conf` say. Everything of ours happens in a session of its
own beside it: ANSI SQL, UTC, and names that meet nobody else's.

Data goes in and out as Arrow: PySpark's own pandas conversions warn of pandas 3.
"""

import importlib.util
import os
import shutil
import sys
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pandas as pd
import pyarrow as pa

from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT, Column, Kind, TableContract
from features.engines.batches import BatchFunction
from features.engines.engine import BASE_TYPES, base_column
from features.errors import BadInputError, ConfigurationError
from features.table_files import TableFiles
from features.tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
_PARTITIONS_PER_CORE = 4


@dataclass(frozen=True)
class SparkEngine:
    """Runs SQL, and functions over rows, on Spark."""

    name: ClassVar[str] = "spark"

    @contextmanager
    def open(self, tables: Tables, /, *, names: Iterable[str]) -> Iterator["SparkRelations"]:
        """The base relations of these tables; see `Engine`.

        Files are read by the executors, so every one of them must see the paths; frames are sent
        there, which suits small ones.

        Raises:
            ConfigurationError: PySpark or Java is missing, or Spark does not start.
        """
        relations = SparkRelations(_open_session(), tables)
        try:
            for name in names:
                relations.add_base(CONTRACTS[name])
            yield relations
        finally:
            relations.close()

    def find_columns(self, source: Path, /) -> frozenset[str]:
        """See `RowMapper`."""
        return frozenset(_open_session().read.parquet(locate(source)).columns)

    def has_values(self, source: Path, /, *, columns: Sequence[str]) -> bool:
        """See `RowMapper`."""
        rows = _open_session().read.parquet(locate(source))
        asked = [f"`{name}` IS NOT NULL" for name in columns if name in rows.columns]
        return bool(asked) and not rows.filter(" OR ".join(asked)).isEmpty()

    def map_rows(
        self,
        source: Path,
        function: BatchFunction,
        /,
        *,
        columns: Sequence[str],
        schema: pa.Schema,
        out: Path,
    ) -> int:
        """See `RowMapper`; the function is pickled by reference, with the plain values in it."""
        rows = _open_session().read.parquet(locate(source)).select(*columns)
        return _write(_map(rows, function, schema), out)

    def map_by_customer(
        self,
        sources: Mapping[str, Path],
        function: BatchFunction,
        /,
        *,
        text: str,
        order: tuple[str, ...],
        schema: pa.Schema,
        out: Path,
    ) -> int:
        """Send the rows of a query through a function, the rows of each customer to one place.

        Args:
            sources: Parquet files or folders by the name that the query reads them under.
            function: Gets every row of a customer, one after the other.
            text: The query; its rows have a customer_id.
            order: Columns that order the rows of one customer.
            schema: Of the rows the function gives.
            out: Folder for them; whole or not at all.

        Returns:
            How many rows were written.
        """
        session = _open_session()
        for name, path in sources.items():
            session.read.parquet(locate(path)).createOrReplaceTempView(name)
        rows = session.sql(text).repartition("customer_id")
        return _write(_map(rows.sortWithinPartitions("customer_id", *order), function, schema), out)

    def find_tables(self, folder: Path) -> TableFiles:
        """The tables of a folder that only Spark can read, such as one of an object store."""
        session = _open_session()
        paths = {name: folder / f"{name}.parquet" for name in CONTRACTS}
        return TableFiles({name: path for name, path in paths.items() if _exists(session, path)})

    def start(self) -> None:
        """Start Spark now rather than with the first use; ConfigurationError says why it cannot."""
        _open_session()

    def stop(self) -> None:
        """End the session that runs, and its workers; the next use starts another."""
        from pyspark.sql import SparkSession

        running = SparkSession.getActiveSession()
        if running is not None:
            running.stop()


@dataclass
class SparkRelations:
    """Relations of one session; see `Relations`.

    Attributes:
        session: Where they live.
        tables: What they are made of.
        late: Tables whose rows may become known later than their moment, or come again.
    """

    session: "SparkSession"
    tables: Tables
    late: frozenset[str] = frozenset()
    _kept: list["DataFrame"] = field(default_factory=list)

    def add_base(self, contract: TableContract) -> None:
        """Make the base relation of a table; without rows where the table is absent."""
        rows = self._read(contract)
        rows.createOrReplaceTempView(f"base_{contract.name}")
        if contract.name in self.tables and _may_come_late(rows):
            self.late |= {contract.name}

    def register(self, name: str, frame: pd.DataFrame, /) -> None:
        """Make a small frame a relation; times in it are integers already."""
        rows = pa.Table.from_pandas(frame, preserve_index=False)
        self.session.createDataFrame(rows).createOrReplaceTempView(name)

    def create_view(self, name: str, text: str, /) -> None:
        """Name a query; it is computed wherever it is read."""
        self.session.sql(text).createOrReplaceTempView(name)

    def create_table(self, name: str, text: str, /) -> None:
        """Name a query and compute it once, by customer, so that joins need not move it again."""
        rows = self.session.sql(text)
        if "customer_id" in rows.columns:
            rows = rows.repartition("customer_id")
        rows = rows.persist()  # in memory, the rest on disk
        self._kept.append(rows)
        rows.createOrReplaceTempView(name)

    def query(self, text: str, /) -> pd.DataFrame:
        """The rows of a query in memory."""
        with _readable_errors():
            rows: pd.DataFrame = self.session.sql(text).toArrow().to_pandas()
        return rows

    def write(self, text: str, out: Path, /, *, times: Iterable[str] = ()) -> int:
        """Write the rows of a query as a parquet folder; how many there are."""
        from pyspark.sql.functions import timestamp_micros

        rows = self.session.sql(text)
        moments = {name: timestamp_micros(rows[name]) for name in times}
        with _readable_errors():
            return _write(rows.withColumns(moments) if moments else rows, out)

    def close(self) -> None:
        """Give back what was kept."""
        for rows in self._kept:
            rows.unpersist()

    def _read(self, contract: TableContract) -> "DataFrame":
        if isinstance(self.tables, TableFiles) and contract.name in self.tables:
            rows = self.session.read.parquet(locate(self.tables.files[contract.name]))
            types = dict(rows.dtypes)
            return rows.selectExpr(*(_read_column(c, types.get(c.name)) for c in contract.columns))
        frame = self.tables.get(contract.name)
        columns = {base_column(c.name): _to_arrow(frame, c) for c in contract.columns}
        return self.session.createDataFrame(pa.table(columns))


def is_address(path: Path) -> bool:
    """Whether this is the address of an object store or a distributed file system, not a path.

    >>> is_address(Path("s3a://bucket/tables")), is_address(Path("/data/tables"))
    (True, False)
    """
    return "://" in locate(path)


def locate(path: Path) -> str:
    """The path as Spark wants it: a local one whole, an address with both its slashes.

    >>> locate(Path("s3a://bucket/tables")), locate(Path("/data/tables"))
    ('s3a://bucket/tables', '/data/tables')
    """
    scheme, colon, rest = str(path).partition(":/")
    if colon and len(scheme) > 1 and scheme.isalnum():
        return f"{scheme}://{rest.lstrip('/')}"
    return str(path.resolve())


@contextmanager
def _readable_errors() -> Iterator[None]:
    """What a number cannot become is bad input, not a fault of ours."""
    from pyspark.errors import ArithmeticException, NumberFormatException

    try:
        yield
    except (ArithmeticException, NumberFormatException) as error:
        raise BadInputError(f"a number is not finite or beyond 9e12: {error}") from error


def _open_session() -> "SparkSession":
    """A session beside the one that runs, or beside a new one; its names are its own."""
    _require_spark()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        try:
            running = SparkSession.getActiveSession() or _start()
            session = running.newSession()
        except (PySparkException, RuntimeError) as fault:
            raise ConfigurationError(f"Spark does not start: {fault}") from fault
    session.conf.set("spark.sql.ansi.enabled", "true")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    context = session.sparkContext
    if str(context.master).startswith("local") and not context.getConf().contains(
        "spark.sql.shuffle.partitions"
    ):
        partitions = _PARTITIONS_PER_CORE * context.defaultParallelism
        session.conf.set("spark.sql.shuffle.partitions", str(partitions))
    return session


def _start() -> "SparkSession":
    from pyspark.sql import SparkSession

    # Workers must be the Python that runs here: another one has none of our packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("opportune")
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # nobody has submitted us: it is ours to configure
        options = f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}"
        builder = (
            builder.config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.extraJavaOptions", options)
        )
    return builder.getOrCreate()


def _require_spark() -> None:
    """Raise ConfigurationError where PySpark or Java is missing."""
    if importlib.util.find_spec("pyspark") is None:
        raise ConfigurationError("engine spark: PySpark is not installed; `pip install pyspark`")
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else None
    found = java.exists() if java else shutil.which("java") is not None
    if not found and "PYSPARK_GATEWAY_PORT" not in os.environ:
        where = f"JAVA_HOME is {home} and has no bin/java" if home else "there is no `java`"
        raise ConfigurationError(f"engine spark: {where}; Spark needs Java 17 or newer")


def _map(rows: "DataFrame", function: BatchFunction, schema: pa.Schema) -> "DataFrame":
    from pyspark.sql.pandas.types import from_arrow_schema

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        return rows.mapInArrow(function, from_arrow_schema(schema))


def _write(rows: "DataFrame", out: Path) -> int:
    """Write parquet beside the goal, then rename it; in an object store Spark commits by itself."""
    location = locate(out)
    if "://" in location:
        rows.write.mode("overwrite").parquet(location)
        return int(rows.sparkSession.read.parquet(location).count())
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(f"{location}.{uuid.uuid4().hex}.unfinished")
    try:
        rows.write.parquet(str(unfinished))
        n_rows = int(rows.sparkSession.read.parquet(str(unfinished)).count())  # from the footers
        if out.is_dir():
            shutil.rmtree(out)
        out.unlink(missing_ok=True)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return n_rows


def _exists(session: "SparkSession", path: Path) -> bool:
    from pyspark.errors import AnalysisException

    try:
        session.read.parquet(locate(path))
    except AnalysisException:
        return False
    return True


def _may_come_late(rows: "DataFrame") -> bool:
    """Whether any row has a `known_at` or an `event_id`; read from the footers where it can be."""
    told = [name for name in (KNOWN_AT, EVENT_ID) if name in rows.columns]
    if not told:
        return False
    return not rows.filter(" OR ".join(f"{name} IS NOT NULL" for name in told)).isEmpty()


def _read_column(column: Column, found: str | None) -> str:
    """A column of a file as a base relation has it; `found` is Spark's type, None if it lacks."""
    name, wanted = column.name, BASE_TYPES[column.kind]
    told = base_column(name)
    if found is None:
        return f"CAST(NULL AS {wanted}) AS {told}"
    if column.kind in (Kind.TIME, Kind.DATE):
        return f"UNIX_MICROS(CAST(`{name}` AS TIMESTAMP)) AS {told}"
    if column.kind is Kind.NUMBER:
        value = f"CAST(`{name}` AS DOUBLE)"
        return f"CASE WHEN NOT ISNAN({value}) THEN {value} END AS {told}"
    return f"CAST(`{name}` AS {wanted}) AS {told}"


def _to_arrow(frame: pd.DataFrame | None, column: Column) -> pa.Array:
    """A column of a conformed frame as a base relation has it."""
    kind = _ARROW[BASE_TYPES[column.kind]]
    if frame is None:
        return pa.array([], type=kind)
    if column.name not in frame:
        return pa.nulls(len(frame), type=kind)
    values = frame[column.name]
    if column.kind in (Kind.TIME, Kind.DATE):
        micros = values.astype("int64").where(values.notna()).astype("Int64")
        return pa.array(micros, type=kind, from_pandas=True)
    return pa.array(values, type=kind, from_pandas=True)


_ARROW = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
}
