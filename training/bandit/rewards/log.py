"""The log that rewards are judged from: messages, what came of them, and who left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import BadInputError
from features.vocabulary import Outcome

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_COLUMNS: Final = {
    "messages": {
        "message_id": "str",
        "customer_id": "str",
        "trigger": "str",
        "channel": "str",
        "variant": "str",
        "language": "str",
        "segment": "str",
        "p_variant": "float64",
        "sent_at_us": "int64",
    },
    "outcomes": {"message_id": "str", "outcome": "str", "at_us": "int64", "machine": "bool"},
    "departures": {
        "customer_id": "str",
        "channel": "str",
        "message_id": "str",
        "at_us": "int64",
        "known_us": "int64",
    },
    "activity": {"customer_id": "str", "at_us": "int64", "known_us": "int64"},
}


@dataclass(frozen=True)
class RewardLog:
    """Messages and what is known to have followed. Moments are UTC microseconds.

    Attributes:
        messages: message_id (each once), customer_id, trigger, channel, variant, language, segment
            (nullable), p_variant (NaN where it was not logged), sent_at_us. Messages without a
            variant teach nothing about variants and are not in it.
        numbers: Context of each message, (n, d); NaN where it is unknown.
        outcomes: message_id, outcome, at_us, machine (said by the sender). Repeats are welcome.
        departures: customer_id, channel (null: all of them), message_id (by which they left; null
            where it was by none), at_us, known_us (when it was told).
        activity: customer_id, at_us, known_us; None where nobody records what customers do.
        unwatched: Messages whose readers may have done things that `activity` would not show.
    """

    messages: pd.DataFrame
    numbers: Floats
    outcomes: pd.DataFrame
    departures: pd.DataFrame
    activity: pd.DataFrame | None
    unwatched: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        faults = [
            f"{name} lack {', '.join(sorted(missing))}"
            for name in _COLUMNS
            if (frame := getattr(self, name)) is not None
            and (missing := _COLUMNS[name].keys() - set(frame.columns))
        ]
        if len(self.numbers) != len(self.messages):
            faults.append(f"{len(self.messages)} messages with contexts of {len(self.numbers)}")
        if faults:
            raise BadInputError(f"a log of rewards: {'; '.join(faults)}")

    @classmethod
    def empty(cls) -> "RewardLog":
        """Nothing was ever sent."""
        frames = {name: frame_of(name) for name in _COLUMNS}
        return cls(
            frames["messages"], np.zeros((0, 0)), frames["outcomes"], frames["departures"], None
        )

    def with_activity(self, activity: pd.DataFrame) -> "RewardLog":
        """The log with this and all activity that it has; every reader is watched then."""
        told = activity if self.activity is None else _concat(self.activity, activity)
        return replace(self, activity=told, unwatched=frozenset())

    def since(self, moment_us: int) -> "RewardLog":
        """Messages sent at or after a moment, and who left since; outcomes stay."""
        is_later = (self.messages["sent_at_us"] >= moment_us).to_numpy()
        return replace(
            self,
            messages=self.messages.loc[is_later].reset_index(drop=True),
            numbers=self.numbers[is_later],
            departures=self.departures.loc[self.departures["at_us"] >= moment_us],
        )

    def without_strangers(self) -> "RewardLog":
        """The log without outcomes of messages that are not in it."""
        is_known = is_among(self.outcomes["message_id"], self.messages["message_id"])
        return replace(self, outcomes=self.outcomes.loc[is_known].reset_index(drop=True))


def is_among(ids: "pd.Series[str]", known: "pd.Series[str]") -> Flags:
    """Which of the identities are among these, each of which is there once, (n,).

    `Series.isin` of texts makes an object of each known one: ten times as slow.
    """
    return np.asarray(pd.Index(known).get_indexer(pd.Index(ids)) >= 0)


def frame_of(name: str, rows: Sequence[Sequence[object]] = ()) -> pd.DataFrame:
    """Rows as a frame of a log: `messages`, `outcomes`, `departures` or `activity`."""
    kinds = _COLUMNS[name]
    frame = pd.DataFrame([tuple(row) for row in rows], columns=list(kinds))
    return frame.astype(kinds)


def list_departures(
    refusals: Iterable[tuple[str, str, str, int, str]],
    ended: Iterable[tuple[str, int, int]],
) -> pd.DataFrame:
    """Who withdrew from a channel (after a complaint from all), or ended a subscription.

    Args:
        refusals: customer_id, channel, message_id, at_us, outcome; of outcomes among `REFUSALS`.
        ended: customer_id, at_us, known_us.

    Returns:
        `departures` of a log.
    """
    withdrawn = [
        (who, None if outcome == Outcome.COMPLAINED else channel, message_id, at_us, at_us)
        for who, channel, message_id, at_us, outcome in refusals
    ]
    left = [(who, None, None, at_us, known_us) for who, at_us, known_us in ended]
    return frame_of("departures", [*withdrawn, *left])


def join_logs(first: RewardLog, second: RewardLog) -> RewardLog:
    """Both logs as one; a message that stands in both is taken from the first.

    Outcomes come from either side: a success that only one of them knows is a success. Activity
    that one side records says nothing of readers whose message only the other side knows.
    """
    is_new = ~is_among(second.messages["message_id"], first.messages["message_id"])
    messages = _concat(first.messages, second.messages.loc[is_new])
    recorded = [log for log in (first, second) if log.activity is not None]
    watched = {name for log in recorded for name in set(log.messages["message_id"]) - log.unwatched}
    activity = [log.activity for log in recorded if log.activity is not None]
    return RewardLog(
        messages,
        _stack(first.numbers, second.numbers[is_new]),
        _concat(first.outcomes, second.outcomes),
        _concat(first.departures, second.departures),
        _concat(*activity) if activity else None,
        frozenset(messages["message_id"]) - watched,
    )


def _concat(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame for frame in frames if len(frame)] or [frames[0]], ignore_index=True)


def _stack(above: Floats, below: Floats) -> Floats:
    """Rows of both; where their columns differ, those of the narrower one are unknown."""
    width = max(above.shape[1], below.shape[1])
    stacked = np.full((len(above) + len(below), width), np.nan)
    stacked[: len(above), : above.shape[1]] = above
    stacked[len(above) :, : below.shape[1]] = below
    return stacked
