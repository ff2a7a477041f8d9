"""What a batch came to: records that are made when they are read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

from serving.lots.lot import REASONS, DecisionLot
from serving.lots.packing import unpack_lot
from serving.lots.reading import read_record
from serving.records import Decision, Reason

_MOST_OPEN = 20_000  # decisions whose lots stay unpacked, to bound memory
_N_READ = 4  # packed lots that are kept once they were read


@dataclass(frozen=True)
class Kept:
    """In which form a store has kept a lot.

    Attributes:
        packed: As bytes; None where it was not packed.
        records: As records; None where none were made.
    """

    packed: bytes | None = None
    records: Sequence[Decision] | None = None


class _KeptLot:
    """A lot in the form in which it takes least to read it, or least room where there are many."""

    def __init__(self, lot: DecisionLot, kept: Kept, *, is_packed: bool) -> None:
        self.reasons = lot.reason
        self._packed = kept.packed if is_packed else None
        self._lot = lot if self._packed is None and kept.records is None else None
        self._records = kept.records

    def read(self, row: int) -> Decision:
        """The record of a row."""
        if self._records is not None:
            return self._records[row]
        if self._lot is not None:
            return read_record(self._lot, row)
        if self._packed is None:
            raise AssertionError("a lot that was kept in no form")
        return read_record(_unpack(self._packed), row)


_Row = tuple[_KeptLot, int]
_NOT_KEPT = Kept()


class Decided(Sequence[Decision]):
    """Records in the order of the requests."""

    def __init__(self, n: int) -> None:
        """Nothing is decided yet of n requests."""
        self._found: list[Decision | _Row | None] = [None] * n
        self._n_open = 0

    def add(self, lot: DecisionLot, positions: Sequence[int], *, kept: Kept = _NOT_KEPT) -> None:
        """The lot's rows are about the requests at these positions.

        Args:
            lot: Decisions.
            positions: Of their requests.
            kept: In which form the store has it; what is kept of it here where there are many.
        """
        self._n_open += len(lot)
        kept_lot = _KeptLot(lot, kept, is_packed=self._n_open > _MOST_OPEN)
        for row, position in enumerate(positions):
            self._found[position] = (kept_lot, row)

    def put(self, position: int, record: Decision) -> None:
        """The request at that position was answered before."""
        self._found[position] = record

    def repeat(self, position: int, first: int) -> None:
        """The request at a position has the key of an earlier one."""
        self._found[position] = self._found[first]

    def count_reasons(self) -> Counter[Reason]:
        """How many decisions came out for each reason, without making records."""
        return Counter(
            found.reason if isinstance(found, Decision) else REASONS[found[0].reasons[found[1]]]
            for found in self._found
            if found is not None
        )

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, at: int) -> Decision: ...

    @overload
    def __getitem__(self, at: slice) -> list[Decision]: ...

    def __getitem__(self, at: int | slice) -> Decision | list[Decision]:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        found = self._found[at]
        if found is None:
            raise AssertionError(f"request {at} of {len(self)} was not decided")
        if isinstance(found, Decision):
            return found
        kept, row = found
        return kept.read(row)


@lru_cache(_N_READ)
def _unpack(packed: bytes) -> DecisionLot:
    return unpack_lot(packed)
