"""What is not handed over now, and why nobody sees it: told to whoever watches the deliveries."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from serving.cli.output import Json, show
from serving.delivery.queue import DRY_RUN
from serving.moments import show_moment
from serving.policy.cases import DAY_US, from_us, to_us
from serving.store.outbox import Later
from serving.store.store import Store, StoreSession


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Messages that a lane leaves where they are.

    Attributes:
        later: Whose moment has not come.
        n_passed: That were planned before the lane began, in the days that are looked back.
        began_us: When that was; None in the dry run, and before the first look.
    """

    later: Later
    n_passed: int = 0
    began_us: int | None = None

    def describe(self) -> dict[str, Json]:
        """For programs."""
        first_us, began_us = self.later.first_us, self.began_us
        return {
            "n_later": self.later.n,
            "first_at": None if first_us is None else from_us(first_us).isoformat(),
            "n_before_the_lane": self.n_passed,
            "lane_began_at": None if began_us is None else from_us(began_us).isoformat(),
        }


@dataclass
class Watch:
    """Looks at them, and tells people once for each change.

    Attributes:
        store: That holds the messages.
        lane: That takes them in.
        look_back_days: How far back it looks for them.
        zone: IANA name of the clock on which people are told.
    """

    store: Store
    lane: str
    look_back_days: float
    zone: str
    _told: Elsewhere | None = field(default=None)
    _began: Elsewhere | None = field(default=None)

    def find(self, now: datetime) -> Elsewhere:
        """What is elsewhere now."""
        at_us = to_us(now)
        with self.store.reading() as session:
            later = session.outbox.find_later(at_us=at_us)
            if self._began is None and self.lane != DRY_RUN:
                self._began = self._find_began(session, at_us=at_us)
        return Elsewhere(later) if self._began is None else replace(self._began, later=later)

    def _find_began(self, session: StoreSession, *, at_us: int) -> Elsewhere | None:
        """What the lane passed over as it began, which does not change; None before that."""
        began_us = session.outbox.find_start(self.lane)
        if began_us is None:
            return None
        from_us_ = at_us - round(self.look_back_days * DAY_US)
        n = session.outbox.count_passed(lane=self.lane, from_us=from_us_, since_us=began_us)
        return Elsewhere(Later(0, None), n, began_us)

    def tell(self, now: datetime, *, say: Callable[[str], None] = show) -> None:
        """Say it, unless it is as it was told last."""
        found = self.find(now)
        if found == self._told:
            return
        told, self._told = self._told, found
        if found.later.first_us is not None:
            first = show_moment(from_us(found.later.first_us), zone=self.zone)
            say(
                f"{found.later.n:,} more wait for their moment, the first until {first}: "
                "customers' quiet hours, or the moment that was chosen"
            )
        is_news = told is None or told.began_us is None
        if found.n_passed and found.began_us is not None and is_news:
            began = show_moment(from_us(found.began_us), zone=self.zone)
            say(
                f"{found.n_passed:,} were planned before this lane began ({began}): "
                "they are left to whatever sent them"
            )
