"""Tables as relations on an engine, by their own names, with the times at which each row held.

`open_facts` is for many moments: every row is there, with `t`, `k` and `x`, see
`features.point_in_time.relations`. `open_known_facts` is for one: only the rows that hold at it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from features.engines import DUCKDB, Engine, Relations
from features.point_in_time.relations import select_known, select_rows
from features.tables import Tables


@contextmanager
def open_facts(
    tables: Tables, *, names: Iterable[str], engine: Engine = DUCKDB
) -> Iterator[Relations]:
    """Relations named as the tables: all their rows, with t, k and x.

    Args:
        tables: Conformed frames by name, or files; absent tables have no rows.
        names: Tables wanted.
        engine: Where the SQL runs.
    """
    wanted = tuple(names)
    with engine.open(tables, names=_with_messages(wanted)) as facts:
        for name in wanted:
            _name(facts, name, select_rows(name, late=name in facts.late))
        yield facts


@contextmanager
def open_known_facts(
    tables: Tables, *, names: Iterable[str], before: int, engine: Engine = DUCKDB
) -> Iterator[Relations]:
    """Relations named as the tables, as they were known before one moment.

    Rows known at or after it are not there; of rows that came again the one that holds is; times
    of later events are null. Columns are those of the base relation (`trigger` is `about`), `t`,
    the row's own moment, and `k`, when it became known; outcomes are the first human ones.

    Args:
        tables: Conformed frames by name, or files; absent tables have no rows.
        names: Tables wanted.
        before: The moment, in UTC microseconds.
        engine: Where the SQL runs.
    """
    wanted = tuple(names)
    with engine.open(tables, names=_with_messages(wanted)) as facts:
        for name in wanted:
            _name(facts, name, select_known(name, late=name in facts.late, before=before))
        yield facts


def _with_messages(names: tuple[str, ...]) -> tuple[str, ...]:
    """Outcomes are told by their messages."""
    needs = "outcomes" in names and "messages" not in names
    return (*names, "messages") if needs else names


def _name(facts: Relations, name: str, text: str) -> None:
    """A view, or computed once where finding out which rows hold takes a sort."""
    if name in facts.late:
        facts.create_table(name, text)
    else:
        facts.create_view(name, text)
