"""From rules to cases: run them on an engine, leave out what was told, write the evidence."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pandas as pd

from features.engines import DUCKDB, Engine, Relations
from features.engines.batches import InProcess, RowMapper
from features.errors import BadInputError
from features.point_in_time.facts import open_known_facts
from features.point_in_time.spine import to_micros
from features.schemas import pa
from features.tables import Tables
from features.triggers.account import ACCOUNT_RULES
from features.triggers.anomaly import ANOMALY_RULE
from features.triggers.clocks import add_clocks
from features.triggers.delivery import DELIVERY_RULES
from features.triggers.marketing import MARKETING_RULES
from features.triggers.query import FACT_TYPES, RAW_COLUMNS, write_query
from features.triggers.rules import KEPT, READ, TriggerRule, micros, write_shared
from features.triggers.settings import TriggerSettings
from features.triggers.writing import CASE_ROWS, CaseWriter
from features.vocabulary import Trigger, Urgency

RULES: Final[tuple[TriggerRule, ...]] = (
    *DELIVERY_RULES,
    *ACCOUNT_RULES,
    ANOMALY_RULE,
    *MARKETING_RULES,
)

CASES: Final = pa.DataFrameSchema(
    {
        "customer_id": pa.Column("str"),
        "trigger": pa.Column("str", pa.Check.isin(list(Trigger))),
        "found_at": pa.Column("datetime64[us, UTC]"),
        "subject": pa.Column("str"),
        "urgency": pa.Column("str", pa.Check.isin(list(Urgency)), nullable=True),
        "evidence": pa.Column("str"),
        "began_at": pa.Column("datetime64[us, UTC]"),
        "expires_at": pa.Column("datetime64[us, UTC]"),
        "key": pa.Column("str"),
    },
    strict=True,
    ordered=True,
    unique=["customer_id", "trigger", "subject"],
)
"""Cases: one row per customer, trigger and problem; evidence is JSON, `{}` where a fact lacks."""

PREDICTIONS: Final = pa.DataFrameSchema(
    {
        "order_id": pa.Column("str"),
        "p_late": pa.Column("float64", pa.Check.in_range(0.0, 1.0)),
        "expected_on": pa.Column("datetime64[us, UTC]", nullable=True),
    },
    unique=["order_id"],
)
"""What a model expects of orders on their way: the chance of being late, and when they come."""

_DEFAULTS = TriggerSettings()
_COLUMNS = {**RAW_COLUMNS, **{f"fact_{name}": kind for name, kind in FACT_TYPES.items()}}
_NO_CASES = (
    f"SELECT {', '.join(f'CAST(NULL AS {k}) AS {n}' for n, k in _COLUMNS.items())} WHERE 1 = 0"
)
_PREDICTION_TYPES = {"order_id": "str", "p_late": "float64", "expected_at": "Int64"}


def find_triggers(
    tables: Tables,
    *,
    as_of: datetime,
    settings: TriggerSettings = _DEFAULTS,
    predictions: pd.DataFrame | None = None,
    engine: Engine = DUCKDB,
    triggers: Collection[Trigger] = tuple(Trigger),
) -> pd.DataFrame:
    """Every problem or occasion that a customer has at a moment and was not yet written to about.

    Only what was known strictly before the moment counts. Consent, quiet hours and every other
    guard are not asked here: they belong to the decision.

    A case is left out when a message of its trigger went to the customer since the problem began;
    a message that says by its `case_key` which order, place or disruption it was about tells of
    that one only.

    Args:
        tables: Conformed frames by name, or files; `customers` is required, triggers of absent ones
            are silent.
        as_of: Aware moment.
        settings: Thresholds.
        predictions: A frame that `PREDICTIONS` accepts, of orders that are on their way at the
            moment; None where no model says what will be late.
        engine: Where the SQL runs.
        triggers: Which of them to look for.

    Returns:
        A frame that `CASES` accepts, by trigger and customer: customer_id, trigger, found_at (the
        moment), subject (order, item, place, disruption, or the UTC day on which the problem
        began), urgency (null where one case is as pressing as another), evidence (JSON of the facts
        in `features.evidence`; days and moments in the customer's time zone), began_at, expires_at
        (the last moment at which it may be told) and key (the same for the same problem whenever,
        wherever and with whatever other customers it is found).

    Raises:
        BadInputError: `as_of` is naive, the predictions are no such frame, or a customer's time
            zone does not exist.
    """
    at = to_micros(as_of)
    writer = _make_writer(at)
    queries = _write_queries(tables, at=at, settings=settings, triggers=triggers)
    with _open(tables, at=at, settings=settings, predictions=predictions, engine=engine) as facts:
        rows = [facts.query(f"{query} ORDER BY customer_id, subject") for query in queries]
    # Most rules find nothing of a few customers: writing that down would take longer than looking.
    found = [writer.write(one) for one in rows if len(one)] or [writer.write(rows[0])]
    return CASES.validate(pd.concat(found, ignore_index=True))


def write_triggers(
    tables: Tables,
    out: Path,
    *,
    as_of: datetime,
    settings: TriggerSettings = _DEFAULTS,
    predictions: pd.DataFrame | None = None,
    engine: Engine = DUCKDB,
    mapper: RowMapper | None = None,
) -> int:
    """Write what `find_triggers` finds as parquet; it never is in memory as a whole.

    Rows are in the order of customers; those of one customer in that of `find_triggers`.

    Args:
        tables: See `find_triggers`.
        out: Where to; whole or not at all.
        as_of: See `find_triggers`.
        settings: See `find_triggers`.
        predictions: See `find_triggers`.
        engine: Where the SQL runs.
        mapper: Where evidence is written; None: in this process.

    Returns:
        How many cases there are.

    Raises:
        BadInputError: See `find_triggers`.
    """
    at = to_micros(as_of)
    queries = _write_queries(tables, at=at, settings=settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="triggers-", dir=out.parent) as folder:
        rows = Path(folder) / "rows.parquet"
        with _open(
            tables, at=at, settings=settings, predictions=predictions, engine=engine
        ) as facts:
            numbered = (f"SELECT {n} AS rule, q.* FROM ({q}) q" for n, q in enumerate(queries))
            found = f"SELECT * FROM ({' UNION ALL '.join(numbered)}) f"
            facts.write(f"{found} ORDER BY customer_id, rule, subject", rows)
        return (mapper or InProcess()).map_rows(
            rows, _make_writer(at), columns=list(_COLUMNS), schema=CASE_ROWS, out=out
        )


def _write_queries(
    tables: Tables,
    *,
    at: int,
    settings: TriggerSettings,
    triggers: Collection[Trigger] = tuple(Trigger),
) -> list[str]:
    """One for each trigger that has its tables; at least one, which may find nothing."""
    rules = [
        rule
        for rule in RULES
        if rule.trigger in triggers and all(name in tables for name in rule.needs)
    ]
    return [write_query(rule, at=at, settings=settings) for rule in rules] or [_NO_CASES]


@contextmanager
def _open(
    tables: Tables,
    *,
    at: int,
    settings: TriggerSettings,
    predictions: pd.DataFrame | None,
    engine: Engine,
) -> Iterator[Relations]:
    """Everything that the rules read."""
    with open_known_facts(tables, names=READ, before=at, engine=engine) as facts:
        for name, text in write_shared(at, settings).items():
            make = facts.create_table if name in KEPT else facts.create_view
            make(name, text)
        facts.register("predictions", _read_predictions(predictions))
        if "activity" in tables:
            history = micros(settings.hour_history_days + settings.login_lookback_days)
            add_clocks(facts, since=at - history, until=at)
        yield facts


def _read_predictions(predictions: pd.DataFrame | None) -> pd.DataFrame:
    if predictions is None:
        return pd.DataFrame({name: pd.Series(dtype=t) for name, t in _PREDICTION_TYPES.items()})
    try:
        PREDICTIONS.validate(predictions)
    except pa.errors.SchemaError as error:
        raise BadInputError(f"predictions of late deliveries: {error}") from error
    expected_on = predictions["expected_on"]
    return pd.DataFrame(
        {
            "order_id": predictions["order_id"],
            "p_late": predictions["p_late"],
            "expected_at": expected_on.astype("int64").where(expected_on.notna()).astype("Int64"),
        }
    )


def _make_writer(at: int) -> CaseWriter:
    return CaseWriter(at, {rule.trigger.value: rule.whole_days for rule in RULES})
