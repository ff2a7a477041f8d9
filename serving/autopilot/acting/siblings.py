"""Other incidents of the same trouble."""

from collections.abc import Sequence

from serving.store.bursts import BurstRow
from serving.store.store import StoreSession


def list_siblings(session: StoreSession, burst: BurstRow) -> Sequence[BurstRow]:
    """Other incidents of its branch and topic that are not closed, the newest first."""
    return [
        one
        for one in session.bursts.list(only_open=True, limit=None)
        if (one.branch, one.topic) == (burst.branch, burst.topic)
        and one.incident_id != burst.incident_id
    ]
