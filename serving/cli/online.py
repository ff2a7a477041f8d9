"""Commands about what is known online: rebuild, status, export; and parity."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import NotReadyError
from features.sources import read_tables, write_tables
from features.tables import last_moment
from serving.cli.data import AsOfOption, DataOption, OutFolderOption
from serving.cli.output import (
    Json,
    JsonOption,
    parse_moment,
    progress,
    say,
    show,
    show_json,
    show_table,
)
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.online.accounts import running_layout
from serving.online.decided import export_decided, join_decided
from serving.online.export import export_log
from serving.online.parity import FeatureParity, ParityReport, SkewExample, compare_served
from serving.online.rebuild import rebuild_online
from serving.policy.cases import from_us, to_us
from serving.settings import read_settings
from serving.store.store import Store

online = typer.Typer(
    help="What is known of customers while it happens: states, histories and the log of facts.",
    no_args_is_help=True,
)

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of the state; OPPORTUNE_HOME when not given.")
]


@online.command()
def rebuild(
    data: DataOption, as_of: AsOfOption = None, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Make every customer's state anew from the tables, with the log of facts on top."""
    with progress(f"rebuilding states from {data}"):
        tables = read_tables(data)
        moment = last_moment(tables) if as_of is None else parse_moment(as_of)
        claim_home(_home(home), tables)
        store = _open_store(home)
        made = rebuild_online(store, tables, as_of=moment)
        store.close()
    if as_json:
        show_json(
            {
                "as_of": moment.isoformat(),
                "generation": made.generation,
                "customers": made.n_customers,
                "with_posted_facts": made.n_replayed,
            }
        )
    else:
        show(
            f"{made.n_customers:,} customers as of {moment}, "
            f"{made.n_replayed:,} of them with facts that were posted"
        )


@online.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say what there is: the last rebuild, states, and facts in the log."""
    store = _open_store(home)
    with store.reading() as session:
        generation = session.online.current_generation()
        counts = session.online.count()
    store.close()
    rebuilt_as_of = None
    if generation is not None and generation.as_of_us > 0:
        rebuilt_as_of = from_us(generation.as_of_us).isoformat()
    last = None if counts.last_known_us is None else from_us(counts.last_known_us).isoformat()
    is_running = generation is None or generation.layout == running_layout().digest
    answer: dict[str, Json] = {
        "rebuilt_as_of": rebuilt_as_of,
        "states": counts.n_states,
        "facts": counts.n_facts,
        "last_fact_known_at": last,
        "decisions_with_served_features": counts.n_served,
        "tables": [] if generation is None else sorted(generation.tables),
        "declarations_unchanged_since_rebuild": is_running,
    }
    if as_json:
        show_json(answer)
        return
    words = {k: ", ".join(v) if isinstance(v, list) else str(v) for k, v in answer.items()}
    show_table(("what", "is"), [(k.replace("_", " "), v) for k, v in words.items()])


@online.command()
def export(out: OutFolderOption, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Write the posted facts as tables, to train on where they are kept nowhere else."""
    with progress(f"writing posted facts to {out}"):
        store = _open_store(home)
        exported = export_log(store)
        store.close()
        if not exported.tables:
            raise NotReadyError("no facts were posted yet: there is nothing to export")
        write_tables(exported.tables, out)
    rows: dict[str, Json] = {name: len(frame) for name, frame in exported.tables.items()}
    left_out: dict[str, Json] = dict(exported.n_left_out)
    if as_json:
        to_come: dict[str, Json] = dict(exported.n_to_come)
        show_json({"out": str(out), "rows": rows, "left_out": left_out, "to_come": to_come})
        return
    show_table(
        ("table", "rows"), [(n, f"{k:,}") for n, k in rows.items()], title=f"tables in {out}"
    )
    for name, n in left_out.items():
        say(f"[yellow]left out[/yellow] of {name}: {n:,} about somebody whom nobody posted")
    for name, n in exported.n_to_come.items():
        say(f"[yellow]left out[/yellow] of {name}: {n:,} of moments that had not come yet")


