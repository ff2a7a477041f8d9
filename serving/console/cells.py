"""The queue: which cells of the library have variants, and in which states."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from features.vocabulary import Channel, Trigger
from serving.copy.stored import StoredVariant, Tally, VariantState


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

    def admits(self, cell: QueuedCell) -> bool:
        """Whether a cell is one to list."""
        key = cell.key
        return (
            self.trigger in (None, key.trigger)
            and self.channel in (None, key.channel)
            and self.language in (None, key.language)
            and self.segment in (None, key.segment)
            and (self.state is None or self.state in cell.counts)
        )


def gather_cells(tallies: Iterable[Tally]) -> tuple[QueuedCell, ...]:
    """Cells: those with something to review first, the best judged of them; else by name."""
    by_cell: dict[CellKey, list[Tally]] = {}
    for one in tallies:
        key = CellKey(one.trigger, one.channel, one.language, one.segment or "")
        by_cell.setdefault(key, []).append(one)
    cells = [_queue(key, by_cell[key]) for key in sorted(by_cell)]
    return tuple(sorted(cells, key=lambda cell: (not cell.n_waiting, -(cell.best_score or 0))))


def find_next(cells: Sequence[QueuedCell], *, after: CellKey) -> CellKey | None:
    """The first cell with something to review, of the others; null when there is none."""
    return next((cell.key for cell in cells if cell.n_waiting and cell.key != after), None)


def _queue(key: CellKey, tallies: Sequence[Tally]) -> QueuedCell:
    waiting = [one for one in tallies if one.state is VariantState.DRAFT]
    return QueuedCell(
        key=key,
        counts={one.state: one.n for one in tallies},
        best_score=waiting[0].best_score if waiting else None,
    )
