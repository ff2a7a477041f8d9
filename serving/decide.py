"""One joint decision: guards -> actions -> values -> arm -> choice -> copy -> record.

The engine works on batches; one request is a batch of one. What it reads of the store and what
it writes happen in one transaction, so that limits hold whoever else decides at the same time.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from features.economics import Economics
from features.vocabulary import Priority
from serving.assemble import CaseBook
from serving.copy.library import Library
from serving.copy.render import CopySettings
from serving.online.own import take_messages, take_outcomes
from serving.online.served import list_served
from serving.policy.budgets import Claim, Headroom
from serving.policy.cases import to_us
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

_LOT = 20_000  # cases decided at once, to bound memory


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

    @cached_property
    def _proposer(self) -> Proposer:
        copywriter = Copywriter(
            self.library,
            self.snapshot.bandit,
            self.copy_settings,
            self.economics,
        )
        return Proposer(self.snapshot, self.settings, self.economics, copywriter)

    def decide(self, request: DecisionRequest) -> Decision:
        """The decision about one request; the same record again for the same key."""
        return self.decide_many([request])[0]

    def decide_many(self, requests: Sequence[DecisionRequest]) -> list[Decision]:
        """Decisions in the order of the requests.

        Requests about one customer are decided one after the other, urgent ones first, so that
        each sees what was decided before it.

        Raises:
            ConflictError: An idempotency key was used for a different request.
        """
        now = self.clock()
        answers: dict[int, Decision] = {}
        with self.store.transaction() as session:
            known = session.find_by_keys(requests)
            first_with: dict[str, int] = {}
            fresh: list[int] = []
            for position, request in enumerate(requests):
                key = request.idempotency_key
                if key is not None and key in known:
                    answers[position] = known[key]
                elif key is not None and key in first_with:
                    continue  # answered below, with the first request of the same key
                else:
                    fresh.append(position)
                    if key is not None:
                        first_with[key] = position
            for lot in self._in_rounds(session, requests, fresh, now=now):
                records = self._decide_round(session, [requests[p] for p in lot], now=now)
                answers.update(zip(lot, records, strict=True))
        for position, request in enumerate(requests):
            if position not in answers and request.idempotency_key is not None:
                answers[position] = answers[first_with[request.idempotency_key]]
        return [answers[position] for position in range(len(requests))]

    def report(self, outcomes: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """Book outcomes; reporting one twice changes nothing, and none of the future is booked."""
        now_us = None if self.takes_callers_time else to_us(self.clock())
        happened = [outcome for outcome in outcomes if not _is_future(outcome, now_us)]
        with self.store.transaction() as session:
            states = session.add_outcomes(happened)
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
        ranked = sorted(
            fresh,
            key=lambda p: (
                _PRIORITIES.index(self.settings.triggers[requests[p].trigger].priority),
                -worth.get(p, 0.0),
            ),
        )
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
        self, session: DecisionSession, requests: list[DecisionRequest], *, now: datetime
    ) -> list[Decision]:
        """Decide requests about different customers, and keep the records."""
        book = self._read_book(session, requests, now=now)
        ids = [self._decision_id(request) for request in requests]
        headroom = read_headroom(
            session.ledger,
            self.settings,
            economics=self.economics,
            since_us=int(book.moments_us.min()),
            until_us=int(book.moments_us.max()),
        )
        prices = self._proposer.price(book, headroom)

        def decide(positions: Sequence[int], left: Headroom) -> list[Decision]:
            return self._proposer.decide(
                book,
                positions,
                decision_ids=[ids[p] for p in positions],
                headroom=left,
                prices=prices,
            )

        records: dict[int, Decision] = {}
        claims: list[Claim] = []
        for positions in book.by_trigger():
            spending = decide_within(positions, headroom, decide=decide)
            headroom = spending.headroom
            claims += spending.claims
            records.update(zip(positions, spending.records, strict=True))
        ordered = [records[position] for position in range(len(requests))]
        session.add_decisions(ordered, requests)
        if session.ledger is not None:
            session.ledger.reserve(claims)
        if session.online is not None:
            session.online.add_served(list(list_served(book, ordered, share=self.served_share)))
            about = {requests[position].customer_id for position in book.live}
            take_messages(session.online, ordered, about=about)
        return ordered

    def _decision_id(self, request: DecisionRequest) -> str:
        """From the key, so that it is the same wherever it is decided; fresh without one."""
        if request.idempotency_key is None:
            return self.new_id()
        digest = hashlib.blake2b(request.idempotency_key.encode(), digest_size=16)
        return digest.hexdigest()


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


def _is_future(outcome: OutcomeEvent, now_us: int | None) -> bool:
    """Whether it claims to have happened after now; never where there is no clock."""
    return now_us is not None and to_us(outcome.at) > now_us + _CLOCKS_DIFFER_US