@online.command()
def decisions(
    data: DataOption, out: OutFolderOption, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Write what was decided, sent and reported as tables, to learn from: uplift needs it.

    The tables `decisions`, `messages` and `outcomes` of DATA with the rows of the store behind
    theirs: they can take the place of those in DATA.
    """
    with progress(f"writing decisions to {out}"):
        tables = read_tables(data)
        claim_home(_home(home), tables)
        store = _open_store(home)
        log = export_decided(store)
        store.close()
        if not len(log.tables["decisions"]) and not log.n_several:
            raise NotReadyError("nothing was decided yet: there is nothing to export")
        joined = join_decided(log, tables)
        write_tables(joined.tables, out)
    rows: dict[str, Json] = {name: len(frame) for name, frame in joined.tables.items()}
    if as_json:
        show_json(
            {
                "out": str(out),
                "rows": rows,
                "added": dict(joined.n_added),
                "left_out": dict(joined.n_left_out),
                "several_channels": log.n_several,
                "to_come": log.n_to_come,
            }
        )
        return
    show_table(
        ("table", "rows", "of them new"),
        [(name, f"{n:,}", f"{joined.n_added[name]:,}") for name, n in rows.items()],
        title=f"tables in {out}",
    )
    for name, n in joined.n_left_out.items():
        say(f"[yellow]left out[/yellow] of {name}: {n:,} about somebody who is not in {data}")
    if log.n_several:
        say(f"[yellow]left out[/yellow] of decisions: {log.n_several:,} for several channels")
    if log.n_to_come:
        say(f"[yellow]left out[/yellow] of messages: {log.n_to_come:,} that are not sent yet")


def parity(
    data: DataOption,
    home: HomeOption = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Compare features served from this moment on.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", help="Up to when the tables hold everything; where they end when not given."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare features that were served with those made from the tables at the same moments."""
    with progress(f"comparing served features with {data}"):
        tables = read_tables(data)
        end = last_moment(tables) if until is None else parse_moment(until)
        store = _open_store(home)
        since_us = 0 if since is None else to_us(parse_moment(since))
        # What the last rows say is known right after them: a moment sees what came before it.
        later_us = to_us(end) + 2
        with store.reading() as session:
            served = session.online.read_served(since_us=since_us, until_us=later_us)
            report = compare_served(served, tables)
            n_later = session.online.count_served(since_us=later_us)
        store.close()
    if n_later:
        say(f"{n_later:,} decisions left out: served after {end}, where the tables end (--until)")
    if not report.n_decisions:
        raise NotReadyError(
            f"nothing to compare: no decision has features of the running declarations served "
            f"up to {end.isoformat()}, until when the tables hold everything"
        )
    if as_json:
        show_json(_as_json(report, until=end))
    else:
        _show_report(report)
    if report.skewed:
        raise typer.Exit(EXIT_REFUSED)


def _show_report(report: ParityReport) -> None:
    if report.n_other_features:
        say(f"{report.n_other_features:,} decisions left out: made with other declarations")
    if not report.skewed:
        show(
            f"no skew: {len(report.features)} features of {report.n_decisions:,} decisions are the "
            "same as made from the tables"
        )
        return
    rows = [
        (f.set_name, f.feature, f"{f.n_compared:,}", f"{f.n_differing:,}", f"{f.largest:g}")
        for f in report.skewed
    ]
    show_table(("set", "feature", "compared", "differing", "largest difference"), rows)
    described = {
        f"{feature.feature}: {_describe(example)}"
        for feature in report.skewed
        for example in feature.examples
    }
    for line in sorted(described):  # two sets may hold the same feature
        show(line)
    show(
        f"SKEW: {len(report.skewed)} of {len(report.features)} features were served otherwise than "
        f"the tables say, in {report.n_decisions:,} decisions"
    )


def _describe(example: SkewExample) -> str:
    return (
        f"customer {example.customer_id} at {example.as_of.isoformat()}: "
        f"served {example.served}, the tables say {example.rebuilt}"
    )


def _as_json(report: ParityReport, *, until: datetime) -> Json:
    return {
        "decisions": report.n_decisions,
        "other_declarations": report.n_other_features,
        "until": until.isoformat(),
        "skewed": len(report.skewed),
        "features": [_feature_as_json(feature) for feature in report.features],
    }


def _feature_as_json(feature: FeatureParity) -> Json:
    return {
        "set": feature.set_name,
        "feature": feature.feature,
        "compared": feature.n_compared,
        "differing": feature.n_differing,
        "largest": None if feature.largest == float("inf") else feature.largest,
        "examples": [
            {
                "customer_id": example.customer_id,
                "as_of": example.as_of.isoformat(),
                "decision_id": example.decision_id,
                "served": example.served,
                "rebuilt": example.rebuilt,
            }
            for example in feature.examples
        ],
    }


def _home(home: Path | None) -> Path:
    return read_settings().home if home is None else home


def _open_store(home: Path | None) -> Store:
    settings = read_settings()
    if home is not None:
        settings = settings.model_copy(update={"home": home})
    return Store(settings.store_place)
