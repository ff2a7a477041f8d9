"""The command that scores a file of features with the served models."""

from pathlib import Path
from typing import Annotated

import typer

from features.engines.batches import RowMapper
from features.errors import BadInputError
from features.vocabulary import Trigger
from serving.batch.scores import ALREADY_GONE, count_gone, make_scorer, score_rows
from serving.batch.uplift import make_uplift_scorer
from serving.cli.data import OutFileOption, require_parquet_place
from serving.cli.engines import EngineName, EngineOption, place_of
from serving.cli.output import JsonOption, progress, show, show_json
from serving.publish import load_champions
from serving.runtime import read_risk_rules
from serving.settings import Settings, read_settings
from training.registry.tracking import Tracking


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
    if engine is EngineName.DUCKDB:
        require_parquet_place(out)
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
