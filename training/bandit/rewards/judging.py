"""From a log to the state of every reward: a function of the set of rows, whatever their order."""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.vocabulary import Channel, Outcome, Trigger
from training.bandit.rewards.log import RewardLog, is_among
from training.bandit.rewards.machines import Verdict, judge_bursts, list_suspects
from training.bandit.rewards.rule import (
    REFUSALS,
    SUCCESSES,
    Ints,
    OutcomeRole,
    RewardGoal,
    RewardRule,
    RewardState,
)
from training.bandit.rewards.trials import Trials

Names = npt.NDArray[np.object_]

_SAME = ["message_id", "outcome", "at_us"]
_NEVER = np.iinfo(np.int64).max


def judge_outcomes(log: RewardLog, *, rule: RewardRule, as_of_us: int) -> "pd.Series[str]":
    """What each outcome of the log means for its message's reward, by the index of the outcomes.

    Of outcomes that say the same, one has a role and the others are duplicates. Where one of them
    was called a machine's, all are: senders find that out later.
    """
    outcomes = log.outcomes
    messages = log.messages.set_index("message_id")
    sent_us = messages["sent_at_us"].reindex(outcomes["message_id"]).set_axis(outcomes.index)
    is_known = sent_us.notna()
    sent_us = sent_us.fillna(0).astype("int64")
    seen_until = _seen_until(log, rule=rule, as_of_us=as_of_us)
    is_flagged = outcomes.groupby(_SAME)["machine"].transform("any").astype(bool)
    roles = pd.Series(OutcomeRole.COUNTED.value, index=outcomes.index, dtype="str")
    roles[is_flagged] = OutcomeRole.MACHINE.value
    roles[outcomes["at_us"] >= sent_us + rule.window_us] = OutcomeRole.LATE.value
    roles[outcomes["at_us"] >= as_of_us] = OutcomeRole.TO_COME.value
    roles[outcomes["at_us"] < sent_us] = OutcomeRole.BEFORE_MESSAGE.value
    roles[~is_known] = OutcomeRole.UNKNOWN_MESSAGE.value
    roles[outcomes.duplicated(_SAME)] = OutcomeRole.DUPLICATE.value
    open_rows = outcomes.loc[roles == OutcomeRole.COUNTED.value]
    verdicts = judge_bursts(
        _with_arrival(open_rows, messages),
        log.activity,
        unwatched=log.unwatched,
        rule=rule.machine,
        seen_until_us=seen_until,
    )
    roles.loc[verdicts.index[verdicts == Verdict.MACHINE.value]] = OutcomeRole.MACHINE.value
    roles.loc[verdicts.index[verdicts == Verdict.UNSURE.value]] = OutcomeRole.UNSURE.value
    return roles


def find_suspects(log: RewardLog, *, rule: RewardRule) -> list[str]:
    """Customers with outcomes that look like a machine's, in order: their activity tells."""
    messages = log.messages.set_index("message_id")
    outcomes = log.outcomes.drop_duplicates(_SAME)
    is_known = is_among(outcomes["message_id"], log.messages["message_id"])
    known = outcomes.loc[is_known & ~outcomes["machine"]]
    suspects = list_suspects(_with_arrival(known, messages), rule=rule.machine)
    return sorted(suspects["customer_id"].unique().tolist())


def _seen_until(log: RewardLog, *, rule: RewardRule, as_of_us: int) -> "pd.Series[int]":
    """Until when each message is looked at, by message_id: now, or when it is settled."""
    settled_us = rule.settles_at_us(log.messages["sent_at_us"].to_numpy(dtype=np.int64))
    until_us = np.minimum(settled_us, as_of_us)
    return pd.Series(until_us, index=log.messages["message_id"], dtype="int64")


