"""The log in the store: appended to in the transaction of what it tells of, never changed."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import DBAPIError

from features.errors import SourceUnreadableError
from serving.audit.entries import GENESIS, MOST_WORDS, Body, Entry, EntryKind, make_entry
from serving.masking import mask_personal_data
from serving.store.trust_schema import audit_log

_LOT = 5_000  # rows read at once, to bound memory
_BEFORE_ALL = -(2**63)  # a row that somebody numbered 0 or less is read, too
_HEAD = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
_ALL = (
    select(audit_log)
    .where(audit_log.c.seq > bindparam("after"))
    .order_by(audit_log.c.seq)
    .limit(_LOT)
)
_OF_SUBJECT = _ALL.where(audit_log.c.subject == bindparam("subject"))
_ADD = insert(audit_log)


class AuditLog:
    """The part of a transaction that is about the log."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction; to append, on one that holds the write lock."""
        self._connection = connection

    def append(
        self,
        kind: EntryKind,
        subject: str,
        body: Body,
        *,
        by: str,
        at: datetime,
        words: str,
        quote: str = "",
    ) -> Entry:
        """Chain a row to the last one; it is kept with the rest of the transaction, or not at all.

        Args:
            kind: What it tells of.
            subject: What it is about, such as `incident/i7`.
            body: Identities, amounts and states.
            by: Who or what did it.
            at: When.
            words: The same for people; in our words, without personal data.
            quote: What somebody said; personal data of a known form are masked here, and what is
                then too long for a row is cut off.

        Raises:
            BadInputError: The body holds a text, or is no JSON.
        """
        if quote:
            # Masked before it is cut: half an address has no form that is known.
            room = max(0, MOST_WORDS - len(words) - len(' ""'))
            words = f'{words} "{mask_personal_data(quote)[:room]}"'
        seq, previous = self.find_head()
        entry = make_entry(
            kind, subject, body, by=by, at=at, words=words, seq=seq + 1, previous=previous
        )
        row = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
        self._connection.execute(_ADD, row)
        return entry

    def find_head(self) -> tuple[int, str]:
        """Number and hash of the last row; 0 and zeros where the log is empty."""
        row = self._connection.execute(_HEAD).first()
        return (0, GENESIS) if row is None else (row.seq, row.hash)

    def read(self, *, subject: str | None = None) -> Iterator[Entry]:
        """Rows in their order, all or those of a subject."""
        wanted = _ALL if subject is None else _OF_SUBJECT
        given = {} if subject is None else {"subject": subject}
        after: int | None = _BEFORE_ALL
        while after is not None:
            try:
                rows = self._connection.execute(wanted, {**given, "after": after}).mappings().all()
            except DBAPIError as fault:  # such as bytes that are no text
                raise SourceUnreadableError(
                    f"audit_log: a row after number {max(after, 0)} cannot be read, it was changed "
                    f"or the database is damaged: {fault.orig}"
                ) from fault
            yield from (Entry(**row) for row in rows)
            after = rows[-1]["seq"] if len(rows) == _LOT else None
