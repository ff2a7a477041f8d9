"""Doors that messages go through, and which of them are closed for now."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Doors:
    """Doors that are closed until a moment: their receiver is down, or they were used enough.

    Each process keeps its own: another finds out by itself.
    """

    _until_us: dict[str, int] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)

    def list_closed(self, *, at_us: int) -> Mapping[str, int]:
        """Doors that are closed at that moment, and until when."""
        return {name: until for name, until in self._until_us.items() if until > at_us}

    def close(self, name: str, *, until_us: int) -> None:
        """Let nothing through until then."""
        self._until_us[name] = max(until_us, self._until_us.get(name, until_us))

    def count_failure(self, name: str) -> int:
        """How often in a row it was down, this time included."""
        self._failures[name] = self._failures.get(name, 0) + 1
        return self._failures[name]

    def note_passage(self, name: str) -> None:
        """Something went through."""
        self._failures.pop(name, None)
