"""The loop: the real engine decides in a world, and what comes of it comes back.

Each day: facts -> triggers -> decisions -> messages -> a day goes by -> outcomes. What is asked of
somebody's service cannot wait for the next morning: between mornings, service cases are decided as
they arise. Whoever decides sees nothing of the world but its tables; the world's truth is asked for
scoring only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from features.errors import BadInputError
from features.tables import Tables, empty_table
from features.triggers import find_triggers
from features.vocabulary import Arm, Trigger
from serving.evaluate.read import outcomes_of_tables
from serving.policy.cases import Floats, Ints
from serving.records import Decision, OutcomeEvent, OutcomeState
from training.world.protocol import NoticeWorld, World

_Z95 = 1.96

_MORNING_HOURS = 24

_URGENT = tuple(trigger for trigger in Trigger if trigger.is_service)
"""Decided between mornings: who is late with them answers a call that has been made."""

_SIGNS = frozenset({"login"})
"""Kinds of activity that service triggers read."""

_PAST_MIDNIGHT = timedelta(minutes=1)
"""Triggers that go by the date are true from midnight on; what they tell of has begun by then."""

_MESSAGE_TEXTS = ("message_id", "decision_id", "customer_id", "trigger", "channel", "variant")


@dataclass(frozen=True)
class Sitting:
    """What is known when something is decided.

    Attributes:
        day: Number of the day, from 0.
        now: A minute after the day began, or later on.
        tables: Everything known before it.
        since: When was decided before; None in the morning, when everything is looked at.
    """

    day: int
    now: datetime
    tables: Tables
    since: datetime | None = None

    @property
    def is_morning(self) -> bool:
        """Whether the day begins with it."""
        return self.since is None

    @cached_property
    def found(self) -> pd.DataFrame:
        """Cases of the triggers, as `find_triggers` gives them; later on, urgent and new ones."""
        if self.since is None:
            return find_triggers(self.tables, as_of=self.now)
        read = dict(self.tables)
        if "activity" in read:
            read["activity"] = read["activity"][read["activity"]["kind"].isin(_SIGNS)]
        found = find_triggers(read, as_of=self.now, triggers=_URGENT)
        return found[found["began_at"] >= self.since].reset_index(drop=True)


class Actor(Protocol):
    """Whoever decides and takes outcomes back."""

    def decide(self, sitting: Sitting, /) -> Sequence[Decision]:
        """Everything that is decided in this sitting."""
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


def rehearse(
    world: World, actor: Actor, *, n_days: int, every_hours: int = _MORNING_HOURS
) -> RehearsalLog:
    """Run the loop for some days from the world's start on.

    Args:
        world: Where it happens; it must not have lived beyond its start.
        actor: Who decides.
        n_days: Days.
        every_hours: Hours from one sitting to the next, a divisor of 24, which means mornings only.

    Raises:
        BadInputError: The hours do not divide a day.
    """
    if every_hours < 1 or _MORNING_HOURS % every_hours:
        raise BadInputError(f"hours between decisions: expected a divisor of 24, got {every_hours}")
    frames: list[pd.DataFrame] = []
    sent_ids: set[str] = set()
    n_outcomes = 0
    example: Decision | None = None
    apart = timedelta(hours=every_hours)
    for sitting in _sittings(world, n_days=n_days, apart=apart):
        since = sitting.now - apart
        n_outcomes += _feed_back(sitting.tables, actor, sent_ids, since=since)
        decisions = actor.decide(sitting)
        messages = messages_of(decisions)
        frames.append(_score(world, decisions, messages, day=sitting.day))
        world.deliver(messages)
        sent_ids.update(messages["message_id"])
        example = max((d for d in (example, *decisions) if d), key=_rank_example, default=None)
    end = world.start + timedelta(days=n_days)
    world.advance(end)
    since = end - apart + _PAST_MIDNIGHT
    n_outcomes += _feed_back(world.tables(end), actor, sent_ids, since=since)
    return RehearsalLog(
        pd.concat(frames, ignore_index=True),
        n_outcomes,
        example if example and example.send else None,
    )


def _sittings(world: World, *, n_days: int, apart: timedelta) -> Iterator[Sitting]:
    for day in range(n_days):
        morning = world.start + timedelta(days=day) + _PAST_MIDNIGHT
        for number in range(timedelta(days=1) // apart):
            now = morning + number * apart
            world.advance(now)
            yield Sitting(day, now, world.tables(now), now - apart if number else None)


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
    notice = pd.factorize(messages["decision_id"])[0].astype(np.int64)
    values = value_sent(world, candidates.rename(columns={"sent_at": "send_at"}), notice=notice)
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


def value_sent(world: World, messages: pd.DataFrame, *, notice: Ints) -> Floats:
    """True cents of each message, to be added up by notice, (n,).

    Where the world knows it, a message is worth what those above it in its notice have left to
    gain; else what it would be worth alone, which overrates notices over several channels.

    Args:
        world: The world.
        messages: Candidates of `World.true_value`, n rows.
        notice: Number of the notice of each, (n,).
    """
    if isinstance(world, NoticeWorld):
        return world.true_value_of_notices(messages.assign(notice=notice))
    return world.true_value(messages)


def _feed_back(tables: Tables, actor: Actor, sent_ids: set[str], *, since: datetime) -> int:
    """Report the outcomes of our messages since then; how many were booked."""
    outcomes = tables.get("outcomes", empty_table("outcomes"))
    recent = outcomes[outcomes["at"] >= since]
    ours = sent_ids.intersection(recent["message_id"].tolist())
    events = outcomes_of_tables({"outcomes": recent}, message_ids=ours)
    return actor.report(events).count(OutcomeState.BOOKED) if events else 0
