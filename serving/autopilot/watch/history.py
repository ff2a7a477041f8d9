"""History that a detector is prepared from: a file of messages, or what the watcher has read."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.errors import BadInputError
from features.point_in_time.spine import to_micros
from serving.autopilot.detection.baseline import Stream
from serving.autopilot.detection.detector import Sighting
from serving.autopilot.inbound.desk import InboundDesk, KnownCustomers
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.triage import Triage
from serving.store.inbound import PastMessage
from serving.store.store import StoreSession

_AT_ONCE = 5_000
_MOMENT = timedelta(microseconds=1)
_CLOCKS_DIFFER = timedelta(minutes=5)
_LATE = timedelta(hours=6)  # the most that a detector allows


@dataclass(frozen=True)
class ReadHistory:
    """Messages of the past, as a detector learns from them.

    Attributes:
        seen: Complaints.
        branches: That messages name.
        since: The first message.
        until: First moment after the last one.
        n_messages: All of them.
    """

    seen: Sequence[Sighting]
    branches: tuple[str, ...]
    since: datetime
    until: datetime
    n_messages: int


def read_history(
    messages: Sequence[InboundMessage], *, triage: Triage, customers: KnownCustomers
) -> ReadHistory:
    """Read messages; at least one, in order of time."""
    desk = InboundDesk(triage, customers=customers)
    reads = [desk.read(message) for message in messages]
    return ReadHistory(
        seen=[read.sighting for read in reads if read.sighting is not None],
        branches=tuple(sorted({m.branch for m in messages if m.branch is not None})),
        since=messages[0].at,
        until=messages[-1].at + _MOMENT,
        n_messages=len(messages),
    )


def recall_history(session: StoreSession, *, topics: Collection[str]) -> ReadHistory:
    """What the watcher has read, whether its texts are forgotten or not.

    But for messages whose moment cannot be true: the detector does not take them either, and one of
    them would stretch the weeks that levels are counted in.

    Args:
        session: Of the store.
        topics: Of the taxonomy; complaints about others, of an earlier taxonomy, are left out.

    Raises:
        BadInputError: It has read nothing yet.
    """
    past = [one for one in _read_past(session) if _is_timely(one)]
    if not past:
        raise BadInputError(
            "the store holds no message that was read: give --messages FILE, or let "
            "`opportune act` run for some weeks"
        )
    moments = [one.at for one in past]
    return ReadHistory(
        seen=[
            Sighting(
                one.inbound_id,
                to_micros(one.at),
                Stream(one.branch, one.reading.triaged.topic),
                one.customer_id if one.reading.is_known else None,
            )
            for one in past
            if one.branch is not None
            and one.reading.triaged.is_complaint
            and one.reading.triaged.topic in topics
        ],
        branches=tuple(
            sorted({one.branch for one in past if one.branch is not None and one.reading.is_known})
        ),
        since=min(moments),
        until=max(moments) + _MOMENT,
        n_messages=len(past),
    )


def _is_timely(message: PastMessage) -> bool:
    late = message.arrived_at - message.at
    return -_CLOCKS_DIFFER <= late <= _LATE


def _read_past(session: StoreSession) -> Iterator[PastMessage]:
    after = 0
    while lot := session.inbound.read_past(after_seq=after, limit=_AT_ONCE):
        yield from lot
        after = lot[-1].seq
