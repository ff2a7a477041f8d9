"""Commands about tables: simulate, import, check."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from features.checks import Note
from features.errors import BadInputError
from features.sources import (
    Adapted,
    check_source,
    open_source,
    read_complete_journey,
    read_tables,
    read_telco,
    write_tables,
)
from features.tables import Tables, known_before, last_moment
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
from training.world.scenario import scenario_named
from training.world.simulated import SimulatedWorld

DataOption = Annotated[
    Path, typer.Option("--data", help="Folder of parquet or CSV tables, or a DuckDB file.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Moment, ISO 8601; after the last known row when not given."),
]
OutFolderOption = Annotated[Path, typer.Option("--out", help="Folder for the tables.")]
OutFileOption = Annotated[Path, typer.Option("--out", help="Parquet file to write.")]


class Foreign(StrEnum):
    """Data sets of others that there is an adapter for."""

    COMPLETE_JOURNEY = "complete-journey"
    TELCO = "telco"


def simulate(
    out: OutFolderOption,
    customers: Annotated[int, typer.Option(min=10, help="Number of customers.")] = 2000,
    days: Annotated[int, typer.Option(min=10, help="Days of history.")] = 180,
    seed: Annotated[int, typer.Option(min=0, help="One seed gives one history.")] = 0,
    scenario: Annotated[
        str, typer.Option(help="calm, seasonal_change, tiny_traffic or hostile.")
    ] = "calm",
    as_json: JsonOption = False,
) -> None:
    """Simulate a world with known truth and write its history as tables."""
    with progress(f"simulating {customers} customers over {days} days"):
        world = SimulatedWorld(
            seed=seed, n_customers=customers, days=days, scenario=scenario_named(scenario)
        )
        tables = world.tables(world.start)
        write_tables(tables, out)
    say(
        f"{len(tables['customers']):,} of {customers:,} customers have signed up by "
        f"{world.start:%Y-%m-%d}; the others will later"
    )
    _report_tables(tables, out, as_json=as_json)


def import_data(
    what: Annotated[Foreign, typer.Argument(help="Which data set.")],
    out: OutFolderOption,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Its folder or file; complete-journey also comes installed."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn somebody else's data into tables of ours, and say what had to be assumed."""
    with progress(f"reading {what}"):
        adapted = _read_foreign(what, source)
        write_tables(adapted.tables, out)
    for assumption in adapted.assumptions:
        say(f"[yellow]assumed[/yellow] {assumption}")
    if what is Foreign.TELCO:
        say(
            "this is one moment of a company: good to look at with `opportune check` and "
            "`features`; nothing in it happens later, so there is nothing to train on or decide"
        )
    _report_tables(adapted.tables, out, as_json=as_json)


def check(
    data: DataOption,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Rows known later are violations; now when not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check tables against their contracts; every violation is named in one run."""
    moment = parse_moment(as_of) if as_of else datetime.now(UTC)
    with progress(f"checking {data}"):
        checked = check_source(open_source(data), as_of=moment)
    if as_json:
        violations: list[Json] = [
            {
                "table": violation.table,
                "column": violation.column,
                "rule": violation.rule.value,
                "n_rows": violation.n_rows,
                "examples": list(violation.examples),
                "expected": violation.expected,
            }
            for violation in checked.violations
        ]
        notes: list[Json] = [str(note) for note in checked.notes]
        show_json({"valid": not violations, "violations": violations, "notes": notes})
    else:
        for note in _describe_notes(checked.notes):
            show(f"note       {note}")
        for violation in checked.violations:
            show(f"violation  {violation}")
        n_rows = sum(len(frame) for frame in checked.tables.values())
        n_tables = len(checked.tables)
        n_violations = len(checked.violations)
        show(f"violations: {n_violations}; tables: {n_tables}; rows: {n_rows:,}")
    if checked.violations:
        raise typer.Exit(EXIT_REFUSED)


def read_as_of(data: Path, as_of: str | None) -> tuple[Tables, datetime]:
    """Tables as known before the moment; without one, the moment after the last known row."""
    tables = read_tables(data)
    if as_of is None:
        return tables, last_moment(tables)
    moment = parse_moment(as_of)
    known = known_before(tables, pd.Timestamp(moment))
    if known["customers"].empty:
        raise BadInputError(f"--as-of {as_of}: {data} knows no customer before that moment")
    return known, moment


def write_frame(frame: pd.DataFrame, out: Path) -> None:
    """Write a parquet file, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(out.name + ".unfinished")
    frame.to_parquet(unfinished, index=False)
    unfinished.replace(out)


def _describe_notes(notes: Sequence[Note]) -> list[str]:
    """One line per table: unknown columns together."""
    unknown = [str(note) for note in notes if not note.column]
    columns: dict[str, list[str]] = {}
    for note in notes:
        if note.column:
            columns.setdefault(note.table, []).append(note.column)
    return unknown + [
        f"{table}: not in the contract, kept as they are: {', '.join(names)}"
        for table, names in columns.items()
    ]


def _read_foreign(what: Foreign, source: Path | None) -> Adapted:
    if what is Foreign.COMPLETE_JOURNEY:
        return read_complete_journey(source)
    if source is None:
        raise BadInputError("import telco: say where the file is with --from PATH")
    return read_telco(source)


def _report_tables(tables: Tables, out: Path, *, as_json: bool) -> None:
    sizes = {name: len(frame) for name, frame in tables.items()}
    if as_json:
        rows: dict[str, Json] = dict(sizes)
        show_json({"out": str(out), "rows": rows})
    else:
        listed = [(name, f"{n:,}") for name, n in sizes.items()]
        show_table(("table", "rows"), listed, title=f"tables in {out}")
