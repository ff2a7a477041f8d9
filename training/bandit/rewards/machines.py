"""Outcomes that no person made: scanners that follow every link, proxies that open at once.

A mail scanner follows all links of a message within seconds of its delivery, a link preview the
only one of a text message; a privacy proxy opens what has just arrived. A person who clicks goes on
to do something. So what looks like a machine's is one if nobody did anything afterwards, and until
that time is over it is not known what it was.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.vocabulary import Channel, Outcome

Flags = npt.NDArray[np.bool_]

_SECOND_US: Final = 1_000_000
_CLICKED: Final = Outcome.CLICKED.value
_LINKS: Final = (_CLICKED, Outcome.UNSUBSCRIBED.value)  # what following a link makes
_OPENED: Final = Outcome.OPENED.value
_LIFE: Final = (Outcome.OPENED.value, Outcome.CLICKED.value, Outcome.CONVERTED.value)


@dataclass(frozen=True)
class MachineRule:
    """What a machine's outcomes look like.

    Attributes:
        within_seconds: After delivery (after sending, where no delivery was reported), the first
            link is followed by then.
        burst_seconds: All links are followed within this of the first.
        n_links: Links of a message, which are followed all; by channel.
        open_within_seconds: After delivery, a proxy has opened the message by then.
        quiet_minutes: A person would have done something else by then.
    """

    within_seconds: float = 60.0
    burst_seconds: float = 10.0
    n_links: Mapping[Channel, int] = field(
        default_factory=lambda: {channel: 1 + (channel is Channel.EMAIL) for channel in Channel}
    )
    open_within_seconds: float = 2.0
    quiet_minutes: float = 5.0

    @property
    def quiet_us(self) -> int:
        """The quiet time in microseconds."""
        return int(self.quiet_minutes * 60 * _SECOND_US)


class Verdict(StrEnum):
    """Who made an outcome."""

    PERSON = "person"
    MACHINE = "machine"
    UNSURE = "unsure"


def list_suspects(events: pd.DataFrame, *, rule: MachineRule) -> pd.DataFrame:
    """Messages with outcomes that look like a machine's.

    Args:
        events: message_id, customer_id, channel, outcome, at_us, arrived_us (delivery, or sending);
            of outcomes that the sender did not call a machine's, each once.
        rule: What a machine's outcomes look like.

    Returns:
        message_id, customer_id, from_us and until_us (first and last moment of what looks so), and
        only_link (it is the only link of the message: a quick person looks the same).
    """
    found = [_find_bursts(events, rule=rule), _find_quick_opens(events, rule=rule)]
    return pd.concat([part for part in found if len(part)] or found[:1], ignore_index=True)


def _find_bursts(events: pd.DataFrame, *, rule: MachineRule) -> pd.DataFrame:
    """Messages all of whose links were followed at once."""
    links = events.loc[events["outcome"].isin(_LINKS)]
    links = links.assign(is_click=links["outcome"] == _CLICKED)
    first_us = links.groupby("message_id")["at_us"].transform("min")
    burst = links.loc[links["at_us"] <= first_us + int(rule.burst_seconds * _SECOND_US)]
    found = burst.groupby("message_id", as_index=False).agg(
        customer_id=("customer_id", "first"),
        channel=("channel", "first"),
        arrived_us=("arrived_us", "first"),
        first_us=("at_us", "min"),
        until_us=("at_us", "max"),
        n=("at_us", "size"),
        clicked=("is_click", "max"),
    )
    n_links = pd.Series({channel.value: n for channel, n in rule.n_links.items()})
    wanted = n_links.reindex(found["channel"]).fillna(1).to_numpy()
    is_quick = found["first_us"] <= found["arrived_us"] + int(rule.within_seconds * _SECOND_US)
    suspects = found.loc[is_quick & found["clicked"] & (found["n"] >= wanted)]
    return pd.DataFrame(
        {
            "message_id": suspects["message_id"],
            "customer_id": suspects["customer_id"],
            # A scanner fetches the message's pictures before it follows the links.
            "from_us": suspects["arrived_us"],
            "until_us": suspects["until_us"],
            "only_link": suspects["n"] < 2,
        }
    )


def _find_quick_opens(events: pd.DataFrame, *, rule: MachineRule) -> pd.DataFrame:
    """Messages that were opened in the moment in which they arrived."""
    limit_us = events["arrived_us"] + int(rule.open_within_seconds * _SECOND_US)
    opened = events.loc[(events["outcome"] == _OPENED) & (events["at_us"] <= limit_us)]
    found = opened.groupby("message_id", as_index=False).agg(
        customer_id=("customer_id", "first"), from_us=("at_us", "min"), until_us=("at_us", "max")
    )
    return found.assign(only_link=False)


def judge_bursts(
    events: pd.DataFrame,
    activity: pd.DataFrame | None,
    *,
    unwatched: Set[str] = frozenset(),
    rule: MachineRule,
    seen_until_us: "pd.Series[int]",
) -> "pd.Series[str]":
    """Who made each outcome.

    Args:
        events: As in `list_suspects`.
        activity: customer_id, at_us, known_us of whatever customers did; None where nobody records
            it: then a single click of a single link is a person's, since nothing speaks against it.
        unwatched: Messages to whose readers that does not reach, judged as where it is None.
        rule: What a machine's outcomes look like.
        seen_until_us: Until when the log of each event's message is known, by message_id.

    Returns:
        A `Verdict` for each event, by the index of `events`.
    """
    verdicts = pd.Series(Verdict.PERSON.value, index=events.index, dtype="str")
    suspects = list_suspects(events, rule=rule)
    is_watched = ~suspects["message_id"].isin(unwatched) & (activity is not None)
    suspects = suspects.loc[is_watched | ~suspects["only_link"]]
    if suspects.empty:
        return verdicts
    suspects = suspects.reset_index(drop=True).assign(
        seen_us=seen_until_us.reindex(suspects["message_id"]).to_numpy(dtype="int64")
    )
    followed = _are_followed(suspects, events, activity, rule=rule)
    return _mark(verdicts, events, suspects.loc[~followed], rule=rule)


def _are_followed(
    suspects: pd.DataFrame,
    events: pd.DataFrame,
    activity: pd.DataFrame | None,
    *,
    rule: MachineRule,
) -> Flags:
    """Whether a person did something soon after, on the message or anywhere, (suspects,)."""
    own = events.loc[events["outcome"].isin(_LIFE), ["message_id", "at_us"]]
    parts = [suspects.reset_index().merge(own, on="message_id")]
    if activity is not None:
        told = suspects.reset_index().merge(activity, on="customer_id")
        parts.append(told.loc[told["known_us"] < told["seen_us"]])
    followed = np.zeros(len(suspects), dtype=bool)
    for after in parts:
        is_later = after["at_us"] > after["until_us"]
        is_soon = after["at_us"] <= after["until_us"] + rule.quiet_us
        followed[after.loc[is_later & is_soon, "index"].to_numpy(dtype=np.int64)] = True
    return followed


def _mark(
    verdicts: "pd.Series[str]", events: pd.DataFrame, suspects: pd.DataFrame, *, rule: MachineRule
) -> "pd.Series[str]":
    """The verdicts with those of the suspects' outcomes; of two for one outcome, the worse."""
    marked = verdicts.copy()
    made = events.loc[events["outcome"].isin((*_LINKS, _OPENED)), ["message_id", "at_us"]]
    touched = made.reset_index().merge(suspects, on="message_id")
    inside = touched["at_us"].between(touched["from_us"], touched["until_us"])
    is_over = touched["until_us"] + rule.quiet_us <= touched["seen_us"]
    marked.loc[touched.loc[inside & ~is_over, "index"].unique()] = Verdict.UNSURE.value
    marked.loc[touched.loc[inside & is_over, "index"].unique()] = Verdict.MACHINE.value
    return marked
