"""One joint decision: guards -> actions -> values -> arm -> choice -> copy -> record.

The engine works on batches; one request is a batch of one. What it reads of the store and what
it writes happen in one transaction, so that limits hold whoever else decides at the same time.
"""

import hashlib
from collections import defaultdict
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
from serving.policy.cases import to_us
from serving.policy.settings import PolicySettings
from serving.propose import Proposer
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.snapshot.state import Snapshot
from serving.store.protocol import DecisionSession, DecisionStore
from serving.words import Copywriter
from training.bandit.thompson import ThompsonSampling

_PRIORITIES = tuple(Priority)
LOOK_BACK_US = 31 * 24 * 3_600_000_000
"""How far back a notice can matter: the longest cool-down and every fatigue period."""

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
            ThompsonSampling(self.snapshot.bandit),
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
            for lot in self._in_rounds(requests, fresh):
                records = self._decide_round(session, [requests[p] for p in lot], now=now)
                answers.update(zip(lot, records, strict=True))
        for position, request in enumerate(requests):
            if position not in answers and request.idempotency_key is not None:
                answers[position] = answers[first_with[request.idempotency_key]]
        return [answers[position] for position in range(len(requests))]

    def report(self, outcomes: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """Book outcomes; reporting one twice changes nothing."""
        now_us = None if self.takes_callers_time else to_us(self.clock())
        with self.store.transaction() as session:
            states = session.add_outcomes(outcomes)
            if session.online is not None:
                take_outcomes(session.online, outcomes, states, now_us=now_us)
            return states

    def _in_rounds(
        self, requests: Sequence[DecisionRequest], fresh: Sequence[int]
    ) -> Iterator[list[int]]:
        """Positions in lots that hold no customer twice, urgent triggers first."""
        by_priority = sorted(
            fresh,
            key=lambda p: _PRIORITIES.index(self.settings.triggers[requests[p].trigger].priority),
        )
        rounds: dict[int, list[int]] = defaultdict(list)
        n_seen: dict[str, int] = defaultdict(int)
        for position in by_priority:
            customer_id = requests[position].customer_id
            rounds[n_seen[customer_id]].append(position)
            n_seen[customer_id] += 1
        for number in sorted(rounds):
            lot = rounds[number]
            for start in range(0, len(lot), _LOT):
                yield lot[start : start + _LOT]

    def _decide_round(
        self, session: DecisionSession, requests: list[DecisionRequest], *, now: datetime
    ) -> list[Decision]:
        """Decide requests about different customers, and keep the records."""
        book = CaseBook.read(session, self.snapshot, requests, now=now, look_back_us=LOOK_BACK_US)
        records: dict[int, Decision] = {}
        for positions in book.by_trigger():
            ids = [self._decision_id(requests[p]) for p in positions]
            records.update(
                zip(
                    positions, self._proposer.decide(book, positions, decision_ids=ids), strict=True
                )
            )
        ordered = [records[position] for position in range(len(requests))]
        session.add_decisions(ordered, requests)
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
