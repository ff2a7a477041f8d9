"""What commands say: progress and words on standard error, results on standard output."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from features.errors import BadInputError

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")
]

RULES_STAND_IN = (
    "without channel and send-time champions the rules policy decides in the learned arm too"
)

_words = Console(stderr=True, highlight=False)
_results = Console(highlight=False, soft_wrap=True)
if not _results.is_terminal:
    _results = Console(highlight=False, soft_wrap=True, width=160)  # a file has no edge


def say(text: str) -> None:
    """A sentence for whoever watches; standard error."""
    _words.print(text, soft_wrap=True)


def show(text: str) -> None:
    """A result for a human; standard output."""
    _results.print(text, markup=False)


def show_json(result: Json) -> None:
    """A result for a program; one line on standard output."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table for a human; standard output. What it says is plain text, brackets and all."""
    table = Table(
        title=Text(title) if title else None, title_justify="left", box=None, pad_edge=False
    )
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    _results.print(table)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner with the elapsed time while something runs; only on a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=_words, transient=True, disable=not _words.is_terminal) as bar:
        bar.add_task(text, total=None)
        yield


def parse_moment(text: str, *, option: str = "--as-of") -> datetime:
    """An aware moment: ISO 8601 with an offset, or a day, which means its UTC midnight.

    Args:
        text: What was given.
        option: Where it was given, for the error.

    >>> parse_moment("2026-06-01").isoformat(), parse_moment("2026-06-01T09:00+05:00").isoformat()
    ('2026-06-01T00:00:00+00:00', '2026-06-01T04:00:00+00:00')
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError(
            f"{option} {text!r}: expected ISO 8601 such as 2026-06-01 or 2026-06-01T09:00+05:00"
        ) from None
    if moment.tzinfo is None:
        if len(text) > len("2026-06-01"):
            raise BadInputError(f"{option} {text!r}: a time needs its offset, e.g. {text}+00:00")
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


@dataclass
class Stages:
    """Named stages with their seconds, for whoever wants to know where the time goes."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and say that it is done."""
        began = time.perf_counter()
        with progress(name):
            yield
        self.seconds[name] = time.perf_counter() - began
        say(f"[green]done[/green] {name} ({self.seconds[name]:.1f} s)")
