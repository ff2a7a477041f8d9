"""The shelf of stored variants: what was drafted, who approved it, and what is served of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, update

from features.errors import BadInputError, ConflictError
from features.vocabulary import Channel, Trigger
from serving.copy.stored import (
    CellRecord,
    Deed,
    Source,
    StoredVariant,
    Tally,
    VariantEvent,
    VariantState,
)
from serving.policy.cases import to_us
from serving.store.engine import WRITES, insert_into
from serving.store.lots import in_json_lots
from serving.store.schema import copy_briefs, copy_cells, copy_events, copy_variants
from serving.store.variant_queries import (
    ALL,
    DRAFTED,
    HISTORIES,
    N_IN,
    N_SENT,
    NAMES,
    ONE,
    SOME,
    SPENT,
    TALLIES,
    VERSION,
)
from serving.store.variant_rows import (
    read_event,
    read_tally,
    read_variant,
    write_brief,
    write_cell,
    write_variant,
)

__all__ = [
    "CellRecord",
    "Deed",
    "Source",
    "StoredVariant",
    "VariantEvent",
    "VariantShelf",
    "VariantState",
]

_MOST_NAME, _MOST_NOTE = 100, 2_000

_FROM = {
    Deed.APPROVED: frozenset({VariantState.DRAFT, VariantState.RETIRED}),
    Deed.REJECTED: frozenset({VariantState.DRAFT, VariantState.FAULTY}),
    Deed.RETIRED: frozenset({VariantState.APPROVED}),
}
_TO = {
    Deed.APPROVED: VariantState.APPROVED,
    Deed.REJECTED: VariantState.REJECTED,
    Deed.RETIRED: VariantState.RETIRED,
}
_CHANGES_SERVED = frozenset({Deed.APPROVED, Deed.RETIRED})


class VariantShelf:
    """Stored variants of one store; each call is a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        """Work on an open database."""
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})

    # ------------------------------------------------------------ reading

    def find(
        self,
        *,
        state: VariantState | None = None,
        trigger: Trigger | None = None,
        channel: Channel | None = None,
        language: str | None = None,
        segment: str | None = None,
    ) -> list[StoredVariant]:
        """Variants in the order in which they were made; what is null is not asked for."""
        asked = {
            copy_variants.c.state: state,
            copy_variants.c.trigger: trigger,
            copy_variants.c.channel: channel,
            copy_variants.c.language: language,
            copy_variants.c.segment: segment,
        }
        wanted = [column == str(value) for column, value in asked.items() if value is not None]
        with self._engine.begin() as connection:
            return [read_variant(row) for row in connection.execute(ALL.where(*wanted))]

    def get(self, variant_id: str) -> StoredVariant:
        """One variant, in whatever state.

        Raises:
            BadInputError: The store has none of that name.
        """
        with self._engine.begin() as connection:
            return _get(connection, variant_id)

    def get_many(self, variant_ids: Iterable[str]) -> list[StoredVariant]:
        """Those of these names that the store has."""
        with self._engine.begin() as connection:
            return [
                read_variant(row)
                for names in in_json_lots(variant_ids)
                for row in connection.execute(SOME, {"names": names})
            ]

    def list_served(self) -> list[str]:
        """Names of all approved variants."""
        with self._engine.begin() as connection:
            return list(connection.execute(NAMES).scalars())

    def history(self, variant_id: str) -> list[VariantEvent]:
        """What was done to a variant, the oldest first.

        Raises:
            BadInputError: The store has none of that name.
        """
        with self._engine.begin() as connection:
            _get(connection, variant_id)
            return _read_histories(connection, [variant_id])[variant_id]

    def histories(self, variant_ids: Iterable[str]) -> dict[str, list[VariantEvent]]:
        """The same of many variants at once; without names that the store does not have."""
        with self._engine.begin() as connection:
            return _read_histories(connection, variant_ids)

    def list_tallies(self) -> list[Tally]:
        """How many variants each cell has in each state, by cell; no text is read."""
        with self._engine.begin() as connection:
            return [read_tally(row) for row in connection.execute(TALLIES)]

    def count(self, state: VariantState) -> int:
        """How many variants are in that state."""
        with self._engine.begin() as connection:
            return int(connection.execute(N_IN, {"state": state.value}).scalar_one())

    def version(self) -> int:
        """Grows whenever what is served changes."""
        with self._engine.begin() as connection:
            return int(connection.execute(VERSION).scalar_one())

    def count_sent(
        self, variant_ids: Iterable[str], *, since: datetime, until: datetime
    ) -> dict[str, int]:
        """Messages in these words with `since <= sent_at < until`, but for those cancelled."""
        period = {"since_us": to_us(since), "until_us": to_us(until)}
        counts: dict[str, int] = {}
        with self._engine.begin() as connection:
            for names in in_json_lots(variant_ids):
                rows = connection.execute(N_SENT, {**period, "names": names})
                counts.update((name, n) for name, n in rows)
        return counts

    # ------------------------------------------------------------ drafting

    def find_drafted(self, cell_keys: Iterable[str]) -> set[str]:
        """Cells of these for which drafts were paid already."""
        with self._engine.begin() as connection:
            return {
                key
                for keys in in_json_lots(cell_keys)
                for key in connection.execute(DRAFTED, {"keys": keys}).scalars()
            }

    def note_cell(self, record: CellRecord) -> None:
        """Keep how an asking ended and what it cost."""
        with self._writer.begin() as connection:
            connection.execute(insert(copy_cells), write_cell(record))

    def spent_usd(self) -> float:
        """What all askings have cost."""
        with self._engine.begin() as connection:
            return float(connection.execute(SPENT).scalar_one())

    def add(self, variants: Sequence[StoredVariant], *, by: str) -> list[str]:
        """Keep new variants; words that are there already stay as they are.

        Args:
            variants: As drafts or faulty.
            by: Who brings them.

        Returns:
            Names of those that are new.

        Raises:
            BadInputError: One comes in another state: approving is a step of its own.
        """
        for one in variants:
            if one.state not in (VariantState.DRAFT, VariantState.FAULTY):
                raise BadInputError(
                    f"{one.variant_id}: comes as {one.state}, expected draft or faulty"
                )
        name = _require_name(by)
        with self._writer.begin() as connection:
            return [one.variant_id for one in variants if _add(connection, one, by=name)]

    def score(
        self, variant_id: str, *, score: float, by: str, at: datetime, note: str = ""
    ) -> None:
        """Keep a judge's score.

        Raises:
            BadInputError: The store has no such variant, or the score lies outside of [1, 5].
        """
        if not 1.0 <= score <= 5.0:
            raise BadInputError(f"{variant_id}: score {score!r}, expected 1 to 5")
        with self._writer.begin() as connection:
            _get(connection, variant_id)
            event = VariantEvent(variant_id, at, _require_name(by), Deed.SCORED, _cut(note))
            _note(connection, event, score=score)

    # ------------------------------------------------------------ deciding

    def approve(
        self, variant_id: str, *, by: str, at: datetime, note: str = "", seen: int | None = None
    ) -> StoredVariant:
        """Let a draft be served, or one that was retired again.

        Args:
            variant_id: Which.
            by: Who answers for it.
            at: When.
            note: Why.
            seen: The version that they have seen; null where that does not matter.

        Raises:
            BadInputError: The store has no such variant, or nobody is named.
            ConflictError: It is in another state, or not as it was seen.
        """
        return self._decide(variant_id, Deed.APPROVED, by=by, at=at, note=note, seen=seen)

    def approve_all(
        self, variant_ids: Iterable[str], *, by: str, at: datetime, note: str = ""
    ) -> list[StoredVariant]:
        """Let several drafts be served: all of them, or none where one cannot be; see `approve`."""
        name = _require_name(by)
        with self._writer.begin() as connection:
            return [
                _decide(connection, VariantEvent(one, at, name, Deed.APPROVED, _cut(note)))
                for one in dict.fromkeys(variant_ids)
            ]

    def reject(
        self, variant_id: str, *, by: str, at: datetime, note: str = "", seen: int | None = None
    ) -> StoredVariant:
        """Say no to a draft, or to a faulty one; see `approve`."""
        return self._decide(variant_id, Deed.REJECTED, by=by, at=at, note=note, seen=seen)

    def retire(
        self, variant_id: str, *, by: str, at: datetime, note: str = "", seen: int | None = None
    ) -> StoredVariant:
        """Take an approved variant out of what is served, at once; see `approve`."""
        return self._decide(variant_id, Deed.RETIRED, by=by, at=at, note=note, seen=seen)

    def _decide(
        self,
        variant_id: str,
        deed: Deed,
        *,
        by: str,
        at: datetime,
        note: str,
        seen: int | None,
    ) -> StoredVariant:
        event = VariantEvent(variant_id, at, _require_name(by), deed, _cut(note))
        with self._writer.begin() as connection:
            return _decide(connection, event, seen=seen)


