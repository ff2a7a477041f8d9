"""One joint decision: guards -> actions -> values -> arm -> choice -> copy -> record.

The engine works on batches; one request is a batch of one. Decisions stay in columns (lots) until
somebody reads them as records. What it reads of the store and what it writes happen in one
transaction, so that limits hold whoever else decides at the same time.
"""

import gc
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from features.economics import Economics
from features.errors import ConflictError
from features.vocabulary import Priority
from serving.assemble import CaseBook
from serving.choose import Chooser
from serving.copy.library import Library
from serving.copy.render import CopySettings
from serving.lots.decided import Decided, Kept
from serving.lots.lot import DecisionLot
from serving.online.own import take_messages, take_outcomes
from serving.online.served import list_served
from serving.policy.budgets import Headroom
from serving.policy.cases import to_us
from serving.policy.newcomers import NO_NOVICES, Novices
from serving.policy.settings import PolicySettings
from serving.propose import Proposer
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.snapshot.state import Snapshot
from serving.spending import decide_within, read_headroom
from serving.store.protocol import DecisionSession, DecisionStore
from serving.words import Copywriter

_PRIORITIES = tuple(Priority)
LOOK_BACK_US = 31 * 24 * 3_600_000_000
"""How far back a notice can matter: the longest cool-down and every fatigue period."""

_CLOCKS_DIFFER_US = 5 * 60_000_000
"""An outcome may bear a time that is this much later than ours: the clock of whoever saw it."""

_LOT = 20_000  # cases whose prices are found together, to bound memory
_ROWS = 2_000  # cases whose columns are made at once
_MANY = 1_000  # requests


