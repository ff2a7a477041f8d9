"""From tables, a spine and declarations to a frame of numbers."""

import duckdb
import pandas as pd

from features.declarations import FeatureSet
from features.errors import BadInputError
from features.point_in_time.compile import compile_features
from features.point_in_time.facts import open_facts
from features.point_in_time.spine import number_rows
from features.tables import Tables


def build_features(tables: Tables, spine: pd.DataFrame, *, features: FeatureSet) -> pd.DataFrame:
    """Every feature of every spine row, from what was known strictly before the row's moment.

    Rows known at or after the moment do not count, and times of later events (`delivered_at`,
    `resolved_at`, `paid_at`) are null until they have passed. Moments may differ from row to row;
    all of them are one query.

    Args:
        tables: Conformed frames by name; absent ones make their features null.
        spine: customer_id and as_of, as of `make_spine`; repeats are allowed.
        features: What to compute.

    Returns:
        customer_id, as_of and one float64 column per feature (NaN is null), with the rows, the
        order and the index of the spine.

    Raises:
        BadInputError: The spine lacks a column, is naive or has nulls; a number is too large.
    """
    rows = number_rows(spine)
    present = [name for name in sorted(features.tables) if name in tables]
    if "messages" not in tables and "outcomes" in present:
        present.remove("outcomes")  # without messages nobody knows whose outcomes they are
    text = compile_features(features, present=present)
    with open_facts(tables, names=present) as facts:
        facts.register("spine", rows)
        try:
            values: pd.DataFrame = facts.execute(text).df()
        except duckdb.ConversionException as error:
            raise BadInputError(
                f"features {features.name}: a number is not finite or beyond 9e12: {error}"
            ) from error
    numbers = values[list(features.names)].astype("float64").set_axis(spine.index)
    return pd.concat([spine[["customer_id", "as_of"]], numbers], axis=1)
