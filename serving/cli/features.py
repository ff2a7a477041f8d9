"""Commands about a moment: features, triggers, score."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from features.engines.batches import RowMapper, read_batches
from features.errors import BadInputError
from features.point_in_time import EveryCustomer, write_features
from features.tables import Tables
from features.triggers import write_triggers
from features.triggers.cases import RULES
from features.triggers.rules import TriggerRule
from features.vocabulary import Trigger
from serving.batch.customers import ALL_FEATURES
from serving.batch.scores import ALREADY_GONE, count_gone, make_scorer, score_rows
from serving.batch.uplift import make_uplift_scorer
from serving.cli.data import AsOfOption, DataOption, OutFileOption
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
from serving.publish import load_champions
from serving.runtime import read_risk_rules
from serving.settings import Settings, read_settings
from training.registry.tracking import Tracking


def features(
    data: DataOption,
    out: OutFileOption,
    as_of: AsOfOption = None,
    engine: EngineOption = EngineName.DUCKDB,
    as_json: JsonOption = False,
) -> None:
    """Build every customer's features as of a moment."""
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


def score(
    features: Annotated[Path, typer.Option("--features", help="What `opportune features` wrote.")],
    out: OutFileOption,
    trigger: Annotated[
        Trigger | None,
        typer.Option(help="Score messages of this trigger on every channel, instead of churn."),
    ] = None,
    uplift: Annotated[
        bool, typer.Option("--uplift", help="With --trigger: who would be moved by the message.")
    ] = False,
    engine: EngineOption = EngineName.DUCKDB,
    as_json: JsonOption = False,
) -> None:
    """Score everybody in a file of features with the models that are served."""
    settings, mapper = read_settings(), place_of(engine).mapper
    if uplift:
        _score_uplift(settings, features, out, mapper=mapper, trigger=trigger, as_json=as_json)
        return
    with progress(f"scoring {features}"):
        models = load_champions(Tracking.in_folder(settings.registry))
        scorer = make_scorer(
            models,
            features,
            mapper=mapper,
            rules=read_risk_rules(settings.risk),
            trigger=trigger,
            with_factors=True,
        )
        n_rows = score_rows(scorer, features, mapper=mapper, out=out)
        n_gone = count_gone(out, mapper=mapper)
    names = scorer.schema.names[2:]
    _report_scores(out, n_rows=n_rows, n_gone=n_gone, names=names, as_json=as_json)


def _score_uplift(
    settings: Settings,
    features: Path,
    out: Path,
    *,
    mapper: RowMapper,
    trigger: Trigger | None,
    as_json: bool,
) -> None:
    if trigger is None:
        raise BadInputError("score --uplift: say which message with --trigger")
    with progress(f"scoring {features}"):
        tracking = Tracking.in_folder(settings.registry)
        scorer = make_uplift_scorer(tracking, features, mapper=mapper, trigger=trigger)
        n_rows = mapper.map_rows(
            features, scorer, columns=scorer.columns, schema=scorer.schema, out=out
        )
    _report_scores(out, n_rows=n_rows, names=scorer.schema.names[2:], as_json=as_json)


def _report_scores(
    out: Path, *, n_rows: int, names: list[str], as_json: bool, n_gone: int = 0
) -> None:
    n_scored = n_rows - n_gone
    if as_json:
        counts = {"rows": n_rows, "scored": n_scored, ALREADY_GONE: n_gone}
        show_json({"out": str(out), **counts, "scores": list(names)})
    else:
        gone = f", {n_gone:,} already gone" if n_gone else ""
        show(f"{n_scored:,} rows scored{gone} in {out}: {', '.join(names)}")
