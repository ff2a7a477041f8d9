"""What the pages look at: the store, the corridor, what is known of customers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from features.churn.risk import RiskRules
from serving.autopilot.acting.updates import Updates
from serving.console.templating import write_moment
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.corridor.stop_files import fold_name, list_stop_files
from serving.risk.records import ChurnAnswer, ChurnQuestion
from serving.snapshot.state import Snapshot
from serving.store.store import Store, StoreSession


@dataclass(frozen=True)
class Stop:
    """Something that is stopped.

    Attributes:
        branch: Where; None: everything.
        why: Whoever and whatever says so, in words.
    """

    branch: str | None
    why: str


@dataclass(frozen=True)
class House:
    """Everything that pages read and change, beside accounts and variants.

    Attributes:
        store: Incidents, actions, tasks, cases, switches, the log.
        clock: What time it is.
        home: Folder in which STOP files are looked for.
        find_corridor: The corridor as its file says now.
        snapshot: What the server knows.
        explain: The churn risk of one customer.
        rules: How a probability becomes a tier.
        find_updates: Words about incidents, and the causes that they know; None where they cannot
            be read.
        currency: Of revenues.
    """

    store: Store
    clock: Callable[[], datetime]
    home: Path
    find_corridor: Callable[[], Corridor | BrokenCorridor]
    snapshot: Callable[[], Snapshot]
    explain: Callable[[ChurnQuestion], ChurnAnswer]
    rules: RiskRules
    find_updates: Callable[[], Updates | None]
    currency: str

    def find_desk(self) -> CorridorDesk:
        """Where yes and no are said, by the corridor of this moment."""
        return CorridorDesk(self.find_corridor(), home=self.home)

    def find_zone(self) -> ZoneInfo:
        """The clock of the place: the corridor's, where it can be read."""
        corridor = self.find_corridor()
        return ZoneInfo("UTC" if isinstance(corridor, BrokenCorridor) else corridor.zone)

    def find_stops(self, session: StoreSession, *, zone: ZoneInfo) -> list[Stop]:
        """What is stopped: by files of the home, rows of the store, or both; by that clock."""
        said = list_stop_files(self.home)
        said += [
            (one.branch, f"{one.by} stopped it at {write_moment(one.at, zone=zone)}")
            for one in session.switches.find_all()
            if one.is_stopped
        ]
        stops: dict[str | None, Stop] = {}
        for branch, why in said:
            key = None if branch is None else fold_name(branch)
            known = stops.get(key)
            whys = why if known is None else f"{known.why}; {why}"
            stops[key] = Stop(branch if known is None else known.branch, whys)
        return list(stops.values())
