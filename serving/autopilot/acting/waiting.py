"""Messages of an incident that are decided, and whose moment has not come."""

from dataclasses import dataclass
from datetime import datetime

from serving.policy.cases import from_us, to_us
from serving.store.store import StoreSession


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages that wait.

    Attributes:
        n: How many.
        first_at: When the first one goes out; None where none waits.
    """

    n: int
    first_at: datetime | None


def find_waiting(session: StoreSession, workflow_id: str, *, now: datetime) -> Waiting:
    """What customers will be told about an incident later: at night nobody is written to."""
    letters = session.letters.find_of(workflow_id)
    decided = [one.decision_id for one in letters if one.decision_id is not None]
    later = session.outbox.find_later_of(decided, at_us=to_us(now))
    return Waiting(later.n, None if later.first_us is None else from_us(later.first_us))
