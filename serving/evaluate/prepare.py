"""A log made ready to be judged: decisions whose window has closed, what came of them, a model."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import numpy as np

from features.economics import Economics
from features.errors import BadInputError
from features.tables import Tables, last_moment
from serving.evaluate.collect import collect_decisions
from serving.evaluate.columns import DecisionLog
from serving.evaluate.expected import ActionRewards, expect_rewards
from serving.evaluate.read import outcomes_of_tables
from serving.evaluate.rewards import Reading, Rewards, knows_customers, read_rewards
from serving.policy.cases import DAY_US, to_us
from serving.records import Decision, OutcomeEvent

_FEWEST = 20


@dataclass(frozen=True)
class ReadyLog:
    """A log and everything that estimates are made of.

    Attributes:
        log: Decisions, in order of time.
        rewards: Cents that came of them, by term.
        expected: Cents expected of every action.
        known_until: Moment until which it is known what came of them.
    """

    log: DecisionLog
    rewards: Rewards
    expected: ActionRewards
    known_until: datetime


def prepare_log(
    decisions: Iterable[Decision],
    outcomes: Iterable[OutcomeEvent],
    *,
    economics: Economics,
    known_until: datetime,
    window_days: int,
    seed: int,
    tables: Tables | None = None,
) -> ReadyLog:
    """Decisions with what came of them within the window after each.

    Args:
        decisions: Records, in any order.
        outcomes: Of their messages, in any order; read after the decisions.
        economics: Prices.
        known_until: Aware moment until which outcomes are known: later windows are not closed,
            nor are those that end after everything in the tables.
        window_days: Days after a decision that belong to it.
        seed: Of the folds of the model.
        tables: The company's own, which know what customers did; see `read_rewards`.

    Raises:
        BadInputError: Fewer than 20 decisions are left.
    """
    if tables is not None and knows_customers(tables):  # what they end before is unknown, not zero
        known_until = min(known_until, last_moment(tables))
    closed_us = to_us(known_until) - window_days * DAY_US
    log = collect_decisions(decisions, decided_before_us=closed_us)
    if log.n < _FEWEST:
        raise BadInputError(
            f"log: {log.n} decisions have a choice and a window of {window_days} days that closed "
            f"before {known_until.isoformat()}; at least {_FEWEST} are needed; the window of "
            f"{log.left_out.n_open:,} is open, {log.left_out.n_without_choice:,} have no choice"
        )
    of_tables = [] if tables is None else outcomes_of_tables(tables, message_ids=log.messages)
    told = chain(outcomes, of_tables)
    rewards = read_rewards(log, told, economics=economics, window_days=window_days, tables=tables)
    expected = expect_rewards(log, rewards.net, rng=np.random.default_rng(seed))
    if rewards.reading is Reading.MESSAGES:  # nothing comes of no message
        expected = expected.with_known(log.actions.is_nothing)
    return ReadyLog(log, rewards, expected, known_until)
