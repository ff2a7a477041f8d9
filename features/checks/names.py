"""Names that look like other names: what somebody who wrote this one may have meant."""

import difflib
from collections.abc import Iterable

_ALIKE = 0.8
_SHORTEST_PART = 4


def closest_name(name: str, among: Iterable[str]) -> str | None:
    """The one of those names that looks like this one, if any does.

    Case, blanks and marks do not count; a name of four letters or more may be part of the other.

    >>> closest_name("Customer ID", ["language", "customer_id"])
    'customer_id'
    >>> closest_name("amount", ["order_id", "amount_cents"])
    'amount_cents'
    >>> closest_name("weather", ["orders", "usage"]) is None
    True
    """
    plain = {_plain(other): other for other in reversed(list(among))}
    wanted = _plain(name)
    alike = difflib.get_close_matches(wanted, plain, n=1, cutoff=_ALIKE)
    if alike:
        return plain[alike[0]]
    parts = [
        other
        for other in plain
        if min(len(other), len(wanted)) >= _SHORTEST_PART
        and (other.startswith(wanted) or wanted.startswith(other))
    ]
    return plain[min(parts, key=lambda part: abs(len(part) - len(wanted)))] if parts else None


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """`did you mean X?` as a hint, or nothing."""
    meant = closest_name(name, among)
    return f"did you mean {meant}?" if meant is not None and meant != name else ""


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
