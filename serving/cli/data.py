"""Commands about tables: simulate, import, check."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import pandas as pd
import pyarrow.parquet as pq
import typer

from features.checks import FilesChecked, Note
from features.contracts import CONTRACTS
from features.errors import BadInputError
from features.sources import (
    Adapted,
    Location,
    check_source,
    check_table_files,
    fetch_to_files,
    find_table_files,
    locate,
    open_source,
    read_complete_journey,
    read_tables,
    read_telco,
    write_tables,
)
from features.tables import Tables, last_moment, versions_before
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
    Location,
    typer.Option(
        "--data",
        parser=locate,
        metavar="PLACE",
        help="Folder of parquet or CSV tables (with its opportune.yaml), a DuckDB file, or "
        "postgresql://user@host/database?schema=name.",
    ),
]
MappingOption = Annotated[
    Path | None,
    typer.Option("--mapping", help="YAML that says which tables and columns are which of ours."),
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Moment, ISO 8601; after the last known row when not given."),
]
_CLOCKS_DIFFER = timedelta(days=1)
_OTHER_KINDS: Final = frozenset({".csv", ".tsv", ".txt", ".json", ".jsonl", ".xlsx", ".html"})

OutFolderOption = Annotated[Path, typer.Option("--out", help="Folder for the tables.")]
OutFileOption = Annotated[Path, typer.Option("--out", help="Parquet file to write.")]


class Foreign(StrEnum):
    """Data sets of others that there is an adapter for."""

    COMPLETE_JOURNEY = "complete-journey"
    TELCO = "telco"
    TABLES = "tables"


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
        Location | None,
        typer.Option(
            "--from",
            parser=locate,
            metavar="PLACE",
            help="Its folder, file or database; complete-journey also comes installed.",
        ),
    ] = None,
    mapping: MappingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn somebody else's data into tables of ours, and say what had to be assumed."""
    if what is Foreign.TABLES:
        _import_tables(source, mapping=mapping, out=out, as_json=as_json)
        return
    if mapping is not None:
        raise BadInputError(f"import {what}: --mapping is for `import tables`")
    with progress(f"reading {what}"):
        adapted = _read_foreign(what, source.path if source else None)
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
    mapping: MappingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check tables against their contracts; every violation is named in one run."""
    moment = parse_moment(as_of) if as_of else datetime.now(UTC)
    with progress(f"checking {data}"):
        checked = _check_place(data, mapping=mapping, as_of=moment)
    if as_json:
        violations: list[Json] = [
            {
                "table": violation.table,
                "column": violation.column,
                "rule": violation.rule.value,
                "n_rows": violation.n_rows,
                "examples": list(violation.examples),
                "expected": violation.expected,
                "hint": violation.hint,
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
        n_rows = sum(checked.sizes.values())
        n_tables = len(checked.sizes)
        n_violations = len(checked.violations)
        show(f"violations: {n_violations}; tables: {n_tables}; rows: {n_rows:,}")
    if checked.violations:
        raise typer.Exit(EXIT_REFUSED)


def read_as_of(data: str | Path | Location, as_of: str | None) -> tuple[Tables, datetime]:
    """Tables as known before the moment; without one, the moment after the last known row.

    Rows that were corrected since are there, too: training looks at moments before.
    """
    until = parse_moment(as_of) if as_of else datetime.now(UTC)
    tables = read_tables(data, until=until)
    if as_of is None:
        last = last_moment(tables)
        warn_of_the_future(last)
        return tables, last
    moment = parse_moment(as_of)
    known = versions_before(tables, pd.Timestamp(moment))
    if known["customers"].empty:
        raise BadInputError(f"--as-of {as_of}: {data} knows no customer before that moment")
    return known, moment


def warn_of_the_future(last: datetime) -> None:
    """Say that the moment of the last row is after the clock: one wrong date moves everything."""
    if last > datetime.now(UTC) + _CLOCKS_DIFFER:
        say(
            f"as of {last:%Y-%m-%d %H:%M} UTC, which is after the clock: the last row is known from"
            " then on; `opportune check` names rows with wrong dates, --as-of leaves them out"
        )


def require_file_place(out: Path | None) -> Path | None:
    """The same path, if a file can be written there; asked before work begins that would be lost.

    Raises:
        BadInputError: It is a folder, or lies in what is no folder, or in one that is not ours.
    """
    if out is None:
        return None
    if out.is_dir():
        raise BadInputError(f"--out {out}: it is a folder, expected the name of a file")
    there = next(parent for parent in out.absolute().parents if parent.exists())
    if not there.is_dir():
        raise BadInputError(f"--out {out}: {there} is a file, expected a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInputError(f"--out {out}: nothing may be written in {there}")
    return out


def require_parquet_place(out: Path | None) -> Path | None:
    """The same path, if a parquet file can be written there and its name promises nothing else.

    Raises:
        BadInputError: See `require_file_place`; or the name ends like that of another kind of file.
    """
    if out is not None and out.suffix.lower() in _OTHER_KINDS:
        raise BadInputError(
            f"--out {out}: a parquet file is written, expected a name that ends in .parquet"
        )
    return require_file_place(out)


def write_frame(frame: pd.DataFrame, out: Path) -> None:
    """Write a parquet file, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(out.name + ".unfinished")
    frame.to_parquet(unfinished, index=False)
    unfinished.replace(out)


