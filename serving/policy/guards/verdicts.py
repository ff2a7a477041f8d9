"""What the guards said."""

from dataclasses import dataclass

import numpy as np

from serving.policy.cases import Flags
from serving.records import Reason


@dataclass(frozen=True)
class Verdicts:
    """Which actions each guard forbids, in the order in which they are named.

    Attributes:
        forbidden: By guard; each broadcasts to (n, K, S): cases, channel sets, moments.
        shape: (n, K, S).
    """

    forbidden: dict[Reason, Flags]
    shape: tuple[int, int, int]

    @property
    def allowed(self) -> Flags:
        """Actions that no guard forbids, (n, K, S)."""
        allowed: Flags = np.ones(self.shape, dtype=bool)
        for no in self.forbidden.values():
            allowed &= ~no
        return allowed

    def first_reason(self, row: int, set_index: int, slot: int) -> Reason | None:
        """The first guard that forbids this action; None when none does."""
        return next(
            (
                reason
                for reason, no in self.forbidden.items()
                if np.broadcast_to(no, self.shape)[row, set_index, slot]
            ),
            None,
        )
