"""One look at the log: what is new is learned, and published if it changes what is served."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from serving.learner.files import Cursor, LearnerFiles
from serving.learner.fold import Learned, Settled, learn_on, rule_of
from serving.learner.reading import read_log
from serving.policy.cases import to_us
from serving.policy.settings import PolicySettings
from serving.store.store import Store, StoreSession
from training.bandit.files import new_bandit
from training.bandit.rewards import RewardLog, RewardRule, judge_messages


@dataclass(frozen=True)
class Step:
    """What a look at the log came to.

    Attributes:
        learned: What is known now.
        version: Under which version it is served; None where nothing changed.
        rebuilt: It was learned from the beginning, since what was settled did not hold any more:
            the first look, other rules or tables, or something that was told very late.
    """

    learned: Learned
    version: str | None
    rebuilt: bool


def learn_from_log(
    store: Store,
    history: RewardLog,
    *,
    as_of: datetime,
    policy: PolicySettings,
    since: Settled | None = None,
) -> Learned:
    """What the whole log teaches, from its beginning or on top of what was settled.

    Args:
        store: Our own messages.
        history: Those of the tables.
        as_of: Aware moment; nothing that happened at or after it is known.
        policy: When a message has had its chance.
        since: Settled before, by the same history and policy, with nothing told since that bears
            on it; `take_step` finds out whether that is so.
    """
    with store.reading() as session:
        return _learn(
            session,
            history,
            since or Settled.nothing(),
            as_of_us=to_us(as_of),
            rule=rule_of(policy),
        )


def take_step(
    files: LearnerFiles, store: Store, *, as_of: datetime, policy: PolicySettings
) -> Step:
    """Learn what has come since the last version, and publish it.

    The log is read in one transaction, and state and place are published together: wherever this is
    killed, the next step starts from a state and the place that belongs to it.

    Args:
        files: Versions and history; locked by the caller.
        store: The log.
        as_of: Now; nothing that happens at or after it is known.
        policy: When a message has had its chance.
    """
    rule = rule_of(policy)
    history, digest = files.load_history()
    basis = _digest_basis(rule, digest)
    before = files.load_cursor()
    # The state of another basis is not even read: a new version may not understand it any more.
    earlier = files.load_settled() if before is not None and before.basis == basis else None
    with store.reading() as session:
        settled = Settled.nothing()
        if before and earlier and _still_holds(session, earlier, before, rule=rule):
            settled = earlier
        # Before the log is read: what is booked in between is then found to be belated.
        until_us = max(rule.settled_before_us(to_us(as_of)), settled.until_us)
        mark = session.learning.mark(until_us=until_us)
        learned = _learn(session, history, settled, as_of_us=to_us(as_of), rule=rule)
    rebuilt = settled.until_us == 0
    cursor = Cursor(
        learned.as_of_us,
        learned.settled.until_us,
        learned.settled.n_messages,
        mark.n_messages,
        mark.last_outcome,
        basis,
    )
    version = None
    if before is None or rebuilt or _has_news(files, learned, cursor, before):
        version = files.publish(learned, cursor)
    return Step(learned, version, rebuilt=rebuilt)


def _learn(
    session: StoreSession,
    history: RewardLog,
    settled: Settled,
    *,
    as_of_us: int,
    rule: RewardRule,
) -> Learned:
    log = read_log(session, history, since_us=settled.until_us, rule=rule)
    trials = judge_messages(log, rule=rule, as_of_us=as_of_us)
    return learn_on(settled, trials, as_of_us=as_of_us, rule=rule)


def _still_holds(
    session: StoreSession, settled: Settled, cursor: Cursor, *, rule: RewardRule
) -> bool:
    """Whether nothing was told since that bears on messages which were settled already."""
    n_stored = session.learning.mark(until_us=settled.until_us).n_messages
    return n_stored == cursor.n_stored and not session.learning.has_belated(
        after=cursor.last_outcome,
        until_us=settled.until_us,
        closed_us=settled.until_us + rule.window_us,
    )


def _has_news(files: LearnerFiles, learned: Learned, cursor: Cursor, before: Cursor) -> bool:
    """Whether servers or the next step would do anything differently."""
    if cursor.until_us != before.until_us:
        return True
    served = files.load_served()
    return served is None or served.bandit.to_json() != learned.served.to_json()


def _digest_basis(rule: RewardRule, history: str) -> str:
    text = f"{rule!r} {history} {new_bandit().to_json()}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
