"""What the pages of an incident and of a case tell alike: actions, what is stopped, the story."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from serving.console.access import Role
from serving.console.actions import ActionCard, list_cards, sort_cards
from serving.console.house import House, Stop
from serving.console.story import Day, list_days
from serving.corridor.settings import BrokenCorridor
from serving.store.store import StoreSession


@dataclass(frozen=True)
class Dossier:
    """A subject of the log, as somebody looks at it.

    Attributes:
        subject: `incident/` or `case/` and its identity.
        now: When it is looked at.
        cards: Its actions, those that wait first.
        days: What happened.
        stops: What is stopped, there or elsewhere.
        broken: Why the corridor cannot be read; None where it can.
        currency: Of the corridor's amounts; empty where it cannot be read.
    """

    subject: str
    now: datetime
    cards: Sequence[ActionCard]
    days: Sequence[Day]
    stops: Sequence[Stop]
    broken: str | None
    currency: str

    @property
    def is_empty(self) -> bool:
        """Whether nobody has proposed or written down anything about it."""
        return not self.cards and not self.days


def open_dossier(
    session: StoreSession, subject: str, *, house: House, role: Role, zone: ZoneInfo
) -> Dossier:
    """All that is known of a subject, for a visitor of that role, by that clock."""
    corridor, now = house.find_corridor(), house.clock()
    actions = session.holds.find_of(subject)
    cards = list_cards(session, actions, corridor=corridor, role=role, now=now)
    return Dossier(
        subject=subject,
        now=now,
        cards=sort_cards(cards),
        days=list_days(session.audit.read(subject=subject), zone=zone),
        stops=house.find_stops(session, zone=zone),
        broken=corridor.why if isinstance(corridor, BrokenCorridor) else None,
        currency="" if isinstance(corridor, BrokenCorridor) else corridor.currency,
    )
