"""What an effect came to, as text, so that it comes back the same after a crash."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from features.errors import ConflictError

ResultT = TypeVar("ResultT")
OtherT = TypeVar("OtherT")


class Kept(Generic[ResultT]):
    """Writes and reads results of one of some types: frozen dataclasses or pydantic models.

    >>> Kept(Flag).read(Kept(Flag).write(Flag(True)))
    Flag(holds=True)
    """

    def __init__(self, *types: type[ResultT]) -> None:
        """Results are of these types; their names tell them apart."""
        self._types = types
        self._adapters: dict[str, TypeAdapter[ResultT]] = {
            kind.__name__: _adapt(kind) for kind in types
        }

    def or_(self, *others: type[OtherT]) -> "Kept[ResultT | OtherT]":
        """Results of these types, too."""
        return Kept[ResultT | OtherT](*self._types, *others)

    def write(self, result: ResultT) -> str:
        """The result as JSON that says its type."""
        name = type(result).__name__
        value = self._adapters[name].dump_python(result, mode="json")
        return json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))

    def read(self, text: str) -> ResultT:
        """The result that was written.

        Raises:
            ConflictError: It was written by a version that knows other results.
        """
        try:
            ((name, value),) = json.loads(text).items()
            return self._adapters[name].validate_python(value)
        except (ValueError, KeyError, ValidationError) as fault:
            known = ", ".join(self._adapters)
            raise ConflictError(f"kept result {text[:200]}: expected {known}") from fault


_ADAPTERS: dict[object, TypeAdapter[Any]] = {}


def _adapt(kind: type[ResultT]) -> TypeAdapter[ResultT]:
    """Made once for a type: that takes a hundred times as long as to read a result by it."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


@dataclass(frozen=True, slots=True)
class Flag:
    """Whether something holds."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Raised:
    """An effect that failed in a way that nobody expected; nothing of it was kept.

    Attributes:
        why: In words that may be shown.
        at: When.
    """

    why: str
    at: datetime
