"""The whole log: what the store holds, and what the tables said before."""

from serving.store.store import StoreSession
from training.bandit.rewards import RewardLog, RewardRule, find_suspects, join_logs


def read_log(
    session: StoreSession, history: RewardLog, *, since_us: int, rule: RewardRule
) -> RewardLog:
    """Messages sent at or after a moment with what followed; each once, as the store has it.

    Args:
        session: A transaction; in PostgreSQL each query sees what is committed by then.
        history: Messages and outcomes of the tables.
        since_us: UTC microseconds.
        rule: Which outcomes look like a machine's.
    """
    stored = session.learning.read_log(since_us=since_us)
    log = join_logs(stored, history.since(since_us)).without_strangers()
    customers = find_suspects(log, rule=rule)
    told = session.learning.read_activity(customers)
    generation = session.online.current_generation()
    is_recorded = generation is not None and "activity" in generation.tables
    return log.with_activity(told) if is_recorded or len(told) else log
