"""Commands about a moment: features, triggers. They need no model: MLflow is not imported."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from features.all_features import ALL_FEATURES
from features.engines.batches import read_batches
from features.point_in_time import EveryCustomer, write_features
from features.tables import Tables
from features.triggers import write_triggers
from features.triggers.cases import RULES
from features.triggers.rules import TriggerRule
from serving.cli.data import AsOfOption, DataOption, OutFileOption, require_parquet_place
from serving.cli.engines import (
    EngineName,
    EngineOption,
    choose_moment,
    open_files,
    place_of,
    work_folder,
)
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.cli.predictions import predict_late_orders
from serving.settings import read_settings


def features(
    data: DataOption,
    out: OutFileOption,
    as_of: AsOfOption = None,
    engine: EngineOption = EngineName.DUCKDB,
    as_json: JsonOption = False,
) -> None:
    """Build every customer's features as of a moment."""
    if engine is EngineName.DUCKDB:
        require_parquet_place(out)
    place = place_of(engine)
    with progress(f"building features from {data}"), work_folder(out) as work:
        tables = open_files(data, name=engine, folder=work)
        moment = choose_moment(tables, as_of, engine=place.engine)
        n_rows = write_features(
            tables, EveryCustomer(moment), out, features=ALL_FEATURES, engine=place.engine
        )
    n_features = len(ALL_FEATURES.names)
    if as_json:
        show_json({"out": str(out), "rows": n_rows, "features": n_features})
    else:
        show(f"{n_rows:,} customers x {n_features} features as of {moment} in {out}")


def triggers(
    data: DataOption,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Parquet file to write.")] = None,
    engine: EngineOption = EngineName.DUCKDB,
    as_json: JsonOption = False,
) -> None:
    """Find who should hear what, as of a moment."""
    if engine is EngineName.DUCKDB:
        require_parquet_place(out)
    place = place_of(engine)
    with progress(f"looking for triggers in {data}"), work_folder(out) as work:
        tables = open_files(data, name=engine, folder=work)
        moment = choose_moment(tables, as_of, engine=place.engine)
        found = out or work / "found.parquet"
        n_cases = write_triggers(
            tables,
            found,
            as_of=moment,
            predictions=predict_late_orders(read_settings(), tables, as_of=moment),
            engine=place.engine,
            mapper=place.mapper,
        )
        counts: Counter[str] = Counter()
        for batch in read_batches(found, columns=("trigger",)):
            counts.update(batch["trigger"].to_pylist())
    if as_json:
        by_trigger: dict[str, Json] = dict(sorted(counts.items()))
        show_json({"as_of": moment.isoformat(), "cases": n_cases, "by_trigger": by_trigger})
    else:
        if silent := [_describe_silence(rule, tables) for rule in RULES if _lacks(rule, tables)]:
            say(f"not looked for, for lack of tables: {', '.join(silent)}")
        rows = [(name, f"{n:,}") for name, n in sorted(counts.items())]
        show_table(("trigger", "cases"), rows, title=f"{n_cases:,} cases as of {moment}")


def _lacks(rule: TriggerRule, tables: Tables) -> list[str]:
    return [name for name in rule.needs if name not in tables]


def _describe_silence(rule: TriggerRule, tables: Tables) -> str:
    return f"{rule.trigger} ({' and '.join(_lacks(rule, tables))})"
