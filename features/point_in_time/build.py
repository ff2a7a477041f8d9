"""From tables, a spine and declarations to numbers: in memory, or straight into a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from features.declarations import FeatureSet
from features.engines import DUCKDB, Engine, Relations
from features.errors import BadInputError
from features.point_in_time.compile import compile_features
from features.point_in_time.facts import open_facts
from features.point_in_time.spine import EveryCustomer, Spine, list_rows, number_rows
from features.point_in_time.zones import add_clock
from features.tables import Tables


def build_features(
    tables: Tables, spine: Spine, *, features: FeatureSet, engine: Engine = DUCKDB
) -> pd.DataFrame:
    """Every feature of every spine row, from what was known strictly before the row's moment.

    Rows known at or after the moment do not count, rows that another one had replaced by then do
    not either, and times of later events (`delivered_at`, `resolved_at`, `paid_at`) are null until
    they have passed. Moments may differ from row to row; all of them are one query.

    Args:
        tables: Conformed frames by name, or files; absent ones make their features null.
        spine: customer_id and as_of, as of `make_spine`; repeats are allowed. Or `EveryCustomer`,
            by customer_id.
        features: What to compute.
        engine: Where the SQL runs.

    Returns:
        customer_id, as_of and one float64 column per feature (NaN is null), with the rows, the
        order and the index of the spine.

    Raises:
        BadInputError: The spine lacks a column, is naive or has nulls; a number is too large.
    """
    present = _find_present(tables, features)
    with open_facts(tables, names=_names(present, spine), engine=engine) as facts:
        rows = list_rows(facts, spine)
        facts.register("spine", number_rows(rows))
        text = _prepare(facts, features=features, present=present)
        with _named(features):
            found = facts.query(text).sort_values("row_id")
    numbers = found[list(features.names)].astype("float64").set_axis(rows.index)
    return pd.concat([rows[["customer_id", "as_of"]], numbers], axis=1)


def write_features(
    tables: Tables, spine: Spine, out: Path, *, features: FeatureSet, engine: Engine = DUCKDB
) -> int:
    """Write what `build_features` gives as parquet; neither spine nor numbers pass through memory.

    Args:
        tables: See `build_features`.
        spine: See `build_features`.
        out: Parquet, whole or not at all; rows are in no order.
        features: What to compute.
        engine: Where the SQL runs.

    Returns:
        Number of rows.

    Raises:
        BadInputError: As `build_features`.
    """
    present = _find_present(tables, features)
    with open_facts(tables, names=_names(present, spine), engine=engine) as facts:
        if isinstance(spine, pd.DataFrame):
            facts.register("spine", number_rows(spine))
        else:
            every = spine.select(late="customers" in facts.late)
            facts.create_table("spine", f"SELECT p.customer_id AS row_id, p.* FROM ({every}) p")
        text = _prepare(facts, features=features, present=present)
        numbers = ", ".join(f"f.{name}" for name in features.names)
        rows = f"SELECT f.customer_id, f.c AS as_of, {numbers} FROM ({text}) f"
        with _named(features):
            return facts.write(rows, out, times=("as_of",))


def _find_present(tables: Tables, features: FeatureSet) -> list[str]:
    return [name for name in sorted(features.tables) if name in tables]


def _names(present: list[str], spine: Spine) -> list[str]:
    needs_customers = isinstance(spine, EveryCustomer) and "customers" not in present
    return [*present, "customers"] if needs_customers else present


def _prepare(facts: Relations, *, features: FeatureSet, present: list[str]) -> str:
    """The text, and beside the tables what it reads."""
    with_hours = {f.table for f in features.plain if f.reads_hours and f.tables <= set(present)}
    if with_hours:
        add_clock(facts, tables=sorted(with_hours))
    return compile_features(features, present=present, late=facts.late)


@contextmanager
def _named(features: FeatureSet) -> Iterator[None]:
    try:
        yield
    except BadInputError as error:
        raise BadInputError(f"features {features.name}: {error}") from error
