"""What the bandit learns from a log that no single machine holds: tallies, counted by an engine."""

from datetime import datetime

import pandas as pd

from features.engines import Engine
from features.point_in_time.facts import open_known_facts
from features.point_in_time.spine import to_micros
from features.tables import Tables
from features.vocabulary import Channel, Trigger
from serving.policy.cases import DAY_US
from serving.store.store import Store
from training.bandit.rewards import SUCCESSES, Cell
from training.bandit.state import BanditState, BetaPrior, Tally

# A message that stands in both log and store counts once, and either success is a success.
_TALLIES = """
WITH logged AS (
    SELECT m.message_id, m.about, m.channel, m.variant,
        MAX(CASE WHEN o.t < m.sent_at + {window} THEN 1 ELSE 0 END) AS success
    FROM messages m LEFT JOIN (
        SELECT message_id, t FROM outcomes WHERE outcome IN ({successes})
    ) o ON o.message_id = m.message_id
    WHERE m.variant IS NOT NULL AND m.sent_at + {window} <= {at}
    GROUP BY m.message_id, m.about, m.channel, m.variant
), every_one AS (
    SELECT message_id, about, channel, variant, success FROM logged
    UNION ALL SELECT message_id, about, channel, variant, success FROM stored
), once AS (
    SELECT message_id, MAX(about) AS about, MAX(channel) AS channel, MAX(variant) AS variant,
        MAX(success) AS success
    FROM every_one GROUP BY message_id
)
SELECT about, channel, variant, SUM(success) AS n_successes, SUM(1 - success) AS n_failures
FROM once GROUP BY about, channel, variant
"""


def learn_bandit_from_log(
    tables: Tables, store: Store, *, as_of: datetime, window_days: int, engine: Engine
) -> BanditState:
    """What every matured message teaches, from log and store; the log stays where it is.

    Args:
        tables: Conformed tables, best as files.
        store: Its messages are few beside the log's.
        as_of: Aware moment.
        window_days: Days after sending in which an outcome counts.
        engine: Where the SQL runs.
    """
    rewards = store.read_rewards(as_of=as_of, window_days=window_days)
    stored = pd.DataFrame(
        {
            "message_id": pd.Series([r.message_id for r in rewards], dtype="str"),
            "about": pd.Series([r.trigger.value for r in rewards], dtype="str"),
            "channel": pd.Series([r.channel.value for r in rewards], dtype="str"),
            "variant": pd.Series([r.variant for r in rewards], dtype="str"),
            "success": pd.Series([int(r.success) for r in rewards], dtype="int32"),
        }
    )
    at = to_micros(as_of)
    text = _TALLIES.format(
        window=window_days * DAY_US,
        successes=", ".join(f"'{outcome}'" for outcome in sorted(SUCCESSES)),
        at=at,
    )
    names = ("messages", "outcomes")
    with open_known_facts(tables, names=names, before=at, engine=engine) as facts:
        facts.register("stored", stored)
        found = facts.query(text)
    tallies = {
        (Cell(Trigger(about), Channel(channel)), str(variant)): Tally(int(worked), int(failed))
        for about, channel, variant, worked, failed in zip(
            *(found[name] for name in found.columns), strict=True
        )
    }
    return BanditState(BetaPrior(), tallies)
