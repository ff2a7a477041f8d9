"""What a learner reads of the store: messages with their contexts, and what followed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, bindparam, func, or_, select

from serving.store.lots import in_lots
from serving.store.schema import cancellations, facts, messages, outcomes
from training.bandit.context import CONTEXT_NUMBERS, LAYOUT
from training.bandit.rewards import REFUSALS, RewardLog
from training.bandit.rewards.log import frame_of, list_departures

_REFUSED = sorted(outcome.value for outcome in REFUSALS)
_CANCELED = '"canceled"'

_IS_CANCELLED = (
    select(cancellations.c.message_id)
    .where(cancellations.c.message_id == messages.c.message_id)
    .exists()
)
_MESSAGES = select(
    messages.c.message_id,
    messages.c.customer_id,
    messages.c.trigger,
    messages.c.channel,
    messages.c.variant,
    func.coalesce(messages.c.language, "").label("language"),
    messages.c.segment,
    messages.c.p_variant,
    messages.c.sent_at_us,
    messages.c.context,
).where(messages.c.sent_at_us >= bindparam("since_us"), ~_IS_CANCELLED)
_OUTCOMES = (
    select(outcomes.c.message_id, outcomes.c.outcome, outcomes.c.at_us, outcomes.c.machine)
    .join(messages, messages.c.message_id == outcomes.c.message_id)
    .where(messages.c.sent_at_us >= bindparam("since_us"))
)
_WITHDRAWN = (
    select(
        messages.c.customer_id,
        messages.c.channel,
        outcomes.c.message_id,
        outcomes.c.at_us,
        outcomes.c.outcome,
    )
    .join(outcomes, outcomes.c.message_id == messages.c.message_id)
    .where(outcomes.c.outcome.in_(_REFUSED), outcomes.c.machine.is_(False))
    .where(outcomes.c.at_us >= bindparam("since_us"))
)
_LATER = facts.alias("later")
_IS_CORRECTED = (
    select(_LATER.c.seq)
    .where(_LATER.c.identity == facts.c.identity, _LATER.c.seq > facts.c.seq)
    .exists()
)
_ENDED = select(facts.c.row, facts.c.known_us).where(
    facts.c.table_name == "subscriptions", facts.c.row.contains(_CANCELED), ~_IS_CORRECTED
)
_ACTIVITY = select(facts.c.row, facts.c.known_us).where(
    facts.c.owner.in_(bindparam("keys", expanding=True)), facts.c.table_name == "activity"
)
_N_BEFORE = (
    select(func.count())
    .select_from(messages)
    .where(messages.c.sent_at_us < bindparam("until_us"), ~_IS_CANCELLED)
)
_LAST_OUTCOME = select(func.coalesce(func.max(outcomes.c.outcome_id), 0))
_N_BELATED = (
    select(func.count())
    .select_from(outcomes)
    .join(messages, messages.c.message_id == outcomes.c.message_id)
    .where(outcomes.c.outcome_id > bindparam("after"))
    .where(outcomes.c.at_us < bindparam("closed_us"))
    .where(or_(messages.c.sent_at_us < bindparam("until_us"), outcomes.c.outcome.in_(_REFUSED)))
)


@dataclass(frozen=True)
class LogMark:
    """How far a log has been read.

    Attributes:
        n_messages: Messages sent before some moment.
        last_outcome: The last outcome that was booked, whenever it happened.
    """

    n_messages: int
    last_outcome: int


class LearningSession:
    """The part of a transaction that is about what messages earned."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def read_log(self, *, since_us: int) -> RewardLog:
        """Messages sent at or after a moment with all that followed, but activity."""
        rows = self._connection.execute(_MESSAGES, {"since_us": since_us}).all()
        found = self._connection.execute(_OUTCOMES, {"since_us": since_us})
        return RewardLog(
            frame_of("messages", [row[:-1] for row in rows]),
            _read_numbers([row[-1] for row in rows]),
            frame_of("outcomes", found.all()),
            self._read_departures(since_us=since_us),
            None,
        )

    def read_activity(self, customer_ids: Iterable[str]) -> pd.DataFrame:
        """What some customers are known to have done, from the log of facts."""
        owners = [f"customer/{customer_id}" for customer_id in dict.fromkeys(customer_ids)]
        found = [
            (fact["customer_id"], fact["at"], known_us)
            for lot in in_lots(owners)
            for row, known_us in self._connection.execute(_ACTIVITY, {"keys": lot})
            for fact in [json.loads(row)]
        ]
        return frame_of("activity", found)

    def mark(self, *, until_us: int) -> LogMark:
        """How far the log goes now, and how many messages of it were sent before a moment."""
        n_messages = self._connection.execute(_N_BEFORE, {"until_us": until_us}).scalar_one()
        return LogMark(int(n_messages), int(self._connection.execute(_LAST_OUTCOME).scalar_one()))

    def has_belated(self, *, after: int, until_us: int, closed_us: int) -> bool:
        """Whether outcomes were booked since that bear on messages sent before `until_us`.

        Args:
            after: The last outcome that was read.
            until_us: Messages sent before it are settled.
            closed_us: Their windows closed before it.
        """
        asked = {"after": after, "until_us": until_us, "closed_us": closed_us}
        return bool(self._connection.execute(_N_BELATED, asked).scalar_one())

    def _read_departures(self, *, since_us: int) -> pd.DataFrame:
        """Who withdrew from a channel (after a complaint from all), or ended a subscription."""
        refusals = self._connection.execute(_WITHDRAWN, {"since_us": since_us})
        ended = [
            (fact["customer_id"], fact["valid_from"], known_us)
            for row, known_us in self._connection.execute(_ENDED)
            for fact in [json.loads(row)]
            if fact.get("status") == "canceled"
        ]
        return list_departures(refusals, ended)


def _read_numbers(texts: list[str | None]) -> npt.NDArray[np.float64]:
    """Contexts as rows; NaN where a number is unknown, or was kept by another list of numbers."""
    numbers = np.full((len(texts), len(CONTEXT_NUMBERS)), np.nan)
    for row, text in enumerate(texts):
        kept = None if text is None else json.loads(text)
        if kept is not None and kept["layout"] == LAYOUT:
            numbers[row] = kept["numbers"]  # null becomes NaN
    return numbers
