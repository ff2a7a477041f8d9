"""What the detector says: a burst began, it went on, it is over."""

from enum import StrEnum
from math import inf
from typing import Final

from pydantic import BaseModel, ConfigDict

from serving.autopilot.detection.baseline import Stream

_TEN_YEARS_OF_WEEKS: Final = 520


class Taken(StrEnum):
    """What became of one message."""

    COUNTED = "counted"
    REPEATED = "repeated"  # of a customer who has complained there already
    SEEN_BEFORE = "seen_before"  # the same message again
    UNKNOWN_SENDER = "unknown_sender"  # nobody knows whether that is a customer
    TOO_LATE = "too_late"  # it may count for what is usual, but starts nothing
    AHEAD = "ahead"  # written after it arrived: somebody's clock is wrong
    NOT_WATCHED = "not_watched"  # no such branch or topic

    @property
    def joins_burst(self) -> bool:
        """Whether it is part of what goes on; of strangers, too, though they do not count."""
        return self in (Taken.COUNTED, Taken.REPEATED, Taken.UNKNOWN_SENDER)


class EndReason(StrEnum):
    """Why a burst is over."""

    SILENCE = "silence"  # complaints are as rare as usual again
    STALE = "stale"  # it went on for so long that it is the new usual
    UNWATCHED = "unwatched"  # its topic or branch is watched no more
    CLOSED = "closed"  # its incident is


class Burst(BaseModel):
    """More complaints than chance brings, about one topic in one branch.

    Attributes:
        burst_id: Stream and first moment: the same in every replay.
        stream: Where and about what.
        first_at_us: The first complaint of the window that gave it away.
        detected_at_us: When it was seen.
        customer_ids: Who complained until then, in order.
        message_ids: Their messages.
        n_usual: Complaints that were to be expected in that window.
        score: How strongly the window speaks for more, see `statistic`.
        threshold: What it had to reach.
        per_day: Level of the stream.
        chance_per_week: How often chance brings as much, somewhere in the chain.
        is_assumed: Whether what is usual was assumed, not learned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    burst_id: str
    stream: Stream
    first_at_us: int
    detected_at_us: int
    customer_ids: tuple[str, ...]
    message_ids: tuple[str, ...]
    n_usual: float
    score: float
    threshold: float
    per_day: float
    chance_per_week: float
    is_assumed: bool


class BurstGrew(BaseModel):
    """One more customer complains while a burst goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    burst_id: str
    customer_id: str
    message_id: str
    at_us: int
    n_customers: int


class BurstEnded(BaseModel):
    """A burst is over.

    Attributes:
        burst_id: Which one.
        ended_at_us: When that was clear.
        last_at_us: Its last complaint.
        n_customers: So many have complained.
        reason: Why it is over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    burst_id: str
    ended_at_us: int
    last_at_us: int
    n_customers: int
    reason: EndReason


BurstNews = Burst | BurstGrew | BurstEnded


def tell_how_often(
    per_week: float,
    *,
    often: str = "{n} times a week",
    rarely: str = "about once in {n} weeks",
    hardly: str = "less than once in ten years",
) -> str:
    """How often something happens, in words a person has a feeling for.

    Args:
        per_week: How often in a week.
        often: Where that is once or more; `{n}` is how often.
        rarely: Else; `{n}` is in how many weeks once.
        hardly: Where those are ten years or more.

    >>> tell_how_often(2.04), tell_how_often(0.07), tell_how_often(0.0)
    ('2.0 times a week', 'about once in 14 weeks', 'less than once in ten years')
    """
    if per_week >= 1:
        return often.format(n=f"{per_week:.1f}")
    weeks = 1 / per_week if per_week > 0 else inf
    return rarely.format(n=f"{weeks:.0f}") if weeks < _TEN_YEARS_OF_WEEKS else hardly
