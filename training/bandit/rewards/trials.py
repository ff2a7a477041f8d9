"""What a bandit learns from: each message once, with the state of its reward, in columns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.vocabulary import Channel, Trigger
from training.bandit.rewards.rule import Ints, RewardState

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trials:
    """Messages in the order of (sent_at_us, message_id), each once; all columns have n rows.

    Attributes:
        message_ids: Identity.
        triggers: Why it was sent.
        channels: Where.
        variants: Its wording.
        languages: Of the customer when it was decided.
        segments: The same; None where unknown.
        numbers: Context, (n, d); NaN where it is unknown.
        p_variant: With which probability the variant was chosen; NaN where it was not logged.
        sent_at_us: When, UTC microseconds.
        ages_us: How long ago that was when the log was judged.
        states: Of the reward.
        watched_us: How long the message is known to have been without success: of a success the
            delay until it, of a failure the whole window, else until it was last looked at.
        is_told_at_end: Of which success and failure are told only when the window closes: until
            then nothing is known of them.
        window_us: When a message without success has failed.
    """

    message_ids: tuple[str, ...]
    triggers: tuple[Trigger, ...]
    channels: tuple[Channel, ...]
    variants: tuple[str, ...]
    languages: tuple[str, ...]
    segments: tuple[str | None, ...]
    numbers: Floats
    p_variant: Floats
    sent_at_us: Ints
    ages_us: Ints
    states: tuple[RewardState, ...]
    watched_us: Ints
    is_told_at_end: Flags
    window_us: int

    def __len__(self) -> int:
        return len(self.message_ids)

    def is_in(self, state: RewardState) -> Flags:
        """Rows in that state, (n,)."""
        return np.array([found is state for found in self.states], dtype=bool)

    @property
    def is_matured(self) -> Flags:
        """Rows whose window has closed, (n,): among them successes and failures can be compared."""
        return self.ages_us >= self.window_us

    def take(self, rows: Flags) -> "Trials":
        """The rows that are marked, in their order."""
        chosen = np.flatnonzero(rows).tolist()
        return Trials(
            message_ids=tuple(self.message_ids[at] for at in chosen),
            triggers=tuple(self.triggers[at] for at in chosen),
            channels=tuple(self.channels[at] for at in chosen),
            variants=tuple(self.variants[at] for at in chosen),
            languages=tuple(self.languages[at] for at in chosen),
            segments=tuple(self.segments[at] for at in chosen),
            numbers=self.numbers[chosen],
            p_variant=self.p_variant[chosen],
            sent_at_us=self.sent_at_us[chosen],
            ages_us=self.ages_us[chosen],
            states=tuple(self.states[at] for at in chosen),
            watched_us=self.watched_us[chosen],
            is_told_at_end=self.is_told_at_end[chosen],
            window_us=self.window_us,
        )