@dataclass(frozen=True)
class Engine:
    """Decides for one snapshot.

    Attributes:
        snapshot: What is known.
        settings: The policy.
        economics: Prices.
        library: Variants to choose from.
        copy_settings: Brand, currency and links of the texts.
        store: Where records are kept.
        clock: Now, for requests that bring no moment of their own.
        new_id: A fresh identity, for requests without an idempotency key.
        takes_callers_time: There is no clock: moments come with what is asked and reported.
        served_share: Of decisions, how many leave the features in the log that models read.
        novices: Variants of which too little is known yet.
    """

    snapshot: Snapshot
    settings: PolicySettings
    economics: Economics
    library: Library
    copy_settings: CopySettings
    store: DecisionStore
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    takes_callers_time: bool = False
    served_share: float = 1.0
    novices: Novices = NO_NOVICES

    @cached_property
    def _proposer(self) -> Proposer:
        return Proposer(self.snapshot.models, self.settings, self.economics)

    @cached_property
    def _chooser(self) -> Chooser:
        copywriter = Copywriter(
            self.library, self.snapshot.bandit, self.copy_settings, self.economics, self.novices
        )
        return Chooser(self.snapshot, self.settings, copywriter)

    def decide(self, request: DecisionRequest) -> Decision:
        """The decision about one request; the same record again for the same key."""
        return self.decide_batch([request])[0]

    def decide_many(self, requests: Sequence[DecisionRequest]) -> list[Decision]:
        """Records in the order of the requests; see `decide_batch`."""
        return list(self.decide_batch(requests))

    def decide_batch(self, requests: Sequence[DecisionRequest]) -> Decided:
        """Decisions in the order of the requests, as records only where they are read.

        Requests about one customer are decided one after the other, urgent ones first, so that
        each sees what was decided before it.

        Raises:
            ConflictError: An idempotency key was used for a different request, before or in this
                batch; nothing is decided.
        """
        first_with = _find_first_uses(requests)
        now = self.clock()
        with _rest_collector(len(requests)), self.store.transaction() as session:
            known = session.find_by_keys(requests)
            fresh = [
                position
                for position, request in enumerate(requests)
                if (key := request.idempotency_key) is None
                or (key not in known and first_with[key] == position)
            ]
            decided = Decided(len(requests))
            for lot in self._in_rounds(session, requests, fresh, now=now):
                self._decide_round(session, requests, lot, decided=decided, now=now)
        for position, request in enumerate(requests):
            key = request.idempotency_key
            if key is not None and key in known:
                decided.put(position, known[key])
            elif key is not None:
                decided.repeat(position, first_with[key])
        return decided

    def report(self, outcomes: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """Book outcomes; reporting one twice changes nothing, and none of the future is booked.

        But for a no, which is one whatever its sender's clock says.
        """
        now_us = None if self.takes_callers_time else to_us(self.clock())
        happened = [outcome for outcome in outcomes if not _is_future(outcome, now_us)]
        with self.store.transaction() as session:
            states = session.add_outcomes(happened, now_us=now_us)
            if session.online is not None:
                take_outcomes(session.online, happened, states, now_us=now_us)
        of_those = iter(states)
        return [
            OutcomeState.IN_THE_FUTURE if _is_future(outcome, now_us) else next(of_those)
            for outcome in outcomes
        ]

    def _in_rounds(
        self,
        session: DecisionSession,
        requests: Sequence[DecisionRequest],
        fresh: Sequence[int],
        *,
        now: datetime,
    ) -> Iterator[list[int]]:
        """Positions in lots that hold no customer twice: by priority, then by value.

        So who comes later finds the place taken, and its record says by whom (`lost_to`).
        """
        worth = self._value_rivals(session, requests, fresh, now=now)
        rank = {
            trigger: _PRIORITIES.index(rule.priority)
            for trigger, rule in self.settings.triggers.items()
        }
        ranked = sorted(fresh, key=lambda p: (rank[requests[p].trigger], -worth.get(p, 0.0)))
        yield from _split_rounds(requests, ranked)

    def _value_rivals(
        self,
        session: DecisionSession,
        requests: Sequence[DecisionRequest],
        fresh: Sequence[int],
        *,
        now: datetime,
    ) -> dict[int, float]:
        """What the best action is worth to requests that have a rival about the same customer."""
        n_about = Counter(requests[position].customer_id for position in fresh)
        rivals = [position for position in fresh if n_about[requests[position].customer_id] > 1]
        worth: dict[int, float] = {}
        for lot in _split_rounds(requests, rivals):
            book = self._read_book(session, [requests[position] for position in lot], now=now)
            worth.update(zip(lot, self._proposer.best_cents(book).tolist(), strict=True))
        return worth

    def _read_book(
        self, session: DecisionSession, requests: list[DecisionRequest], *, now: datetime
    ) -> CaseBook:
        return CaseBook.read(
            session,
            self.snapshot,
            requests,
            now=now,
            look_back_us=LOOK_BACK_US,
            settings=self.settings,
        )

    def _decide_round(
        self,
        session: DecisionSession,
        requests: Sequence[DecisionRequest],
        round_: Sequence[int],
        *,
        decided: Decided,
        now: datetime,
    ) -> None:
        """Decide requests about different customers, and keep what was decided.

        Args:
            session: A transaction.
            requests: All of the batch.
            round_: Positions of those that are decided now.
            decided: Where it is told.
            now: For requests that bring no moment of their own.
        """
        book = self._read_book(session, [requests[position] for position in round_], now=now)
        headroom = read_headroom(
            session.ledger,
            self.settings,
            economics=self.economics,
            since_us=int(book.moments_us.min()),
            until_us=int(book.moments_us.max()),
        )
        prices = self._proposer.price(book, headroom)
        ids = [self._decision_id(request) for request in book.requests]

        def decide(positions: Sequence[int], left: Headroom) -> DecisionLot:
            proposal = self._proposer.propose(book.cases(positions), headroom=left, prices=prices)
            chosen = [ids[position] for position in positions]
            return self._chooser.choose(proposal, book, positions, decision_ids=chosen)

        for positions in _split(book.by_trigger()):
            spending = decide_within(positions, headroom, decide=decide)
            headroom = spending.headroom
            done = 0
            for lot in spending.lots:
                at = positions[done : done + len(lot)]
                done += len(lot)
                kept = self._keep(session, lot, book, at)
                decided.add(lot, [round_[position] for position in at], kept=kept)
            if session.ledger is not None:
                session.ledger.reserve(spending.claims)

    def _keep(
        self, session: DecisionSession, lot: DecisionLot, book: CaseBook, positions: Sequence[int]
    ) -> Kept:
        """Keep a lot, and what the customers' own states must know of it; how it was kept."""
        kept = session.add_lot(lot)
        if session.online is not None:
            served = list_served(book, lot, positions, share=self.served_share)
            if served is not None:
                session.online.add_served(served)
            about = {book.requests[position].customer_id for position in book.live}
            take_messages(session.online, lot, about=about)
        return kept

    def _decision_id(self, request: DecisionRequest) -> str:
        """From the key, so that it is the same wherever it is decided; fresh without one."""
        if request.idempotency_key is None:
            return self.new_id()
        digest = hashlib.blake2b(request.idempotency_key.encode(), digest_size=16)
        return digest.hexdigest()


def _find_first_uses(requests: Sequence[DecisionRequest]) -> dict[str, int]:
    """Positions at which keys are used first; ConflictError where one stands for two requests."""
    first_with: dict[str, int] = {}
    for position, request in enumerate(requests):
        if (key := request.idempotency_key) is None:
            continue
        first = requests[first_with.setdefault(key, position)]
        if (first.customer_id, first.trigger) != (request.customer_id, request.trigger):
            raise ConflictError(
                f"requests[{position}]: idempotency_key {key!r} is that of a different request of"
                " this batch"
            )
    return first_with


@contextmanager
def _rest_collector(n_requests: int) -> Iterator[None]:
    """No garbage collection while many are decided.

    Decisions hold no cycles, and making them would set off one walk after the other through
    everything that is alive.
    """
    rests = n_requests >= _MANY and gc.isenabled()
    if rests:
        gc.disable()
    try:
        yield
    finally:
        if rests:
            gc.enable()


def _split_rounds(
    requests: Sequence[DecisionRequest], positions: Sequence[int]
) -> Iterator[list[int]]:
    """The positions in their order, in lots that hold no customer twice."""
    rounds: dict[int, list[int]] = defaultdict(list)
    n_seen: dict[str, int] = defaultdict(int)
    for position in positions:
        customer_id = requests[position].customer_id
        rounds[n_seen[customer_id]].append(position)
        n_seen[customer_id] += 1
    for _, of_round in sorted(rounds.items()):
        for start in range(0, len(of_round), _LOT):
            yield of_round[start : start + _LOT]


def _split(groups: Iterable[list[int]]) -> Iterator[list[int]]:
    """The groups in their order, none of them long: arrays of a lot stay in the cache."""
    for positions in groups:
        for start in range(0, len(positions), _ROWS):
            yield positions[start : start + _ROWS]


def _is_future(outcome: OutcomeEvent, now_us: int | None) -> bool:
    """Whether it waits until it has happened; never where there is no clock, nor a no."""
    is_later = now_us is not None and to_us(outcome.at) > now_us + _CLOCKS_DIFFER_US
    return is_later and not outcome.is_refusal
