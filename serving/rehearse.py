"""The closed loop: the real engine decides in a world, and what comes of it comes back.

Each day: facts -> snapshot -> triggers -> decisions -> messages -> a day goes by -> outcomes.
The engine sees nothing of the world but its tables; the world's truth is asked for scoring only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from features.tables import Tables
from features.triggers import find_triggers
from features.vocabulary import Arm, Outcome
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.requests import requests_of
from training.world.protocol import World

_Z95 = 1.96

_Publish = Callable[[Tables, datetime], None]


class Decider(Protocol):
    """Whatever decides and takes outcomes back: the engine itself, or a client of the service."""

    def decide_many(self, requests: Sequence[DecisionRequest]) -> list[Decision]:
        """Decisions in the order of the requests."""
        ...

    def report(self, outcomes: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """Book outcomes."""
        ...


@dataclass(frozen=True)
class RehearsalLog:
    """What happened in a closed loop.

    Attributes:
        cases: One row per decision: day, customer_id, trigger, arm, reason, send, n_messages,
            true_value_cents (of what was sent, taken when it was decided; 0 for nothing).
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


def rehearse(
    world: World, decider: Decider, *, start: datetime, n_days: int, publish: _Publish
) -> RehearsalLog:
    """Run the loop for some days.

    Args:
        world: Where it happens.
        decider: Who decides.
        start: First moment; the world's history must reach it.
        n_days: Days.
        publish: Called each morning with the known tables and the moment, so that the decider
            knows what is known then.
    """
    frames: list[pd.DataFrame] = []
    sent_ids: set[str] = set()
    n_outcomes = 0
    example: Decision | None = None
    for day in range(n_days):
        now = start + timedelta(days=day)
        tables = world.tables(now)
        n_outcomes += _feed_back(tables, decider, sent_ids, since=now - timedelta(days=1))
        publish(tables, now)
        decisions = decider.decide_many(requests_of(find_triggers(tables, as_of=now), as_of=now))
        messages = messages_of(decisions)
        frames.append(_score(world, decisions, messages, day=day))
        world.deliver(messages)
        sent_ids.update(messages["message_id"])
        example = max((d for d in (example, *decisions) if d), key=_rank_example, default=None)
        world.advance(now + timedelta(days=1))
    end = start + timedelta(days=n_days)
    n_outcomes += _feed_back(world.tables(end), decider, sent_ids, since=end - timedelta(days=1))
    return RehearsalLog(
        pd.concat(frames, ignore_index=True),
        n_outcomes,
        example if example and example.send else None,
    )


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
    columns = (
        *("message_id", "decision_id", "customer_id", "trigger", "channel", "variant"),
        *("sent_at", "arm", "propensity", "cost_cents", "case_key"),
    )
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype(
        dict.fromkeys((*columns[:6], "arm", "case_key"), "str")
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
            "day": day,
            "customer_id": [d.customer_id for d in decisions],
            "trigger": [d.trigger.value for d in decisions],
            "arm": [d.arm.value for d in decisions],
            "reason": [d.reason.value for d in decisions],
            "send": [d.send for d in decisions],
            "n_messages": [len(d.messages) for d in decisions],
            "true_value_cents": by_decision.reindex(ids).fillna(0.0).to_numpy(dtype=np.float64),
        }
    )


def _feed_back(tables: Tables, decider: Decider, sent_ids: set[str], *, since: datetime) -> int:
    """Report the outcomes of our messages since then; how many were booked."""
    outcomes = tables["outcomes"]
    fresh = outcomes[(outcomes["at"] >= since) & outcomes["message_id"].isin(sent_ids)]
    if fresh.empty:
        return 0
    events = [
        OutcomeEvent(
            message_id=message_id,
            outcome=Outcome(outcome),
            at=at,
            value_cents=None if pd.isna(value) else int(value),
            machine=bool(machine),
        )
        for message_id, outcome, at, value, machine in zip(
            fresh["message_id"],
            fresh["outcome"],
            fresh["at"],
            fresh["value_cents"],
            fresh["machine"],
            strict=True,
        )
    ]
    return decider.report(events).count(OutcomeState.BOOKED)
