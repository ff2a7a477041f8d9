"""What workflows act with; wired at the edge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from serving.corridor.desk import CorridorDesk
from serving.decide import Engine
from serving.store.store import Store


@dataclass(frozen=True)
class ActingParts:
    """What is there to act with.

    Attributes:
        store: Where everything is kept.
        desk: The corridor's desk as its file says now.
        engine: The engine for what is current; NotReadyError where nothing is published yet.
        clock: What time it is.
        language: That the owner is told things in.
        zone: IANA name of the clock on which people are told moments.
        console_address: Where people open the console; empty where there is none.
    """

    store: Store
    desk: Callable[[], CorridorDesk]
    engine: Callable[[], Engine]
    clock: Callable[[], datetime]
    language: str = "en"
    zone: str = "UTC"
    console_address: str = ""
