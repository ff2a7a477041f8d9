"""The command that decides in batch."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.engines.spark import SparkEngine
from features.sources import Location
from features.triggers import find_triggers
from serving.batch.decisions import to_tables
from serving.batch.run import BatchReport, claim_home_by_sample, decide_on_spark
from serving.cli.data import (
    AsOfOption,
    DataOption,
    OutFileOption,
    read_as_of,
    require_parquet_place,
    write_frame,
)
from serving.cli.engines import EngineName, EngineOption, choose_moment, open_files, work_folder
from serving.cli.output import (
    RULES_STAND_IN,
    JsonOption,
    progress,
    say,
    show_json,
    show_table,
)
from serving.cli.predictions import predict_late_orders
from serving.cli.void_copy import warn_of_void
from serving.copy.voice import read_brand, read_offers
from serving.disruptions import follow_tables
from serving.home import claim_home
from serving.policy.settings import load_policy_settings
from serving.publish import learn_bandit, load_champions
from serving.records import Reason
from serving.requests import churn_risk_requests, requests_of
from serving.runtime import read_copy_settings, read_economics, read_risk_rules, wire_parts
from serving.settings import Settings, read_settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models
from training.registry.tracking import Tracking


def decide(
    data: DataOption,
    out: OutFileOption,
    as_of: AsOfOption = None,
    engine: EngineOption = EngineName.DUCKDB,
    as_json: JsonOption = False,
) -> None:
    """Decide about everybody a trigger was found for; records go to the store and to a file."""
    settings = read_settings()
    _require_readable(settings)
    models = load_champions(Tracking.in_folder(settings.registry))
    with progress(f"deciding from {data}"):
        if engine is EngineName.SPARK:
            report, moment = _decide_on_spark(settings, models, data=data, out=out, as_of=as_of)
        else:
            report, moment = _decide_here(settings, models, data=data, out=out, as_of=as_of)
    _show(report, out=out, moment=moment, can_score=models.can_score, as_json=as_json)


def _require_readable(settings: Settings) -> None:
    """Say what is wrong with files that the settings name before tables are read, which is slow."""
    load_policy_settings(settings.policy_file)
    read_economics(settings.economics)
    read_brand(settings.voice, settings=read_copy_settings(settings))
    read_offers(settings.offers)
    read_risk_rules(settings.risk)


def _decide_here(
    settings: Settings, models: Models, *, data: Location, out: Path, as_of: str | None
) -> tuple[BatchReport, datetime]:
    require_parquet_place(out)
    tables, moment = read_as_of(data, as_of)
    claim_home(settings.home, tables)
    parts = wire_parts(settings, clock=lambda: moment)
    warn_of_void(parts.keeper.find_void())
    follow_tables(parts.store, tables, as_of=moment, settings=parts.policy.disruptions)
    snapshot = make_snapshot(
        tables,
        as_of=moment,
        models=models,
        bandit=learn_bandit(tables, parts.store, as_of=moment, policy=parts.policy),
    )
    late = predict_late_orders(settings, tables, as_of=moment)
    requests = [
        *requests_of(
            find_triggers(tables, as_of=moment, predictions=late),
            as_of=moment,
            prices=tables.get("prices"),
        ),
        *churn_risk_requests(snapshot, rules=parts.risk),
    ]
    with parts.store.reading() as session:
        n_before = len(session.find_by_keys(requests))
    decided = parts.engine(snapshot).decide_batch(requests)
    parts.store.close()
    write_frame(pa.concat_tables(to_tables(decided, requests)).to_pandas(), out)
    reasons = {reason.value: n for reason, n in decided.count_reasons().items()}
    return BatchReport(len(decided), n_before, reasons), moment


def _decide_on_spark(
    settings: Settings, models: Models, *, data: Location, out: Path, as_of: str | None
) -> tuple[BatchReport, datetime]:
    spark = SparkEngine()
    with work_folder(out) as work:
        tables = open_files(data, name=EngineName.SPARK, folder=work)
        moment = choose_moment(tables, as_of, engine=spark)
        claim_home_by_sample(settings.home, tables, engine=spark)
        parts = wire_parts(settings, clock=lambda: moment)
        warn_of_void(parts.keeper.find_void())
        follow_tables(
            parts.store, tables, as_of=moment, settings=parts.policy.disruptions, engine=spark
        )
        report = decide_on_spark(
            tables,
            out,
            as_of=moment,
            models=models,
            parts=parts,
            engine=spark,
            predictions=predict_late_orders(settings, tables, as_of=moment),
        )
        parts.store.close()
    return report, moment


def _show(
    report: BatchReport, *, out: Path, moment: datetime, can_score: bool, as_json: bool
) -> None:
    reasons = Counter(report.reasons).most_common()
    if as_json:
        show_json(
            {
                "out": str(out),
                "as_of": moment.isoformat(),
                "decisions": report.n_decisions,
                "decided_before": report.n_before,
                "sent": report.reasons.get(Reason.CHOSEN.value, 0),
                "reasons": dict(reasons),
            }
        )
        return
    rows = [(reason, f"{n:,}") for reason, n in reasons]
    title = f"{report.n_decisions:,} decisions in {out}"
    show_table(("reason", "decisions"), rows, title=title)
    if report.n_before:
        say(f"{report.n_before:,} of them were decided before, and are unchanged")
    if not can_score:
        say(RULES_STAND_IN)
    if not report.n_decisions:
        say("no trigger was found, and no churn champion names anybody at risk")
