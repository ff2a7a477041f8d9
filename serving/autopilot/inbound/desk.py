"""From a message to a sighting: who wrote it, about which stream, whether it counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from features.point_in_time.spine import to_micros
from serving.autopilot.detection.baseline import Stream
from serving.autopilot.detection.detector import Sighting
from serving.autopilot.inbound.message import InboundMessage, Triaged
from serving.autopilot.inbound.triage import Triage


@dataclass(frozen=True)
class KnownCustomers:
    """Customers whose complaints count.

    Attributes:
        languages: Stored language by customer; None where none is stored.
        regions: Region by customer, where it is known.
        first_names: First name by customer, likewise; taken out of what leaves the house.
    """

    languages: Mapping[str, str | None]
    regions: Mapping[str, str]
    first_names: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, customer_id: object) -> bool:
        return customer_id in self.languages


@dataclass(frozen=True)
class Read:
    """A message that has been read.

    Attributes:
        message: As it came in.
        triaged: What it is.
        sighting: As the detector takes it; None where it is no complaint or names no branch.
    """

    message: InboundMessage
    triaged: Triaged
    sighting: Sighting | None


class InboundDesk:
    """Reads messages."""

    def __init__(self, triage: Triage, *, customers: KnownCustomers) -> None:
        """Read by `triage`; of strangers nothing counts."""
        self._triage = triage
        self._customers = customers

    def read(self, message: InboundMessage) -> Read:
        """What a message is, and what the detector is told of it."""
        known = message.customer_id if message.customer_id in self._customers else None
        language = None if known is None else self._customers.languages[known]
        triaged = self._triage.triage(message, language=language)
        return Read(message, triaged, sight(message, triaged, customer_id=known))


def sight(message: InboundMessage, triaged: Triaged, *, customer_id: str | None) -> Sighting | None:
    """What the detector is told of a message; None: no complaint, or of no branch.

    Args:
        message: As it came in.
        triaged: What it is.
        customer_id: Of a customer who is known; None for everybody else.
    """
    if not triaged.is_complaint or message.branch is None:
        return None
    stream = Stream(message.branch, triaged.topic)
    return Sighting(message.inbound_id, to_micros(message.at), stream, customer_id)
