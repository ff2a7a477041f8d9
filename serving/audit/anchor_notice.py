"""The anchor of the log as a notice to the owner: once it is told, it is where the log is not."""

from datetime import datetime

from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import StoreSession

_OWNER = Party(PartyKind.OWNER, "default")


def leave_anchor_notice(
    session: StoreSession, line: str, *, seq: int, at: datetime, is_daily: bool = False
) -> bool:
    """Leave an anchor's line to be told to the owner; whether it is new on that day.

    Args:
        session: A transaction that writes.
        line: The anchor, as `write_anchor` made it.
        seq: Number of the log's last row: a log that grew has another anchor.
        at: When.
        is_daily: Whether it is the one of the day, however the log grows.
    """
    body = (
        f"The log held {seq:,} rows at {at:%Y-%m-%d %H:%M} UTC. Keep the line below: with the "
        f"public key, `opportune audit verify --anchor` finds by it whatever was cut or changed "
        f"before that moment.\n\n{line}\n"
    )
    which = "daily" if is_daily else str(seq)
    return _leave(session, body, which=which, subject="Anchor of the log", at=at)


def leave_anchor_fault(session: StoreSession, why: str, *, at: datetime) -> bool:
    """Leave for the owner that the anchor of the day cannot be kept; whether it is new that day.

    Args:
        session: A transaction that writes.
        why: Place and fault.
        at: When.
    """
    body = (
        f"The signed head of the log could not be kept elsewhere: {why}\n"
        f"It is tried again every minute while `opportune act` runs. Until it is kept, rows that "
        f"were written since the last anchor could be cut unseen.\n"
    )
    return _leave(session, body, which="failed", subject="No anchor of the log", at=at)


def _leave(session: StoreSession, body: str, *, which: str, subject: str, at: datetime) -> bool:
    """Leave the owner one notice of its kind a day; whether it is the first."""
    return session.notices.add(
        Notice(
            key=f"anchor/{at:%Y-%m-%d}/{which}",
            to=_OWNER,
            subject=f"{subject}, {at:%Y-%m-%d}",
            body=body,
            language="en",
            made_at=at,
        )
    )
