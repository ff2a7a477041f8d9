"""What the budgets leave room for."""

from collections.abc import Sequence

import numpy as np

from features.vocabulary import Channel, Priority, Trigger
from serving.policy.budgets import Headroom
from serving.policy.cases import Flags, Ints


def exceeds_budget(
    trigger: Trigger,
    *,
    priority: Priority,
    sets: Sequence[tuple[Channel, ...]],
    slots_us: Ints,
    headroom: Headroom,
) -> Flags:
    """Actions that a budget might not be able to pay, (n, K, S).

    A message is taken at the most it may cost, since its words are chosen afterwards.
    """
    n, n_slots = slots_us.shape
    exceeded = np.zeros((n, len(sets), n_slots), dtype=bool)
    for budget in headroom.covering(trigger, priority=priority):
        most = np.array([headroom.most(budget, channels) for channels in sets], dtype=np.int64)
        left = headroom.left_at(budget, slots_us)
        exceeded |= most[None, :, None] > left[:, None, :]
    return exceeded
