"""One look at the log: what is new is learned, and published if it changes what is served."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from serving.learner.files import Cursor, LearnerFiles, Place
from serving.learner.fold import Learned, Settled, learn_on, rule_of
from serving.learner.reading import read_log
from serving.policy.cases import to_us
from serving.policy.settings import PolicySettings
from serving.store.store import Store, StoreSession
from training.bandit.files import WAY_OF_LEARNING, new_bandit
from training.bandit.rewards import RewardLog, RewardRule, judge_messages


@dataclass(frozen=True)
class Look:
    """What a look at the log found.

    Attributes:
        learned: What is known now.
        cursor: How far it was read.
        before: How far it had been read at the last version; None at the first look.
        rebuilt: It was learned from the beginning.
        has_outcomes: Any outcome of any message was told.
    """

    learned: Learned
    cursor: Cursor
    before: Cursor | None
    rebuilt: bool
    has_outcomes: bool


@dataclass(frozen=True)
class Step:
    """What a look at the log came to.

    Attributes:
        learned: What is known now.
        version: Under which version it is served; None where nothing changed.
        rebuilt: It was learned from the beginning, since what was settled did not hold any more:
            the first look, other rules or tables, or something that was told very late.
        has_outcomes: Any outcome of any message was told.
    """

    learned: Learned
    version: str | None
    rebuilt: bool
    has_outcomes: bool


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

    State and place are published together: wherever this is killed, the next step starts from a
    state and the place that belongs to it.

    Args:
        files: Versions and history; locked by the caller.
        store: The log.
        as_of: Now; nothing that happens at or after it is known.
        policy: When a message has had its chance.
    """
    found = look(files, store, as_of=as_of, policy=policy)
    version = None
    if found.rebuilt or _has_news(files, found):
        version = files.publish(found.learned, found.cursor)
    return Step(found.learned, version, rebuilt=found.rebuilt, has_outcomes=found.has_outcomes)


def look(files: LearnerFiles, store: Store, *, as_of: datetime, policy: PolicySettings) -> Look:
    """Learn what has come since the last version; nothing is written.

    The log is read in one transaction. The arguments are those of `take_step`; the files need no
    lock.
    """
    rule = rule_of(policy)
    history, digest = files.load_history()
    basis = basis_of(policy)
    place = files.load_place(basis=basis)
    as_of_us = to_us(as_of)
    with store.reading() as session:
        # Before anything is read: what is booked in between is then found to be belated.
        mark = session.learning.mark(until_us=rule.settled_before_us(as_of_us))
        settled = _find_settled(
            session, history, place, digest=digest, as_of_us=as_of_us, rule=rule
        )
        learned = _learn(session, history, settled, as_of_us=as_of_us, rule=rule)
    cursor = Cursor(
        as_of_us=as_of_us,
        until_us=learned.settled.until_us,
        n_messages=learned.settled.n_messages,
        n_stored=mark.n_messages,
        last_outcome=mark.last_outcome,
        basis=basis,
        history=digest,
        digest=learned.settled.digest,
    )
    return Look(
        learned,
        cursor,
        before=None if place is None else place.cursor,
        rebuilt=settled.until_us == 0,
        has_outcomes=mark.last_outcome > 0 or len(history.outcomes) > 0,
    )


def basis_of(policy: PolicySettings) -> str:
    """Digest of what the bandit follows from beside messages: under another one it begins anew."""
    text = f"{rule_of(policy)!r} {WAY_OF_LEARNING} {new_bandit().to_json()}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


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


def _find_settled(
    session: StoreSession,
    history: RewardLog,
    place: Place | None,
    *,
    digest: str,
    as_of_us: int,
    rule: RewardRule,
) -> Settled:
    """What can be gone on from: what was settled, if nothing that is known now bears on it."""
    if place is None or place.settled is None:
        return Settled.nothing()
    settled = place.settled
    if settled.until_us > rule.settled_before_us(as_of_us):
        return Settled.nothing()  # it knows of what comes after the moment that is asked about
    if place.cursor.history == digest:
        holds = _still_holds(session, settled, place.cursor, rule=rule)
    else:  # the tables were read again: most of what they say they said before
        log = read_log(session, history, since_us=0, rule=rule)
        holds = settled.follows_from(judge_messages(log, rule=rule, as_of_us=as_of_us))
    return settled if holds else Settled.nothing()


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


def _has_news(files: LearnerFiles, found: Look) -> bool:
    """Whether servers or the next step would do anything differently."""
    before, cursor = found.before, found.cursor
    if before is None or (cursor.until_us, cursor.history) != (before.until_us, before.history):
        return True
    served = files.load_served()
    return served is None or served.bandit.to_json() != found.learned.served.to_json()
