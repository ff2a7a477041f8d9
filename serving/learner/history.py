"""What a company's tables say of messages: those sent before, or by others than us."""

from datetime import datetime

import numpy as np
import pandas as pd

from features.engines import DUCKDB, Engine, Relations
from features.point_in_time.facts import open_known_facts
from features.point_in_time.spine import to_micros
from features.tables import Tables
from training.bandit.context import CONTEXT_NUMBERS
from training.bandit.rewards import REFUSALS, RewardLog, RewardRule, find_suspects
from training.bandit.rewards.log import frame_of, list_departures

_NAMES = ("messages", "outcomes", "customers", "subscriptions", "activity")

# The probability of the variant alone is not in the tables, nor are the numbers it was chosen by;
# language and segment are today's.
_MESSAGES = """
SELECT m.message_id, MAX(m.customer_id) AS customer_id, MAX(m.about) AS about,
    MAX(m.channel) AS channel, MAX(m.variant) AS variant, MAX(c.language) AS language,
    MAX(c.segment) AS segment, MIN(m.sent_at) AS sent_at
FROM messages m LEFT JOIN customers c ON c.customer_id = m.customer_id
WHERE m.variant IS NOT NULL GROUP BY m.message_id
"""
# All of them: who made an outcome shows in how many there are, and those of machines are marked.
_OUTCOMES = """
SELECT o.message_id, o.outcome, o.at, o.machine, m.customer_id, m.channel
FROM base_outcomes o JOIN messages m ON m.message_id = o.message_id
WHERE m.variant IS NOT NULL AND GREATEST(o.at, COALESCE(o.known_at, o.at)) < {at}
"""
_ENDED = "SELECT customer_id, t, k FROM subscriptions WHERE status = 'canceled'"
_ACTIVITY = """
SELECT a.customer_id, a.t, a.k FROM activity a JOIN suspects s ON s.customer_id = a.customer_id
"""


def read_history(
    tables: Tables, *, as_of: datetime, rule: RewardRule, engine: Engine = DUCKDB
) -> RewardLog:
    """Messages of the tables that have a variant, and what was known of them before a moment.

    Args:
        tables: Conformed tables, in memory or as files; without `messages` there is nothing.
        as_of: Aware moment.
        rule: Which outcomes look like a machine's: activity is read of those customers only.
        engine: Where the SQL runs.
    """
    if "messages" not in tables:
        return RewardLog.empty()
    at = to_micros(as_of)
    with open_known_facts(tables, names=_NAMES, before=at, engine=engine) as facts:
        messages = facts.query(_MESSAGES)
        outcomes = facts.query(_OUTCOMES.format(at=at))
        ended = facts.query(_ENDED)
        log = RewardLog(
            _to_messages(messages),
            np.full((len(messages), len(CONTEXT_NUMBERS)), np.nan),
            frame_of("outcomes", _rows(outcomes, "message_id", "outcome", "at", "machine")),
            _list_departures(outcomes, ended),
            None,
        )
        if "activity" not in tables:
            return log
        return log.with_activity(_read_activity(facts, log, rule=rule))


def _to_messages(found: pd.DataFrame) -> pd.DataFrame:
    ordered = found.assign(language=found["language"].fillna(""), p_variant=np.nan)
    columns = ("message_id", "customer_id", "about", "channel", "variant", "language", "segment")
    return frame_of("messages", _rows(ordered, *columns, "p_variant", "sent_at"))


def _list_departures(outcomes: pd.DataFrame, ended: pd.DataFrame) -> pd.DataFrame:
    """Withdrawals by a person, and subscriptions that ended."""
    is_refusal = outcomes["outcome"].isin([kind.value for kind in REFUSALS])
    refusals = outcomes.loc[is_refusal & ~outcomes["machine"].astype(bool)]
    columns = ["customer_id", "channel", "message_id", "at", "outcome"]
    return list_departures(
        refusals[columns].itertuples(index=False, name=None),
        ended[["customer_id", "t", "k"]].itertuples(index=False, name=None),
    )


def _read_activity(facts: Relations, log: RewardLog, *, rule: RewardRule) -> pd.DataFrame:
    """What customers did who may not have clicked themselves."""
    suspects = pd.DataFrame({"customer_id": find_suspects(log, rule=rule)}, dtype="str")
    if suspects.empty:
        return frame_of("activity")
    facts.register("suspects", suspects)
    return frame_of("activity", _rows(facts.query(_ACTIVITY), "customer_id", "t", "k"))


def _rows(frame: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(zip(*(frame[name].tolist() for name in columns), strict=True))
