"""The loop: the real engine decides in a world, and what comes of it comes back.

Each day: facts -> triggers -> decisions -> messages -> a day goes by -> outcomes. Whoever decides
sees nothing of the world but its tables; the world's truth is asked for scoring only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from features.tables import Tables, empty_table
from features.triggers import find_triggers
from features.vocabulary import Arm
from serving.evaluate.read import outcomes_of_tables
from serving.records import Decision, OutcomeEvent, OutcomeState
from training.world.protocol import World

_Z95 = 1.96

_PAST_MIDNIGHT = timedelta(minutes=1)
"""Triggers that go by the date are true from midnight on; what they tell of has begun by then."""

_MESSAGE_TEXTS = ("message_id", "decision_id", "customer_id", "trigger", "channel", "variant")


@dataclass(frozen=True)
class Morning:
    """What is known when a day is decided.

    Attributes:
        day: Number of the day, from 0.
        now: A minute after it began.
        tables: Everything known before it.
    """

    day: int
    now: datetime
    tables: Tables

    @cached_property
    def found(self) -> pd.DataFrame:
        """Cases of the triggers, as `find_triggers` gives them."""
        return find_triggers(self.tables, as_of=self.now)


class Actor(Protocol):
    """Whoever decides the mornings and takes outcomes back."""

    def decide(self, morning: Morning, /) -> Sequence[Decision]:
        """Everything that is decided this morning."""
        ...

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        """Book outcomes."""
        ...


@dataclass(frozen=True)
class RehearsalLog:
    """What happened in a closed loop.

    Attributes:
        cases: One row per decision: day, customer_id, trigger, arm, reason, send, n_messages,
            channels (joined by +), true_value_cents (of what was sent, taken when it was decided;
            0 for nothing).
        n_outcomes: Outcomes that were booked.
        example: A decision to show: scored, sent and in English if there is one; None when
            nothing was sent.
    """

    cases: pd.DataFrame
    n_outcomes: int
    example: Decision | None

    def by_arm(self) -> pd.DataFrame:
        """Per arm: n_cases, n_sent, mean true value per case in cents with low and high.

        The 95 % interval is normal over cases, and takes one customer's cases for independent.
        """
        grouped = self.cases.groupby("arm")["true_value_cents"]
        mean, half = grouped.mean(), _Z95 * grouped.sem()
        table = pd.DataFrame(
            {
                "n_cases": grouped.size(),
                "n_sent": self.cases.groupby("arm")["send"].sum(),
                "mean_cents": mean,
                "low": mean - half,
                "high": mean + half,
            }
        )
        return table.reindex([arm.value for arm in Arm if arm.value in table.index])


def rehearse(world: World, actor: Actor, *, n_days: int) -> RehearsalLog:
    """Run the loop for some days from the world's start on.

    Args:
        world: Where it happens; it must not have lived beyond its start.
        actor: Who decides.
        n_days: Days.
    """
    frames: list[pd.DataFrame] = []
    sent_ids: set[str] = set()
    n_outcomes = 0
    example: Decision | None = None
    for morning in _mornings(world, n_days=n_days):
        since = morning.now - timedelta(days=1)
        n_outcomes += _feed_back(morning.tables, actor, sent_ids, since=since)
        decisions = actor.decide(morning)
        messages = messages_of(decisions)
        frames.append(_score(world, decisions, messages, day=morning.day))
        world.deliver(messages)
        sent_ids.update(messages["message_id"])
        example = max((d for d in (example, *decisions) if d), key=_rank_example, default=None)
    end = world.start + timedelta(days=n_days)
    world.advance(end)
    since = end - timedelta(days=1) + _PAST_MIDNIGHT
    n_outcomes += _feed_back(world.tables(end), actor, sent_ids, since=since)
    return RehearsalLog(
        pd.concat(frames, ignore_index=True),
        n_outcomes,
        example if example and example.send else None,
    )


def _mornings(world: World, *, n_days: int) -> Iterator[Morning]:
    for day in range(n_days):
        now = world.start + timedelta(days=day) + _PAST_MIDNIGHT
        world.advance(now)
        yield Morning(day, now, world.tables(now))


def _rank_example(decision: Decision) -> tuple[bool, bool, bool]:
    is_english = decision.content is not None and decision.content.language == "en"
    return decision.send, decision.scores is not None, is_english


def messages_of(decisions: Sequence[Decision]) -> pd.DataFrame:
    """The decisions' messages as rows of the `messages` table."""
    rows = [
        {
            "message_id": message.message_id,
            "decision_id": decision.decision_id,
            "customer_id": decision.customer_id,
            "trigger": decision.trigger.value,
            "channel": message.channel.value,
            "variant": message.variant,
            "sent_at": decision.send_at,
            "arm": decision.arm.value,
            "propensity": decision.propensity,
            "cost_cents": message.cost_cents,
            "case_key": decision.idempotency_key,
        }
        for decision in decisions
        for message in decision.messages
    ]
    columns = (*_MESSAGE_TEXTS, "sent_at", "arm", "propensity", "cost_cents", "case_key")
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype(
        dict.fromkeys((*_MESSAGE_TEXTS, "arm", "case_key"), "str")
        | {"sent_at": "datetime64[us, UTC]", "propensity": "float64", "cost_cents": "float64"}
    )


def _score(
    world: World, decisions: Sequence[Decision], messages: pd.DataFrame, *, day: int
) -> pd.DataFrame:
    """One row per decision with the true value of what it sends."""
    candidates = messages[["customer_id", "trigger", "channel", "sent_at", "variant"]]
    values = world.true_value(candidates.rename(columns={"sent_at": "send_at"}))
    by_decision = pd.Series(values).groupby(messages["decision_id"].to_numpy()).sum()
    ids = [decision.decision_id for decision in decisions]
    return pd.DataFrame(
        {
            "day": np.full(len(decisions), day),
            "customer_id": pd.Series([d.customer_id for d in decisions], dtype="str"),
            "trigger": pd.Series([d.trigger.value for d in decisions], dtype="str"),
            "arm": pd.Series([d.arm.value for d in decisions], dtype="str"),
            "reason": pd.Series([d.reason.value for d in decisions], dtype="str"),
            "channels": pd.Series(["+".join(d.channels) for d in decisions], dtype="str"),
            "send": np.array([d.send for d in decisions], dtype=bool),
            "n_messages": np.array([len(d.messages) for d in decisions], dtype=np.int64),
            "true_value_cents": by_decision.reindex(ids).fillna(0.0).to_numpy(dtype=np.float64),
        }
    )


def _feed_back(tables: Tables, actor: Actor, sent_ids: set[str], *, since: datetime) -> int:
    """Report the outcomes of our messages since then; how many were booked."""
    outcomes = tables.get("outcomes", empty_table("outcomes"))
    recent = outcomes[outcomes["at"] >= since]
    ours = sent_ids.intersection(recent["message_id"].tolist())
    events = outcomes_of_tables({"outcomes": recent}, message_ids=ours)
    return actor.report(events).count(OutcomeState.BOOKED) if events else 0
