"""States of releases up to 0.3, which held counts: read, and turned into a bandit of today.

Such a state holds successes and failures by trigger, channel and variant. A bandit of today that is
told the same trials, of readers of whom nothing is known, starts where the old one stood.
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.context import CONTEXT_NUMBERS, encode_contexts
from training.bandit.contextual import ContextualBandit
from training.bandit.rewards import Cell
from training.bandit.sites import Rows

FORMAT = "opportune.bandit/1"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Prior(_Record):
    alpha: float
    beta: float


class _Tally(_Record):
    trigger: Trigger
    channel: Channel
    variant: str
    n_successes: int = Field(ge=0)
    n_failures: int = Field(ge=0)


class _State(_Record):
    format: Literal["opportune.bandit/1"]
    version: int = Field(ge=0)
    prior: _Prior  # of every variant alone; today's bandit has its own, common to all
    tallies: tuple[_Tally, ...]


def read_tallies(text: str) -> ContextualBandit:
    """A bandit that knows what the old state knew, under the old state's version.

    Raises:
        BadInputError: The text is another one.
    """
    try:
        state = _State.model_validate_json(text)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"not the state of a bandit: {place}: {first['msg']}") from fault
    arms = [(Cell(tally.trigger, tally.channel), tally.variant) for tally in state.tallies]
    if len(set(arms)) != len(arms):
        raise BadInputError("not the state of a bandit: a variant is counted twice")
    counts = np.array([(t.n_successes, t.n_failures) for t in state.tallies], dtype=np.float64)
    bandit = ContextualBandit.start().with_arms(arms)
    if counts.sum() == 0.0:
        return bandit
    n = 2 * len(arms)
    unknown = np.full((n, len(CONTEXT_NUMBERS)), np.nan)
    rows = Rows.sort(
        encode_contexts(("",) * n, (None,) * n, unknown, known=()),
        np.repeat([bandit.position[arm] for arm in arms], 2),
        np.tile([1.0, 0.0], len(arms)),
        counts.ravel(),
    )
    return bandit.told(rows, n_trials=state.version)
