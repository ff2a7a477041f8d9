"""What is known of one customer, kept so that every feature can be read at once."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from features.declarations import FeatureSet
from features.errors import BadInputError, ConflictError
from features.online.blob import Parts, read_parts, write_parts
from features.online.conditions import fulfils_all
from features.online.facts import Fact, is_known, order_of
from features.online.hours import HourCounts, find_era, half_life_of, read_week_hour
from features.online.layout import Layout
from features.online.lenses import Floats
from features.online.row_plan import MESSAGES, OUTCOMES
from features.online.row_writer import find_message, find_moment, is_human, put_row
from features.online.rows import RowList
from features.online.tile_writer import is_new
from features.online.tiles import Tiles

NOTHING_TOLD: Final = -(2**62)
"""Before every moment, in microseconds."""

MOST_WAITING: Final = 1024
"""Facts of one customer that may wait for their moment or for their message."""


class CustomerState:
    """Facts of one customer, folded together, and those that wait for their moment.

    Facts are applied in the order in which they were told; their own moments may be late, they may
    come again, and later versions take the place of earlier ones. The state can be read at any
    moment from the last one told on; reading changes nothing.

    Attributes:
        layout: What is kept.
        customer_id: Whose it is.
        known_us: When the last fact was told, in UTC microseconds.
        timezone: Zone of the customer, as far as known.
        rows: Tables that are kept row by row.
        tiles: Tables that are kept as daily tiles.
        hour_counts: Hours of the week.
        waiting: Facts that are not known before `known_us`, and outcomes without their message.
    """

    __slots__ = (
        "_ahead",
        "_found",
        "customer_id",
        "hour_counts",
        "known_us",
        "layout",
        "rows",
        "tiles",
        "timezone",
        "waiting",
    )

    def __init__(self, layout: Layout, customer_id: str, *, parts: Parts | None = None) -> None:
        self.layout, self.customer_id = layout, customer_id
        self.known_us = NOTHING_TOLD if parts is None else parts.known_us
        self.timezone = None if parts is None else parts.timezone
        self.rows = RowList.empty(layout.rows) if parts is None else parts.rows
        self.tiles = Tiles.empty(layout.tiles) if parts is None else parts.tiles
        self.hour_counts = HourCounts.empty() if parts is None else parts.hour_counts
        self.waiting: tuple[Fact, ...] = () if parts is None else parts.waiting
        self._ahead: tuple[int, CustomerState] | None = None
        self._found: tuple[int, Floats] | None = None

    def apply(self, fact: Fact) -> None:
        """Take a fact in.

        Args:
            fact: A row that was checked; told not before the last one.

        Raises:
            ConflictError: It was told before another fact that was applied, or too many wait.
            BadInputError: A number of it is beyond what sums can hold.
        """
        if fact.table not in self.layout.tables:
            return
        if fact.told_us < self.known_us:
            raise ConflictError(
                f"customer {self.customer_id}: a row of {fact.table} was told at {fact.told_us}, "
                f"expected not before {self.known_us}, the last one that was applied"
            )
        self.fold_known(before=fact.told_us)
        if len(self.waiting) >= MOST_WAITING:
            raise ConflictError(
                f"customer {self.customer_id}: {len(self.waiting)} facts wait for their moment or "
                "their message; no more are taken"
            )
        self.known_us = fact.told_us
        self.waiting = (*self.waiting, fact)
        self._ahead = self._found = None

    def settle(self) -> None:
        """Fold in all that is known, and be asked about no moment before the next microsecond.

        A state that is settled before it is stored has nothing to do when it is read.
        """
        if self.known_us > NOTHING_TOLD:
            self.fold_known(before=self.known_us + 1)
            self.known_us += 1
            self._ahead = self._found = None

    def features(
        self, as_of_us: int, features: FeatureSet, *, present: frozenset[str] | None = None
    ) -> Floats:
        """The numbers of a feature set from what was known strictly before a moment.

        Args:
            as_of_us: UTC microseconds, not before `known_us`.
            features: One of the sets that the layout was made for.
            present: Tables that there are at all; features of others are null. All by default.

        Returns:
            One number per feature, in the order of the set; NaN is null.

        Raises:
            BadInputError: The moment lies before `known_us`, or the set is a foreign one.
        """
        tables = self.layout.tables if present is None else present
        plan = self.layout.plan_numbers(features, present=tables)
        return plan.finish(self._find(as_of_us), as_of_us=as_of_us)

    def hours(self, as_of_us: int) -> Floats:
        """How often each hour of the customer's week was seen, decayed; shape (168,).

        Raises:
            BadInputError: The moment lies before `known_us`.
        """
        half_life_days = half_life_of(self.layout.histogram)
        era = find_era(as_of_us, half_life_days=half_life_days)
        return self._as_of(as_of_us).hour_counts.read(era=era)

    def copy(self) -> "CustomerState":
        """The same state, apart."""
        parts = Parts(
            customer_id=self.customer_id,
            known_us=self.known_us,
            timezone=self.timezone,
            waiting=self.waiting,
            rows=self.rows.copy(),
            tiles=self.tiles.copy(),
            hour_counts=self.hour_counts.copy(),
        )
        return CustomerState(self.layout, self.customer_id, parts=parts)

    def to_bytes(self) -> bytes:
        """The state as bytes: compact, with the layout's digest, the same for the same state."""
        parts = Parts(
            customer_id=self.customer_id,
            known_us=self.known_us,
            timezone=self.timezone,
            waiting=self.waiting,
            rows=self.rows,
            tiles=self.tiles,
            hour_counts=self.hour_counts,
        )
        return write_parts(parts, layout=self.layout)

    @classmethod
    def from_bytes(cls, blob: bytes, *, layout: Layout) -> "CustomerState":
        """The state that `to_bytes` wrote.

        Raises:
            IncompatibleModelError: Another layout wrote it; make it anew, by replay.
            BadInputError: It is no stored state.
        """
        parts = read_parts(blob, layout=layout)
        return cls(layout, parts.customer_id, parts=parts)

    def fold(self, facts: Iterable[Fact]) -> None:
        """Take in facts that no later moment asks about: in the order in which they became known.

        Outcomes whose message is not there wait for it.
        """
        for fact in facts:
            if not self._fold(fact):
                self.waiting = (*self.waiting, fact)

    def _find(self, as_of_us: int) -> Floats:
        """What features are made of, at a moment; kept, as several sets ask for the same one."""
        if self._found is None or self._found[0] != as_of_us:
            state = self._as_of(as_of_us)
            rows = self.layout.row_reader.read(state.rows, as_of_us=as_of_us)
            tiles = self.layout.tile_reader.read(state.tiles, as_of_us=as_of_us)
            self._found = (as_of_us, np.concatenate([rows, tiles]))
        return self._found[1]

    def _as_of(self, as_of_us: int) -> "CustomerState":
        """The state with everything that is known before the moment folded in."""
        if as_of_us < self.known_us:
            raise BadInputError(
                f"customer {self.customer_id}: cannot say what was known at {as_of_us}; expected a "
                f"moment from {self.known_us} on, when the last fact was told"
            )
        due = self._find_due(before=as_of_us)
        if not due:
            return self
        if self._ahead is None or self._ahead[0] != len(due):
            ahead = self.copy()
            ahead.fold_known(before=as_of_us)
            self._ahead = (len(due), ahead)
        return self._ahead[1]

    def _find_due(self, *, before: int) -> list[Fact]:
        return [fact for fact in self.waiting if is_known(fact, before=before)]

    def fold_known(self, *, before: int) -> None:
        """Fold in what is known before a moment that is the earliest anyone will ask about."""
        due = self._find_due(before=before)
        if not due:
            return
        if len(due) > 1:
            due.sort(key=order_of)
        self.waiting = tuple(f for f in self.waiting if not is_known(f, before=before))
        self.fold(due)

    def _fold(self, fact: Fact) -> bool:
        """Take in one fact; False where it must wait for its message."""
        table = fact.table
        if table == "customers":
            timezone = fact.row.get("timezone")
            self.timezone = None if timezone is None else str(timezone)
        if table in self.layout.tiles.tables:
            self._add_to_tiles(fact)
            return True
        kept = self.layout.rows.tables.get(table)
        if kept is None:
            return True
        if table == OUTCOMES:
            if not is_human(fact):
                return True
            if find_message(self.rows, self.layout.rows, fact) is None:
                return False
        self._put_row(fact)
        if table == MESSAGES:
            self._fold_orphans(fact)
        return True

    def _fold_orphans(self, message: Fact) -> None:
        """Take in the outcomes that waited for this message and are known with it."""

        def waited(fact: Fact) -> bool:
            told = fact.table == OUTCOMES and fact.k_us <= message.k_us
            return told and fact.row["message_id"] == message.row["message_id"]

        due = [fact for fact in self.waiting if waited(fact)]
        self.waiting = tuple(fact for fact in self.waiting if not waited(fact))
        for fact in due:
            self._put_row(fact)

    def _put_row(self, fact: Fact) -> None:
        layout = self.layout
        t_us = find_moment(self.rows, layout.rows, fact)
        changes = put_row(
            self.rows,
            layout.rows,
            fact,
            marker=layout.marker,
            customer_id=self.customer_id,
            t_us=t_us,
            week_hour=self._read_hour(fact.table, t_us),
            known_us=self.known_us,
        )
        for change in changes:
            self._count_hour(change.week_hour, t_us=change.t_us, times=change.times)

    def _add_to_tiles(self, fact: Fact) -> None:
        if not is_new(self.tiles, fact):
            return
        week_hour = self._read_hour(fact.table, fact.t_us)
        self.layout.tile_writer.add(self.tiles, fact, week_hour=week_hour, known_us=self.known_us)
        source = self.layout.hour_sources.get(fact.table)
        if week_hour is None or source is None:
            return
        if fulfils_all(source.where, row=fact.row, week_hour=week_hour):
            self._count_hour(week_hour, t_us=fact.t_us)

    def _read_hour(self, table: str, t_us: int) -> int | None:
        """The hour of the week of a row, in the zone that is known now; None where not needed."""
        if table not in self.layout.hour_tables:
            return None
        return read_week_hour(t_us, timezone=self.timezone)

    def _count_hour(self, week_hour: int, *, t_us: int, times: float = 1.0) -> None:
        """Count a row in the histogram, or take it back."""
        era = find_era(t_us, half_life_days=half_life_of(self.layout.histogram))
        self.hour_counts.add(week_hour, era=era, times=times)