def _with_arrival(outcomes: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Outcomes with customer, channel and arrival of their message."""
    delivered = outcomes.loc[outcomes["outcome"] == Outcome.DELIVERED.value]
    arrived_us = delivered.groupby("message_id")["at_us"].min()
    arrived = arrived_us.reindex(outcomes["message_id"]).set_axis(outcomes.index)
    about = messages.reindex(outcomes["message_id"]).set_index(outcomes.index)
    return outcomes.assign(
        customer_id=about["customer_id"],
        channel=about["channel"],
        arrived_us=arrived.fillna(about["sent_at_us"]).astype("int64"),
    )


def judge_messages(log: RewardLog, *, rule: RewardRule, as_of_us: int) -> Trials:
    """The state of every message that was sent before `as_of_us`.

    What a success is depends on what the message is sent for (`RewardGoal`). A success within the
    window is a success, whatever else happened. Without one, a message to which the reader said no
    has failed; one that bounced, or whose reader left or withdrew from the channel elsewhere, is
    censored from then; one whose window has closed has failed; and every other one is pending. A
    message is looked at until it is settled, and never again.

    A message that is to spare a call is pending until its window closes, even when the call has
    come: who has not called by then is told no sooner, and to count those who have alone would make
    young messages look bad. Then it has failed if there was a call about it, or the reader said no
    to it, and succeeded otherwise; unless it was censored before.

    Args:
        log: Messages and what followed.
        rule: How rewards are judged.
        as_of_us: Nothing that happened at or after it is known, UTC microseconds.
    """
    is_sent = (log.messages["sent_at_us"] < as_of_us).to_numpy()
    messages = log.messages.loc[is_sent]
    order = np.lexsort((messages["message_id"].to_numpy(dtype=str), messages["sent_at_us"]))
    messages = messages.iloc[order]
    roles = judge_outcomes(log, rule=rule, as_of_us=as_of_us)
    sent_us = messages["sent_at_us"].to_numpy(dtype=np.int64)
    ids = messages["message_id"]
    counted = log.outcomes.loc[roles == OutcomeRole.COUNTED.value]
    unsure = log.outcomes.loc[roles == OutcomeRole.UNSURE.value]
    triggers = tuple(Trigger(name) for name in messages["trigger"])
    goals = np.array([rule.goal_of(trigger).value for trigger in triggers], dtype=object)
    seen_us = np.minimum(rule.settles_at_us(sent_us), as_of_us)
    gone_us = np.minimum(
        _first_of(counted, {Outcome.BOUNCED}, ids), _find_departures(log, messages, seen_us)
    )
    moments = _Moments(
        closes=sent_us + rule.window_us,
        seen=seen_us,
        success=_first_success(counted, goals, ids),
        doubt=_first_success(unsure, goals, ids),
        refused=_first_of(counted, REFUSALS, ids),
        called=_first_of(counted, {Outcome.CONTACTED_SUPPORT}, ids),
        gone=gone_us,
    )
    is_told_at_end = goals == RewardGoal.NO_CALL.value
    loud, silent = _judge_by_success(moments), _judge_by_silence(moments)
    states = np.where(is_told_at_end, silent.states, loud.states)
    watched_until = np.where(is_told_at_end, silent.watched_until, loud.watched_until)
    return Trials(
        message_ids=tuple(ids.tolist()),
        triggers=triggers,
        channels=tuple(Channel(name) for name in messages["channel"]),
        variants=tuple(messages["variant"].tolist()),
        languages=tuple(messages["language"].tolist()),
        segments=tuple(None if pd.isna(name) else str(name) for name in messages["segment"]),
        numbers=log.numbers[is_sent][order],
        p_variant=messages["p_variant"].to_numpy(dtype=np.float64),
        sent_at_us=sent_us,
        ages_us=as_of_us - sent_us,
        states=tuple(RewardState(state) for state in states.tolist()),
        watched_us=watched_until - sent_us,
        is_told_at_end=is_told_at_end,
        window_us=rule.window_us,
    )


@dataclass(frozen=True)
class _Moments:
    """When what happened to each message, UTC microseconds, (n,); `_NEVER` where it did not.

    Attributes:
        closes: Its window.
        seen: It was looked at last.
        success: Its first success.
        doubt: The first success that may be a machine's.
        refused: Its reader said no to it.
        called: Its reader called support about it.
        gone: It bounced, or its reader left.
    """

    closes: Ints
    seen: Ints
    success: Ints
    doubt: Ints
    refused: Ints
    called: Ints
    gone: Ints


@dataclass(frozen=True)
class _Judged:
    """States, and until when nothing spoke against a success, (n,) each."""

    states: Names
    watched_until: Ints


def _judge_by_success(at: _Moments) -> _Judged:
    """Messages that succeed by something that happens."""
    is_success = at.success < _NEVER
    is_refused = ~is_success & (at.refused < _NEVER)
    is_gone = ~is_success & ~is_refused & (at.gone < np.minimum(at.closes, at.seen))
    is_closed = (at.seen >= at.closes) & (at.doubt == _NEVER)
    cases = [is_success, is_refused, is_gone, is_closed]
    states = np.select(
        cases,
        [RewardState.SUCCESS, RewardState.FAILURE, RewardState.CENSORED, RewardState.FAILURE],
        default=RewardState.PENDING,
    )
    watched = np.minimum(np.minimum(at.seen, at.closes), at.doubt)
    until = np.select(cases, [at.success, at.closes, at.gone, at.closes], default=watched)
    return _Judged(states, until)


def _judge_by_silence(at: _Moments) -> _Judged:
    """Messages that succeed by nothing happening: neither a call nor a no."""
    watched = np.minimum(at.seen, at.closes)
    has_failed = np.minimum(at.called, at.refused) < np.minimum(at.gone, at.closes)
    is_gone = ~has_failed & (at.gone < watched)
    states = np.select(
        [is_gone, at.seen < at.closes, has_failed],
        [RewardState.CENSORED, RewardState.PENDING, RewardState.FAILURE],
        default=RewardState.SUCCESS,
    )
    return _Judged(states, np.where(is_gone, at.gone, watched))


def _first_success(outcomes: pd.DataFrame, goals: Names, ids: "pd.Series[str]") -> Ints:
    """The first success of each message, by what it is sent for; `_NEVER` where there is none."""
    first = np.full(len(goals), _NEVER)
    for goal, kinds in SUCCESSES.items():
        sent_for = goals == goal.value
        if sent_for.any():
            first[sent_for] = _first_of(outcomes, kinds, ids.loc[sent_for])
    return first


def _first_of(outcomes: pd.DataFrame, kinds: Set[Outcome], ids: "pd.Series[str]") -> Ints:
    """The first moment of such an outcome of each message; `_NEVER` where there is none."""
    rows = outcomes.loc[outcomes["outcome"].isin([kind.value for kind in kinds])]
    first = rows.groupby("message_id")["at_us"].min()
    found = pd.Series(first.reindex(ids).to_numpy())
    return found.fillna(0).to_numpy(dtype=np.int64) + np.where(found.isna(), _NEVER, 0)


def _find_departures(log: RewardLog, messages: pd.DataFrame, seen_us: Ints) -> Ints:
    """When each message's reader left or withdrew from its channel by something else."""
    gone = np.full(len(messages), _NEVER)
    if log.departures.empty:
        return gone
    left = messages[["message_id", "customer_id", "channel", "sent_at_us"]].assign(
        row=np.arange(len(messages)), seen_us=seen_us
    )
    pairs = left.merge(log.departures, on="customer_id", suffixes=("", "_left"))
    elsewhere = pairs["message_id_left"].isna() | (pairs["message_id_left"] != pairs["message_id"])
    concerns = pairs["channel_left"].isna() | (pairs["channel_left"] == pairs["channel"])
    is_later = (pairs["at_us"] >= pairs["sent_at_us"]) & (pairs["known_us"] < pairs["seen_us"])
    first = pairs.loc[elsewhere & concerns & is_later].groupby("row")["at_us"].min()
    gone[first.index.to_numpy()] = first.to_numpy()
    return gone
