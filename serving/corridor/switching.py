"""Throwing a kill switch: the row of the store, with its entry in the log.

It looks at neither the corridor's file nor its limits, so that it works whatever they hold.
"""

from datetime import datetime

from serving.audit.entries import EntryKind
from serving.corridor.switch_names import name_scope
from serving.store.store import StoreSession


def throw_switch(
    session: StoreSession, *, is_stopped: bool, by: str, branch: str | None, now: datetime
) -> None:
    """Stop, or go on; going on says that it is now, whatever the clock said before.

    Args:
        session: A transaction that writes.
        is_stopped: Whether nothing new is done from now on.
        by: Who says so.
        branch: Only there; None: everything.
        now: Aware.
    """
    words = f"{by} {'stops' if is_stopped else 'resumes'} {name_scope(branch)}"
    session.switches.throw(branch=branch, is_stopped=is_stopped, by=by, at=now)
    if not is_stopped:
        session.holds.set_clock(now)
    body = {"branch": branch, "is_stopped": is_stopped}
    session.audit.append(EntryKind.HUMAN, "switch", body, by=by, at=now, words=words)