def _decide(
    connection: Connection, event: VariantEvent, *, seen: int | None = None
) -> StoredVariant:
    variant_id, deed = event.variant_id, event.what
    found = _get(connection, variant_id)
    if found.state not in _FROM[deed]:
        expected = " or ".join(sorted(_FROM[deed]))
        raise ConflictError(
            f"{variant_id}: is {found.state}; only what is {expected} can be {deed}"
        )
    if seen is not None and seen != found.version:
        raise ConflictError(
            f"{variant_id}: has changed since it was seen: version {found.version}, seen {seen}"
        )
    _note(connection, event, state=_TO[deed].value)
    return _get(connection, variant_id)


def _get(connection: Connection, variant_id: str) -> StoredVariant:
    row = connection.execute(ONE, {"variant_id": variant_id}).first()
    if row is None:
        raise BadInputError(f"variant {variant_id!r}: the store has none of that name")
    return read_variant(row)


def _read_histories(
    connection: Connection, variant_ids: Iterable[str]
) -> dict[str, list[VariantEvent]]:
    found: dict[str, list[VariantEvent]] = {}
    for names in in_json_lots(variant_ids):
        for row in connection.execute(HISTORIES, {"names": names}):
            found.setdefault(row.variant_id, []).append(read_event(row))
    return found


