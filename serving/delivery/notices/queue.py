"""Notices, as they wait in one lane of their outbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from serving.corridor.stop_files import find_stop_file
from serving.delivery.notices.parties import PartySettingsFile
from serving.delivery.parcel import Moment, Receipt, Rejected
from serving.delivery.queue import DRY_RUN, Go, Intake, Refuse, Resolution, Verdict, Wait
from serving.delivery.settings import DeliverySettings
from serving.policy.cases import DAY_US, HOUR_US, to_us
from serving.policy.hours import after_quiet_hours
from serving.store.claims import OutboxState
from serving.store.notice_outbox import NoticeDesk, Telling
from serving.store.notices import Notice, PartyKind
from serving.store.rates import Rate
from serving.store.store import StoreSession

FOLDER = "folder"
"""The one way of the dry run."""

_AT_ONCE = 500
_ACTING = frozenset({PartyKind.VENDOR})


class Messenger(Protocol):
    """Tells notices on one way.

    Either telling one again under its handover_id changes nothing, or `moment.begin` is asked.
    """

    def tell(self, telling: Telling, moment: Moment, /) -> Receipt:
        """Tell it; failures are values."""
        ...


@dataclass(frozen=True)
class NoticeQueue:
    """Notices on their ways.

    A kill switch silences nobody of the house: they must hear of it. Vendors are told nothing
    then, since a notice to them is an act. To tell somebody of the house twice does no harm; what a
    vendor may have been told is left to a human.

    Attributes:
        lane: Of the outbox.
        parties: Who can be told something, and how; None: everything goes into the folder.
        messengers: By the place of their way.
        settings: How long notices keep, and how far back they are looked for.
        home: Folder in which a STOP file is looked for.
        rates: Limits by the place of the way.
    """

    lane: str
    parties: PartySettingsFile | None
    messengers: Mapping[str, Messenger]
    settings: DeliverySettings
    home: Path
    rates: Mapping[str, Rate] = field(default_factory=dict)

    def desk(self, session: StoreSession) -> NoticeDesk:
        """The part of a transaction that moves notices."""
        return session.notice_outbox

    def find_stop(self, _session: StoreSession) -> str | None:
        """Nothing stops all of them."""
        return None

    def take_in(self, session: StoreSession, *, at_us: int) -> Intake:
        """Take in what is due and new, each on all its ways; who has none is refused at once.

        Live, none that was no longer worth telling when the lane began.
        """
        since_us = self._find_start_us(at_us)
        if self.lane != DRY_RUN:
            began_us = at_us - round(self.settings.notice_keeps_hours * HOUR_US)
            since_us = max(since_us, session.outbox.open_lane(self._lane_name, at_us=began_us))
        desk = session.notice_outbox
        found = desk.find_new(lane=self.lane, at_us=at_us, since_us=since_us, most=_AT_ONCE)
        told = [
            desk.add(notice, self._list_ways(notice), lane=self.lane, at_us=at_us)
            for notice in found
        ]
        return Intake(len(found), tuple(reason for reason in told if reason is not None))

    def has_work(self, session: StoreSession, *, at_us: int, closed: frozenset[str]) -> bool:
        """Whether a look would find anything: asked often, in a transaction that only reads."""
        since_us = self._find_start_us(at_us)
        if self.lane != DRY_RUN:
            began_us = session.outbox.find_start(self._lane_name)
            if began_us is None:
                return True  # the first look opens the lane
            since_us = max(since_us, began_us)
        desk = session.notice_outbox
        if desk.find_new(lane=self.lane, at_us=at_us, since_us=since_us, most=1):
            return True
        return self.find_due(session, at_us=at_us, closed=closed) is not None

    def find_due(
        self, session: StoreSession, *, at_us: int, closed: frozenset[str]
    ) -> Telling | None:
        """What has waited longest; while a kill switch says stop, nothing for vendors."""
        stop = find_stop_file(self.home, branch=None) or session.switches.find_stop(branch=None)
        silent = frozenset[PartyKind]() if stop is None else _ACTING
        return session.notice_outbox.find_due(
            lane=self.lane, at_us=at_us, closed=closed, silent=silent
        )

    def door_of(self, item: Telling) -> str:
        """Its way."""
        return item.way

    def find_rate(self, item: Telling) -> Rate | None:
        """How many notices its way takes."""
        return self.rates.get(item.way)

    def is_cancelled(self, _item: Telling) -> bool:
        """Notices are not wished away."""
        return False

    def judge(self, _session: StoreSession, item: Telling, *, at_us: int) -> Verdict:
        """Not when it is over, and not in somebody's night unless it is urgent."""
        end_us = self._find_end_us(item.notice)
        if at_us >= end_us:
            return Refuse("expired")
        until_us = self._find_morning_us(item.notice, at_us=at_us)
        if until_us == at_us:
            return Go()
        return Refuse("expired") if until_us >= end_us else Wait(until_us, "quiet_hours")

    def note_claim(self, session: StoreSession, *, at: datetime) -> None:
        """Nothing else is to know."""

    def resolve(self, item: Telling) -> Resolution:
        """The house is told again; of a vendor somebody is asked."""
        return "ask" if item.notice.to.kind in _ACTING else "not_sent"

    def hand_over(self, item: Telling, moment: Moment) -> Receipt:
        """Tell it."""
        messenger = self.messengers.get(item.way)
        if messenger is None:
            return Rejected("no_way: the file of parties has it no longer")
        return messenger.tell(item, moment)

    def note_end(
        self,
        session: StoreSession,
        item: Telling,
        state: OutboxState,
        *,
        receipt: Receipt | None,
        at: datetime,
    ) -> None:
        """Nothing else is to know."""

    @property
    def _lane_name(self) -> str:
        return f"{self.lane}/notices"

    def _find_start_us(self, at_us: int) -> int:
        return at_us - round(self.settings.look_back_days * DAY_US)

    def _list_ways(self, notice: Notice) -> Sequence[str]:
        if self.parties is None:
            return (FOLDER,)
        entry = self.parties.find(notice.to)
        return () if entry is None else [f"{entry.place}/{name}" for name in entry.ways]

    def _find_end_us(self, notice: Notice) -> int:
        if notice.expires_at is not None:
            return to_us(notice.expires_at)
        begins_at = notice.not_before or notice.made_at
        return to_us(begins_at) + round(self.settings.notice_keeps_hours * HOUR_US)

    def _find_morning_us(self, notice: Notice, *, at_us: int) -> int:
        entry = None if self.parties is None else self.parties.find(notice.to)
        if notice.is_urgent or entry is None or entry.quiet_hours is None:
            return at_us
        moment = np.array([[at_us]], dtype=np.int64)
        return int(after_quiet_hours(moment, (entry.timezone,), quiet=entry.quiet_hours)[0, 0])
