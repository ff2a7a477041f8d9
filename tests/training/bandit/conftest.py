"""Trials and contexts made by hand."""

from collections.abc import Sequence

import numpy as np

from training.bandit.context import CONTEXT_NUMBERS
from training.bandit.policy import VariantContexts
from training.bandit.rewards import Cell, RewardState, Trials

WINDOW_US = 1_000_000


def contexts_of(cell: Cell, n: int = 1, *, language: str = "en") -> VariantContexts:
    """Customers of whom only the language is known."""
    numbers = np.full((n, len(CONTEXT_NUMBERS)), np.nan)
    return VariantContexts(cell.trigger, cell.channel, (language,) * n, (None,) * n, numbers)


def make_trials(
    variants: Sequence[str],
    successes: Sequence[bool | None],
    *,
    cell: Cell,
    languages: Sequence[str] | None = None,
    segments: Sequence[str | None] | None = None,
    age: float = 2.0,
    watched: Sequence[float] | None = None,
) -> Trials:
    """One trial for each variant; None is undecided. Ages and delays are in windows."""
    n = len(variants)
    names = {True: RewardState.SUCCESS, False: RewardState.FAILURE, None: RewardState.PENDING}
    until = [0.1 if success else min(age, 1.0) for success in successes]
    return Trials(
        message_ids=tuple(f"m{at:06d}" for at in range(n)),
        triggers=(cell.trigger,) * n,
        channels=(cell.channel,) * n,
        variants=tuple(variants),
        languages=tuple(languages or ["en"] * n),
        segments=tuple(segments or [None] * n),
        numbers=np.zeros((n, 0)),
        p_variant=np.full(n, np.nan),
        sent_at_us=np.arange(n, dtype=np.int64),
        ages_us=np.full(n, int(age * WINDOW_US), dtype=np.int64),
        states=tuple(names[success] for success in successes),
        watched_us=(np.array(watched or until) * WINDOW_US).astype(np.int64),
        is_told_at_end=np.zeros(n, dtype=bool),
        window_us=WINDOW_US,
    )
