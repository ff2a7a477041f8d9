"""Where messages arrive: kept, and no more; the acting process reads them."""

from dataclasses import dataclass
from datetime import datetime

from features.errors import BadInputError
from serving.autopilot.inbound.records import InboundReceipt, InboundReport
from serving.store.store import Store


@dataclass(frozen=True)
class ArrivalDesk:
    """Takes messages in.

    Attributes:
        store: Where they are kept.
        takes_callers_time: The moment comes with the report (rehearsals), not from the clock.
    """

    store: Store
    takes_callers_time: bool = False

    def take(self, report: InboundReport, *, now: datetime) -> InboundReceipt:
        """Keep every message once, all in one transaction.

        Raises:
            BadInputError: The report brings a moment and must not, or the other way round.
        """
        if self.takes_callers_time and report.arrived_at is None:
            raise BadInputError(
                "arrived_at: required, since this service runs on the caller's clock"
            )
        if not self.takes_callers_time and report.arrived_at is not None:
            raise BadInputError(
                "arrived_at: not accepted, since this service runs on its own clock "
                "(OPPORTUNE_CLOCK=caller is meant for rehearsals)"
            )
        messages = [row.message for row in report.messages]
        with self.store.transaction() as session:
            states = session.inbound.add(messages, arrived_at=report.arrived_at or now)
        return InboundReceipt(states=states)