def _add(connection: Connection, one: StoredVariant, *, by: str) -> bool:
    """Whether it was new."""
    dialect = connection.dialect.name
    brief = insert_into(dialect, copy_briefs).on_conflict_do_nothing()
    connection.execute(brief, write_brief(one))
    variant = insert_into(dialect, copy_variants).on_conflict_do_nothing()
    added = variant.returning(copy_variants.c.variant_id)
    if connection.execute(added, write_variant(one)).first() is None:
        return False
    event = VariantEvent(one.variant_id, one.created_at, by, Deed.ADDED, "")
    connection.execute(insert(copy_events), _write_event(event))
    return True


def _note(connection: Connection, event: VariantEvent, **changed: str | float) -> None:
    connection.execute(insert(copy_events), _write_event(event))
    connection.execute(
        update(copy_variants)
        .where(copy_variants.c.variant_id == event.variant_id)
        .values(version=copy_variants.c.version + 1, **changed)
    )


def _write_event(event: VariantEvent) -> dict[str, object]:
    return {
        "variant_id": event.variant_id,
        "at_us": to_us(event.at),
        "by": event.by,
        "what": event.what.value,
        "note": event.note,
        "changes_served": event.what in _CHANGES_SERVED,
    }


def _require_name(by: str) -> str:
    name = by.strip()
    if not name or len(name) > _MOST_NAME or not name.isprintable():
        raise BadInputError(f"by {by!r}: expected a name of at most {_MOST_NAME} characters")
    return name


def _cut(note: str) -> str:
    return note.strip()[:_MOST_NOTE]
