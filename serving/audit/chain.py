"""Whether the log is what was written: every row, their order, and the tail."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serving.audit.anchors import Anchor
from serving.audit.entries import GENESIS, Entry, hash_entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        n: Rows that were read up to the fault, or in all.
        head: Hash of the last of them.
        fault: The first thing that is wrong, in words; None where nothing is.
        n_anchors: Anchors that were compared.
    """

    n: int
    head: str
    fault: str | None
    n_anchors: int = 0


def verify_chain(entries: Iterable[Entry], *, anchors: Sequence[Anchor] = ()) -> Verdict:
    """Follow the chain from its first row; without anchors a cut tail cannot be seen.

    Nor can a chain that somebody wrote anew from some row on: its own hashes fit.

    Args:
        entries: In the order of their numbers.
        anchors: Heads that were kept elsewhere; their signatures are checked before.
    """
    wanted: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        wanted.setdefault(anchor.seq, []).append(anchor)
    n, head = 0, GENESIS
    for entry in entries:
        fault = _find_fault(entry, n=n, head=head)
        fault = fault or _compare(wanted.get(entry.seq, ()), entry.hash)
        if fault is not None:
            return Verdict(n, head, fault, len(anchors))
        n, head = entry.seq, entry.hash
    for anchor in sorted(anchors, key=lambda anchor: anchor.seq):
        if anchor.seq > n:
            lost = f"row {n + 1} is" if anchor.seq == n + 1 else f"rows {n + 1} to {anchor.seq} are"
            fault = f"{lost} missing: the tail was cut, an anchor of {anchor.at} saw {anchor.seq}"
            return Verdict(n, head, fault, len(anchors))
    return Verdict(n, head, _compare(wanted.get(0, ()), GENESIS), len(anchors))


def _find_fault(entry: Entry, *, n: int, head: str) -> str | None:
    """What is wrong with the row that comes after row `n`."""
    if entry.seq <= n:
        return f"row {entry.seq} was put in: rows begin at 1, each after the one before"
    if entry.seq != n + 1:
        lost = f"row {n + 1} is" if entry.seq == n + 2 else f"rows {n + 1} to {entry.seq - 1} are"
        return f"{lost} missing: row {entry.seq} follows row {n}"
    try:
        right = hash_entry(entry)
    except (ValueError, TypeError):  # a text that is none, or no text at all
        right = ""
    if entry.hash != right:
        return f"row {entry.seq} was changed: its hash does not fit what it says"
    if entry.previous != head:
        return f"row {entry.seq} does not follow row {n}: rows were moved, removed or put in"
    return None


def _compare(anchors: Sequence[Anchor], found: str) -> str | None:
    """Whether anchors of a row saw another one in its place."""
    for anchor in anchors:
        if anchor.head != found:
            return (
                f"row {anchor.seq} is not the one that an anchor of {anchor.at} saw: "
                "the chain was written anew from there or before"
            )
    return None
