"""What a batch came to: records that are made when they are read."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import overload

from serving.lots.lot import REASONS, DecisionLot
from serving.lots.packing import unpack_lot
from serving.lots.reading import read_record
from serving.records import Decision, Reason

_MOST_OPEN = 20_000  # decisions whose lots stay unpacked, to bound memory
_N_READ = 4  # packed lots that are kept once they were read


class _KeptLot:
    """A lot, unpacked where it was not kept packed."""

    def __init__(self, lot: DecisionLot, packed: bytes | None) -> None:
        self.reasons = lot.reason
        self._lot = lot if packed is None else None
        self._packed = packed

    def open(self) -> DecisionLot:
        """The lot itself."""
        if self._lot is not None:
            return self._lot
        return _unpack(self._packed or b"")


_Row = tuple[_KeptLot, int]


class Decided(Sequence[Decision]):
    """Records in the order of the requests."""

    def __init__(self, n: int) -> None:
        """Nothing is decided yet of n requests."""
        self._found: list[Decision | _Row | None] = [None] * n
        self._n_open = 0

    def add(
        self, lot: DecisionLot, positions: Sequence[int], *, packed: bytes | None = None
    ) -> None:
        """The lot's rows are about the requests at these positions.

        Args:
            lot: Decisions.
            positions: Of their requests.
            packed: The lot as it was packed; what is kept of it where there are many.
        """
        self._n_open += len(lot)
        kept = _KeptLot(lot, packed if self._n_open > _MOST_OPEN else None)
        for row, position in enumerate(positions):
            self._found[position] = (kept, row)

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
        return read_record(kept.open(), row)


@lru_cache(_N_READ)
def _unpack(packed: bytes) -> DecisionLot:
    return unpack_lot(packed)
