"""From a log to the state of every reward: a function of the set of rows, whatever their order."""

from collections.abc import Set

import numpy as np
import pandas as pd

from features.vocabulary import Channel, Outcome, Trigger
from training.bandit.rewards.log import RewardLog
from training.bandit.rewards.machines import Verdict, judge_bursts, list_suspects
from training.bandit.rewards.rule import (
    REFUSALS,
    SUCCESSES,
    Ints,
    OutcomeRole,
    RewardRule,
    RewardState,
)
from training.bandit.rewards.trials import Trials

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
    known = outcomes.loc[outcomes["message_id"].isin(messages.index) & ~outcomes["machine"]]
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

    A success within the window is a success, whatever else happened. Without one, a message to
    which the reader said no has failed; one that bounced, or whose reader left or withdrew from the
    channel elsewhere, is censored from then; one whose window has closed has failed; and every
    other one is pending. A message is looked at until it is settled, and never again.

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
    seen_us = np.minimum(rule.settles_at_us(sent_us), as_of_us)
    closes_us = sent_us + rule.window_us
    success_us = _first_of(counted, SUCCESSES, ids)
    refused_us = _first_of(counted, REFUSALS, ids)
    gone_us = np.minimum(
        _first_of(counted, {Outcome.BOUNCED}, ids), _find_departures(log, messages, seen_us)
    )
    doubt_us = _first_of(unsure, SUCCESSES, ids)

    is_success = success_us < _NEVER
    is_refused = ~is_success & (refused_us < _NEVER)
    is_gone = ~is_success & ~is_refused & (gone_us < np.minimum(closes_us, seen_us))
    is_closed = (seen_us >= closes_us) & (doubt_us == _NEVER)
    states = np.select(
        [is_success, is_refused, is_gone, is_closed],
        [RewardState.SUCCESS, RewardState.FAILURE, RewardState.CENSORED, RewardState.FAILURE],
        default=RewardState.PENDING,
    )
    watched_until = np.select(
        [is_success, is_refused, is_gone, is_closed],
        [success_us, closes_us, gone_us, closes_us],
        default=np.minimum(np.minimum(seen_us, closes_us), doubt_us),
    )
    return Trials(
        message_ids=tuple(ids.tolist()),
        triggers=tuple(Trigger(name) for name in messages["trigger"]),
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
        window_us=rule.window_us,
    )


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
