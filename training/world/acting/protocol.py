"""What a rehearsal of playbooks needs of a world, beside what every world has."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.world.protocol import World


class Lever(StrEnum):
    """What an intervention pulls; who it helps hangs on why the customer is dissatisfied."""

    CALL = "call"  # somebody listens
    TRAINING = "training"  # coaching, webinars, set-up: the product is used
    SERVICE = "service"  # a problem is solved with priority
    DISCOUNT = "discount"  # it costs less
    PRODUCT = "product"  # what was missing is there


class ActingWorld(World, Protocol):
    """A world in which customers can be acted upon, and which knows the truth about that."""

    def intervene(self, interventions: pd.DataFrame) -> None:
        """Take interventions to come.

        Args:
            interventions: intervention_id, customer_id, lever, begins_at (now or later).
        """
        ...

    def interventions(self, until: datetime) -> pd.DataFrame:
        """The company's own book of interventions decided before `until`, one row per occasion.

        Those of the history are partly randomised, and rows with nothing done are among them.

        Returns:
            intervention_id, customer_id, decided_at, lever (null: nothing was done), propensity
            (probability of what was done, null where chance did not decide), p_none (probability
            of nothing), cost_cents.
        """
        ...

    def true_save_value(self, interventions: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Expected cents of each intervention alone against none, before its cost.

        For scoring only: nobody who decides may read it.

        Args:
            interventions: customer_id, lever, begins_at (now or later).
        """
        ...

    def true_do_not_disturb(self, customer_ids: "pd.Series[str]") -> npt.NDArray[np.bool_]:
        """Whether contact may drive the customer away; for scoring only."""
        ...

    def true_worth(self, customer_ids: "pd.Series[str]") -> npt.NDArray[np.float64]:
        """Cents that are lost with each customer; for scoring only."""
        ...
