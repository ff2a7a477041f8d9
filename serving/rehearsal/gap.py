"""Where a policy loses to the oracle: its own messages, and what another one would be worth.

Every morning the world is asked about the very cases that the policy decides about, so that what is
compared differs in one thing only: the wording, the moment, the channel, or whether to write.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features.vocabulary import Arm
from serving.policy.cases import Floats
from serving.records import Decision, OutcomeEvent, OutcomeState
from serving.rehearsal.loop import Actor, Sitting
from serving.rehearsal.oracle import SLOTS_A_CHANNEL, Chooser, best_moments

_ACTION = ["record", "set", "send_at"]
_MESSAGE = ["record", "set", "send_at", "channel"]


@dataclass
class GapWitness:
    """A policy, and beside it the truth about its cases.

    Attributes:
        actor: Who decides.
        chooser: Finds out what is best.
        found: One frame per sitting: day, trigger and the columns of `compare`.
    """

    actor: Actor
    chooser: Chooser
    found: list[pd.DataFrame] = field(default_factory=list)

    def decide(self, sitting: Sitting, /) -> Sequence[Decision]:
        """What the policy decides; nothing is sent yet when the world is asked."""
        decisions = self.actor.decide(sitting)
        learned = [one for one in decisions if one.arm is Arm.LEARNED and len(one.allowed) > 1]
        if learned:
            self.found.append(compare(learned, self.chooser).assign(day=sitting.day))
        return decisions

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        """Book outcomes."""
        return self.actor.report(outcomes)


def compare(records: Sequence[Decision], chooser: Chooser) -> pd.DataFrame:
    """What each decision is truly worth, and what it would be with one thing better.

    Args:
        records: Decisions with something allowed.
        chooser: Asks the world.

    Returns:
        One row per decision, cents: trigger, as_sent (0 for nothing), average_wording (the same
        action in a wording as good as the mean of all that there could be), any_wording (the same
        action, the mean of the wordings that it has), best_wording (the best of them for the
        customer),
        best_hour and best_channels (average wording; the best allowed of the moments on these
        channels, of the channels at this moment), best (one channel, in everything the best, 0
        where nothing is worth it).
    """
    actions = chooser.list_actions(records)
    singles = best_moments(actions.assign(value=chooser.value(actions)), n=SLOTS_A_CHANNEL)
    worded = chooser.with_variants(singles)
    best = pd.Series(chooser.value(worded)).groupby(worded["record"].to_numpy()).max()
    planned = _list_messages(records)
    by_action = pd.Series(chooser.value_notices(planned, by=_ACTION)).groupby(
        [planned[name].to_numpy() for name in _ACTION]
    )
    sums = by_action.sum().rename("cents").rename_axis(_ACTION).reset_index()
    sent = _list_sent(records)
    columns = {
        "as_sent": _sum_by_record(sent, chooser.value_notices(sent, by=["record"])),
        **_compare_actions(sums, sent.drop_duplicates("record")[_ACTION]),
        **_compare_wordings(sent, chooser),
        "best": best.clip(lower=0.0),
    }
    table = pd.DataFrame(columns).reindex(range(len(records))).fillna(0.0)
    return table.assign(trigger=[record.trigger.value for record in records])


def _compare_actions(sums: pd.DataFrame, sent: pd.DataFrame) -> dict[str, "pd.Series[float]"]:
    """Average wordings: of the action that was chosen, and of those that differ in one thing."""

    def best(*same: str) -> "pd.Series[float]":
        joined = sums.merge(sent[["record", *same]], on=["record", *same])
        return joined.groupby("record")["cents"].max()

    return {
        "average_wording": best("set", "send_at"),
        "best_hour": best("set"),
        "best_channels": best("send_at"),
    }


def _compare_wordings(sent: pd.DataFrame, chooser: Chooser) -> dict[str, "pd.Series[float]"]:
    """What was sent in other words: the best on each channel, and the mean of all, in turns."""
    worded = chooser.with_variants(sent)
    message = [worded["record"], worded["channel"]]
    worded["cents"] = chooser.value(worded)
    worded["turn"] = worded.groupby(message).cumcount()
    best = worded.loc[worded.groupby(message)["cents"].idxmax()].sort_values(
        "record", kind="stable"
    )
    in_turns = worded.sort_values(["record", "turn"], kind="stable")
    by_turn = pd.Series(chooser.value_notices(in_turns, by=["record", "turn"])).groupby(
        [in_turns["record"].to_numpy(), in_turns["turn"].to_numpy()]
    )
    return {
        "any_wording": by_turn.sum().groupby(level=0).mean(),
        "best_wording": _sum_by_record(best, chooser.value_notices(best, by=["record"])),
    }


def _sum_by_record(messages: pd.DataFrame, cents: Floats) -> "pd.Series[float]":
    return pd.Series(cents).groupby(messages["record"].to_numpy()).sum()


def _list_messages(records: Sequence[Decision]) -> pd.DataFrame:
    """Every message of every allowed action, in the average wording."""
    rows = [
        (number, "+".join(action.channels), action.send_at, channel.value, None)
        for number, record in enumerate(records)
        for action in record.allowed
        for channel in action.channels
    ]
    return _frame(rows, records)


def _list_sent(records: Sequence[Decision]) -> pd.DataFrame:
    rows = [
        (number, "+".join(record.channels), record.send_at, message.channel.value, message.variant)
        for number, record in enumerate(records)
        for message in record.messages
    ]
    return _frame(rows, records)


def _frame(rows: Sequence[tuple[object, ...]], records: Sequence[Decision]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*_MESSAGE, "variant"])
    number = frame["record"].to_numpy(dtype=np.int64)
    return frame.assign(
        customer_id=pd.Series([records[n].customer_id for n in number], dtype="str"),
        trigger=pd.Series([records[n].trigger.value for n in number], dtype="str"),
        channel=frame["channel"].astype("str"),
        variant=frame["variant"].astype("str"),
        send_at=pd.to_datetime(frame["send_at"], utc=True).dt.as_unit("us"),
    )
