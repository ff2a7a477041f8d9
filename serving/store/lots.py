"""Long lists in lots that a database takes."""

from collections.abc import Iterator

_MANY = 500  # bound on the values of one IN list


def in_lots(values: list[str]) -> Iterator[list[str]]:
    """The values in their order, at most 500 at once."""
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]