def _describe_notes(notes: Sequence[Note]) -> list[str]:
    """One line per table for columns that mean nothing to us, and one for any other note."""
    columns: dict[str, list[str]] = {}
    lines: list[str] = []
    for note in notes:
        if note.column and not note.text and not note.hint:
            columns.setdefault(note.table, []).append(note.column)
        else:
            lines.append(str(note))
    return lines + [
        f"{table}: not in the contract, kept as they are: {', '.join(names)}"
        for table, names in columns.items()
    ]


def _check_place(data: Location, *, mapping: Path | None, as_of: datetime) -> FilesChecked:
    """Files of ours are checked in batches where they lie, anything else in memory."""
    source = open_source(data, mapping=mapping, until=as_of)
    files = find_table_files(source)
    if files is not None:
        unread = tuple(name for name in source.table_names() if name not in CONTRACTS)
        return check_table_files(files, as_of=as_of, unread=unread)
    checked = check_source(source, as_of=as_of)
    sizes = {name: len(frame) for name, frame in checked.tables.items()}
    return FilesChecked(sizes, checked.violations, checked.notes)


def _import_tables(
    source: Location | None, *, mapping: Path | None, out: Path, as_json: bool
) -> None:
    if source is None:
        raise BadInputError("import tables: say where they are with --from PLACE")
    now = datetime.now(UTC)
    with progress(f"reading {source}"):
        files = fetch_to_files(open_source(source, mapping=mapping, until=now), out, as_of=now)
    sizes = {name: _count_rows(path) for name, path in files.files.items()}
    _report_sizes(sizes, out, as_json=as_json)


def _count_rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _read_foreign(what: Foreign, source: Path | None) -> Adapted:
    if what is Foreign.COMPLETE_JOURNEY:
        return read_complete_journey(source)
    if source is None:
        raise BadInputError("import telco: say where the file is with --from PATH")
    return read_telco(source)


def _report_tables(tables: Tables, out: Path, *, as_json: bool) -> None:
    _report_sizes({name: len(frame) for name, frame in tables.items()}, out, as_json=as_json)


def _report_sizes(sizes: Mapping[str, int], out: Path, *, as_json: bool) -> None:
    if as_json:
        rows: dict[str, Json] = dict(sizes)
        show_json({"out": str(out), "rows": rows})
    else:
        listed = [(name, f"{n:,}") for name, n in sizes.items()]
        show_table(("table", "rows"), listed, title=f"tables in {out}")
