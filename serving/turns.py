"""Waiting for one's turn to write without keeping others waiting."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from features.errors import BusyError
from serving.store.engine import patience

Done = TypeVar("Done")

_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.1
_N_LOOKS = 25


async def take_turn(work: Callable[[], Done], *, n_looks: int = _N_LOOKS) -> Done:
    """Do short work that writes, in this thread, as soon as nobody else does.

    While a large batch is being booked the store is somebody else's for seconds. Others are
    answered between two looks.

    Args:
        work: What there is to do; nothing of it is done where it raises BusyError.
        n_looks: How often to see whether it is free: five seconds' worth.

    Raises:
        BusyError: It was never free.
    """
    for _ in range(n_looks - 1):
        try:
            with patience(_LOOK_SECONDS):
                return work()
        except BusyError:
            await asyncio.sleep(_PAUSE_SECONDS)
    with patience(_LOOK_SECONDS):
        return work()
