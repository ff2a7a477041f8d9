"""What a rehearsal needs of a world; any class with these methods will do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd


class World(Protocol):
    """A world that lives on, takes messages and knows the truth about them.

    Attributes:
        start: First moment of the rehearsal; history exists before it.
    """

    start: datetime

    def tables(self, until: datetime) -> Mapping[str, pd.DataFrame]:
        """Facts known strictly before `until`, as the tables of `features.tables`."""
        ...

    def deliver(self, messages: pd.DataFrame) -> None:
        """Take messages to send: rows of the `messages` table with `sent_at` at or after now."""
        ...

    def advance(self, until: datetime) -> None:
        """Live on until that moment: activity, outcomes, tickets, churn."""
        ...

    def true_value(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Expected cents, net of cost, of each candidate message against no message.

        The whole expected effect over the next 30 days with no further message, later losses
        (unsubscribing, saturation) included. For scoring only: the engine never reads it.

        Args:
            candidates: customer_id, trigger, channel, send_at, variant (nullable).
        """
        ...


@runtime_checkable
class NoticeWorld(Protocol):
    """A world that knows what several messages about one case are worth together."""

    def true_value_of_notices(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Expected cents of each candidate beside those above it in its notice.

        Args:
            candidates: As of `World.true_value`, with a column `notice`: messages with the same
                one are about one case and go out at one moment.
        """
        ...
