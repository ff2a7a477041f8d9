"""How the send-time model is watched: when customers were there, two weeks by two weeks."""

from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from features.declared.hours import PRESENCE
from features.errors import BadInputError
from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables
from training.datasets.provenance import NotEnoughData, to_moments
from training.measures import Floats
from training.monitoring.periods import BLOCK
from training.monitoring.views.view import Asked, sample_customers
from training.registry.servable import Servable

_NAMES = ("hour of the day", "day of the week")
_EVERY_EVENT_ONCE = PRESENCE.model_copy() if hasattr(PRESENCE, "model_copy") else PRESENCE


@runtime_checkable
class _KnowsWeeks(Protocol):
    def relative_openness(self, counts: Floats) -> Floats:
        """How open each hour is, (n, 168)."""
        ...


def read_asked(
    tables: Tables, /, *, model: Servable, since: datetime, until: datetime
) -> Asked | NotEnoughData:
    """See `ReadAsked`; a row is an hour in which a customer was there."""
