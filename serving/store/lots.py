"""Long lists in lots that a database takes."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_MANY = 500  # bound on the values of one IN list
_MANY_IN_JSON = 5_000


def in_lots(values: list[str]) -> Iterator[list[str]]:
    """The values in their order, at most 500 at once."""
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]


def in_json_lots(values: Iterable[str]) -> Iterator[str]:
    """The values, each once, as JSON lists for `is_listed`."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), _MANY_IN_JSON):
        yield json.dumps(unique[start : start + _MANY_IN_JSON], ensure_ascii=False)


def is_listed(column: Column[str], name: str) -> ColumnElement[bool]:
    """Whether the column holds a value of the JSON list that is bound under that name.

    One value however long the list: an IN of many costs more to write than to run.
    """
    return column.op("IN", return_type=Boolean(), is_comparison=True)(_Texts(bindparam(name)))


class _Texts(FunctionElement[str]):
    """The texts of a JSON list, row by row."""

    name = "texts"
    inherit_cache = True


@compiles(_Texts, "sqlite")
def _write_for_sqlite(element: _Texts, compiler: SQLCompiler, **more: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **more)}))"


@compiles(_Texts, "postgresql")
def _write_for_postgres(element: _Texts, compiler: SQLCompiler, **more: Any) -> str:
    listed = compiler.process(element.clauses, **more)
    return f"(SELECT jsonb_array_elements_text(CAST({listed} AS jsonb)))"
