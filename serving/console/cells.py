"""The queue: which cells of the library have variants, and in which states."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from features.vocabulary import Channel, Trigger
from serving.copy.stored import StoredVariant, VariantState


@dataclass(frozen=True, order=True)
class CellKey:
    """Where a variant belongs; the empty segment is everybody."""

    trigger: Trigger
    channel: Channel
    language: str
    segment: str = ""

    @classmethod
    def of(cls, row: StoredVariant) -> "CellKey":
        """The cell of a stored variant."""
        draft = row.draft
        return cls(draft.trigger, draft.channel, draft.language, draft.segment or "")


@dataclass(frozen=True)
class QueuedCell:
    """One line of the queue.

    Attributes:
        key: Which cell.
        counts: Variants by state.
        best_score: The judge's best of those that wait; null where none was judged.
    """

    key: CellKey
    counts: Mapping[VariantState, int]
    best_score: float | None

    @property
    def n_waiting(self) -> int:
        """Variants that nobody has said yes or no to."""
        return self.counts.get(VariantState.DRAFT, 0)


@dataclass(frozen=True)
class CellFilter:
    """Which cells to list; null for all."""

    trigger: Trigger | None = None
    channel: Channel | None = None
    language: str | None = None
    segment: str | None = None
    state: VariantState | None = None

    def admits(self, row: StoredVariant) -> bool:
        """Whether a variant is of a cell to list."""
        key = CellKey.of(row)
        return (
            self.trigger in (None, key.trigger)
            and self.channel in (None, key.channel)
            and self.language in (None, key.language)
            and self.segment in (None, key.segment)
        )


def list_cells(rows: Iterable[StoredVariant], *, wanted: CellFilter) -> tuple[QueuedCell, ...]:
    """Cells that pass the filter: those with something to review first, the best judged of them."""
    admitted = sorted(filter(wanted.admits, rows), key=CellKey.of)
    cells = (_queue(key, list(group)) for key, group in groupby(admitted, key=CellKey.of))
    listed = [cell for cell in cells if wanted.state is None or cell.counts.get(wanted.state)]
    return tuple(sorted(listed, key=lambda cell: (not cell.n_waiting, -(cell.best_score or 0))))


def find_next(cells: Sequence[QueuedCell], *, after: CellKey) -> CellKey | None:
    """The first cell with something to review, of the others; null when there is none."""
    return next((cell.key for cell in cells if cell.n_waiting and cell.key != after), None)


def _queue(key: CellKey, rows: Sequence[StoredVariant]) -> QueuedCell:
    waiting = [row for row in rows if row.state is VariantState.DRAFT]
    return QueuedCell(
        key=key,
        counts=Counter(row.state for row in rows),
        best_score=max((row.score for row in waiting if row.score is not None), default=None),
    )
