"""The outbox of notices: each way on which one goes is handed over for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, insert, select

from serving.store.claims import OPEN, Claimable, ClaimDesk, ClaimStatements, OutboxState
from serving.store.notice_schema import notice_handovers, notices
from serving.store.notices import Notice, PartyKind, read_notice

_STATEMENTS: Final = ClaimStatements.of(notice_handovers, key=notice_handovers.c.handover_id)
_JOINED = select(notice_handovers, notices).join(
    notices, notices.c.notice_key == notice_handovers.c.notice_key
)
_DUE = (
    _JOINED.where(notice_handovers.c.lane == bindparam("lane"))
    .where(notice_handovers.c.state.in_(OPEN))
    .where(notice_handovers.c.due_at_us <= bindparam("at_us"))
    .where(notice_handovers.c.way.not_in(bindparam("closed", expanding=True)))
    .where(notices.c.party_kind.not_in(bindparam("silent", expanding=True)))
    .order_by(notice_handovers.c.due_at_us, notice_handovers.c.handover_id)
    .limit(1)
)
_LISTED = (
    _JOINED.where(notice_handovers.c.lane == bindparam("lane"))
    .where(notice_handovers.c.state == bindparam("state"))
    .order_by(notice_handovers.c.due_at_us, notice_handovers.c.handover_id)
    .limit(bindparam("most"))
)
_IS_IN_LANE = (
    select(notice_handovers.c.handover_id)
    .where(notice_handovers.c.lane == bindparam("lane"))
    .where(notice_handovers.c.notice_key == notices.c.notice_key)
    .exists()
)
_NEW: Select[str] = (
    select(notices)
    .where(notices.c.not_before_us <= bindparam("at_us"))
    .where(notices.c.not_before_us >= bindparam("since_us"))
    .where(~_IS_IN_LANE)
    .order_by(notices.c.not_before_us, notices.c.notice_key)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling(Claimable):
    """A notice on one way.

    Attributes:
        handover_id: Its identity, and the key under which a receiver takes it once.
        way: Name of the way, of the party's ways; empty where the party has none.
    """

    handover_id: str
    way: str
    notice: Notice

    @property
    def key(self) -> str:
        """Its identity in its lane."""
        return self.handover_id


class NoticeDesk(ClaimDesk[Telling]):
    """The part of a transaction that hands notices over."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        super().__init__(connection, _STATEMENTS)

    def find_new(self, *, lane: str, at_us: int, since_us: int, most: int) -> list[Notice]:
        """Notices whose moment has come and that are new to the lane, the earliest first."""
        given = {"lane": lane, "at_us": at_us, "since_us": since_us, "most": most}
        return [read_notice(row) for row in self._connection.execute(_NEW, given).mappings()]

    def add(self, notice: Notice, ways: Sequence[str], *, lane: str, at_us: int) -> str | None:
        """Take a notice in, on each of these ways; why it is refused where it has none."""
        reason = f"no_way: nobody is reachable as {notice.to.kind}/{notice.to.name}"
        shared: dict[str, str | int | None] = {
            "lane": lane,
            "notice_key": notice.key,
            "due_at_us": at_us,
            "n_attempts": 0,
            "fence": 0,
        }
        waits = {"state": OutboxState.PENDING.value, "reason": None, "settled_at_us": None}
        refused: dict[str, str | int | None] = {
            "way": "",
            "handover_id": f"{notice.key}@",
            "state": OutboxState.REFUSED.value,
            "reason": reason,
            "settled_at_us": at_us,
        }
        rows = [shared | waits | {"way": way, "handover_id": f"{notice.key}@{way}"} for way in ways]
        self._connection.execute(insert(notice_handovers), rows or [shared | refused])
        return None if rows else reason

    def find_due(
        self,
        *,
        lane: str,
        at_us: int,
        closed: frozenset[str] = frozenset(),
        silent: frozenset[PartyKind] = frozenset(),
    ) -> Telling | None:
        """The one that has waited longest, among them those whose lease ran out; or None.

        Args:
            lane: Of the outbox.
            at_us: The moment.
            closed: Ways on which nothing goes now.
            silent: Kinds of parties that are told nothing now.
        """
        given = {
            "lane": lane,
            "at_us": at_us,
            "closed": sorted(closed),
            "silent": sorted(kind.value for kind in silent),
        }
        row = self._connection.execute(_DUE, given).mappings().first()
        return None if row is None else _read(row)

    def find(self, state: OutboxState, *, lane: str, most: int) -> list[Telling]:
        """Notices in that state on a way, the longest due first."""
        given = {"lane": lane, "state": state.value, "most": most}
        return [_read(row) for row in self._connection.execute(_LISTED, given).mappings()]


def _read(row: RowMapping) -> Telling:
    return Telling(
        handover_id=row["handover_id"],
        way=row["way"],
        notice=read_notice(row),
        state=OutboxState(row["state"]),
        due_at_us=row["due_at_us"],
        n_attempts=row["n_attempts"],
        fence=row["fence"],
        reason=row["reason"],
        is_begun=bool(row["is_begun"]),
        n_earlier=row["n_earlier"] or 0,
    )
