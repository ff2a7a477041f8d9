"""The requests of one plan, beside each other, each on its way to its own end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from serving.corridor.actions import ActionRequest
from serving.store.flows import Signal
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Awaiting, End, Failed, How, Outcome
from serving.workflows.moves import Moved, Moves, Phase
from serving.workflows.results import Kept, Raised
from serving.workflows.run import Leave, Run, pause_after
from serving.workflows.undoing import undo_request
from serving.workflows.words import APPROVE, VETO

ContextT = TypeVar("ContextT")

_MOVED = Kept(Moved)
_OUTCOME: Kept[Outcome] = Kept[Outcome](Acted, Awaiting, Failed)
_WORDS = frozenset({APPROVE, VETO})
_BEGUN = frozenset({Phase.ACT, Phase.CONFIRM})

_NEW = Moved(Phase.PROPOSE)


@dataclass
class Course:
    """A request on its way.

    Attributes:
        key: Of its effects in the journal.
        at: Where it stands.
        n_effects: Effects so far; numbers their keys.
        n_tries: How often the present move was tried before.
        signal: The answer that is to be read.
        acted: What it came to, until that is settled.
        failure: Why it is not done, until its money is free.
        fault: How the last try failed; empty where it did not.
    """

    request: ActionRequest
    key: str
    at: Moved = _NEW
    n_effects: int = 0
    n_tries: int = 0
    signal: Signal | None = None
    acted: Acted | None = None
    failure: str = ""
    fault: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it has not come to its end."""
        return self.at.phase is not Phase.OVER

    @property
    def is_ready(self) -> bool:
        """Whether its next move is to be made at once."""
        return self.is_open and self.at.wake_at is None

    def name_effect(self) -> str:
        """A key for the next effect."""
        self.n_effects += 1
        return f"{self.key}/{self.n_effects}"

    def arrive(self, moved: Moved) -> None:
        """It stands there now."""
        self.n_tries = self.n_tries + 1 if moved.phase is self.at.phase else 0
        self.fault = ""
        self.at = moved

    def hold(self, raised: Raised) -> None:
        """The move failed, and is tried again after a pause, in which it hears what it did before.

        An answer that is there is read first: the next one waits for its turn.
        """
        topics = () if self.signal is not None else self.at.topics
        self.at = Moved(self.at.phase, raised.at + pause_after(self.n_tries), topics=topics)
        self.n_tries += 1
        self.fault = raised.why

    def wake(self) -> None:
        """Its moment has come."""
        self.at = Moved(self.at.phase, topics=self.at.topics)

    def hear(self, signal: Signal) -> None:
        """A signal came; where it is meant, its moment has come."""
        if signal.topic in _WORDS:
            if self.at.phase is Phase.CLAIM and _names(signal, self.request.action_id):
                self.wake()
        elif signal.topic in self.at.topics:
            if self.at.phase is Phase.CONFIRM:
                self.signal = signal
            self.wake()


@dataclass
class Group(Generic[ContextT]):
    """Runs the requests of a plan.

    Attributes:
        key: Of its effects in the journal.
        begun_at: When they began.
        deadline: When those are given up that have not come to an end.
        courses: Of the requests.
        n_joined: How often it was asked what joins them.
    """

    run: Run[ContextT]
    moves: Moves[ContextT]
    key: str
    begun_at: datetime
    deadline: datetime
    courses: list[Course] = field(default_factory=list)
    n_joined: int = 0

    async def pursue(self, requests: Sequence[ActionRequest]) -> Leave | None:
        """Take all requests, and what follows from them, to their ends.

        Returns:
            Why the workflow ends; None where it goes on. Nothing is left open in either case.
        """
        self._add(requests)
        leave = await self._move_ready()
        since, n = self.begun_at, 0
        while leave is None and self._open():
            moment = min(self.deadline, *(c.at.wake_at or self.deadline for c in self._open()))
            slept = await self.run.sleep(
                f"{self.key}/sleep/{n}", until=moment, since=since, topics=self._list_topics()
            )
            n += 1
            if isinstance(slept, Leave):
                leave = slept
                break
            since = slept.at
            if slept.signal is not None:
                self._hear(slept.signal)
                if slept.signal.topic in self.moves.action.join_at:
                    await self._join()
            elif moment >= self.deadline:
                await self._give_up("it was not done by its deadline", is_late=True)
                return None
            self._wake(slept.at)
            leave = await self._move_ready()
        if leave is not None:
            await self._give_up(f"the workflow ends: {leave.why}", is_late=False)
        return leave

    # ------------------------------------------------------------ which of them

    def _add(self, requests: Sequence[ActionRequest]) -> None:
        self.courses += [
            Course(request, f"{self.key}/{len(self.courses) + n}")
            for n, request in enumerate(requests)
        ]

    def _open(self) -> list[Course]:
        return [course for course in self.courses if course.is_open]

    def _list_topics(self) -> set[str]:
        heard = {*_WORDS, *self.moves.action.join_at}
        return heard | {topic for course in self._open() for topic in course.at.topics}

    def _wake(self, moment: datetime) -> None:
        for course in self._open():
            if course.at.wake_at is not None and course.at.wake_at <= moment:
                course.wake()

    def _hear(self, signal: Signal) -> None:
        for course in self._open():
            course.hear(signal)

    async def _join(self) -> None:
        """Take in what is to be done since the requests were made; a fault waits for the next."""
        self.n_joined += 1
        n = self.n_joined
        moved = await self.run.attempt(
            f"{self.key}/join/{n}",
            lambda s, now: self.moves.join(s, n_joined=n, now=now),
            as_=_MOVED,
        )
        if not isinstance(moved, Raised):
            self._add(moved.follow)

    async def _move_ready(self) -> Leave | None:
        """Every move that can be made now, in the order of the requests."""
        leave = None
        while leave is None and (ready := [c for c in self.courses if c.is_ready]):
            course = ready[0]
            await self._move(course)
            self._add(course.at.follow if not course.is_open else ())
            if course.at.leaves:
                leave = Leave(
                    f"{course.request.kind}: {course.at.end.why if course.at.end else ''}"
                )
        return leave

    # ------------------------------------------------------------ moves

    async def _move(self, course: Course) -> None:
        match course.at.phase:
            case Phase.PROPOSE:
                await self._ask(course)
            case Phase.CLAIM:
                await self._claim(course)
            case Phase.ACT:
                await self._act(course)
            case Phase.CONFIRM:
                await self._confirm(course)
            case Phase.SETTLE:
                await self._settle(course)
            case Phase.RELEASE:
                await self._release(course)
            case Phase.OVER:
                pass

    async def _ask(self, course: Course) -> None:
        request, n_tries = course.request, course.n_tries
        moved = await self.run.attempt(
            course.name_effect(),
            lambda s, now: self.moves.propose(s, request, n_tries=n_tries, now=now),
            as_=_MOVED,
        )
        _arrive(course, moved)

    async def _claim(self, course: Course) -> None:
        request, n_tries = course.request, course.n_tries
        moved = await self.run.attempt(
            course.name_effect(),
            lambda s, now: self.moves.claim(s, request, n_tries=n_tries, now=now),
            as_=_MOVED,
        )
        _arrive(course, moved)

    async def _act(self, course: Course) -> None:
        request, n_tries = course.request, course.n_tries
        if n_tries:
            moved = await self.run.attempt(
                course.name_effect(),
                lambda s, now: self.moves.claim_again(s, request, n_tries=n_tries, now=now),
                as_=_MOVED,
            )
            if isinstance(moved, Raised) or moved.wake_at is not None:
                _arrive(course, moved)
                return
        outcome = await self.run.attempt_doing(
            course.name_effect(),
            lambda now: self.moves.action.act(request, context=self.run.context, now=now),
            as_=_OUTCOME,
        )
        await self._take(course, outcome)

    async def _confirm(self, course: Course) -> None:
        request, signal = course.request, course.signal
        outcome = await self.run.attempt_doing(
            course.name_effect(),
            lambda now: self.moves.action.confirm(
                signal, request=request, context=self.run.context, now=now
            ),
            as_=_OUTCOME,
        )
        await self._take(course, outcome)

    async def _take(self, course: Course, outcome: Outcome | Raised) -> None:
        """What acting, or an answer, came to."""
        match outcome:
            case Raised():
                course.hold(outcome)
            case Awaiting(topic=topic, until=until):
                course.signal = None
                course.arrive(Moved(Phase.CONFIRM, until, topics=(topic,)))
            case Acted():
                course.acted = outcome
                course.arrive(Moved(Phase.SETTLE))
            case Failed(why=why):
                course.failure = why
                course.arrive(Moved(Phase.RELEASE))

    async def _release(self, course: Course) -> None:
        request, why = course.request, course.failure
        moved = await self.run.attempt(
            course.name_effect(),
            lambda s, now: self.moves.fail(s, request, why=why, now=now),
            as_=_MOVED,
        )
        _arrive(course, moved)

    async def _settle(self, course: Course) -> None:
        request, acted = course.request, course.acted
        assert acted is not None  # noqa: S101  # only what acted is settled
        moved = await self.run.attempt(
            course.name_effect(),
            lambda s, now: self.moves.settle(s, request, acted=acted, now=now),
            as_=_MOVED,
        )
        _arrive(course, moved)

    # ------------------------------------------------------------ giving up

    async def _give_up(self, why: str, *, is_late: bool) -> None:
        """End what is open; what was begun is taken back where that is possible."""
        for course in self._open():
            if is_late and course.at.phase is Phase.CONFIRM and course.signal is None:
                await self._confirm(course)  # silence may mean something
            if course.at.phase is Phase.SETTLE:
                await self._settle_alone(course)
            elif course.at.phase is Phase.RELEASE:
                await self._drop(course, course.failure, is_told=bool(course.fault))
            elif course.is_open:
                await self._drop(course, why, is_told=is_late or bool(course.fault))

    async def _settle_alone(self, course: Course) -> None:
        request, acted, fault = course.request, course.acted, course.fault
        assert acted is not None  # noqa: S101  # only what acted is settled
        moves = self.moves

        def settle(session: StoreSession, now: datetime) -> Moved:
            if fault:
                why = f"it is done, but what follows from it could not be written: {fault}"
                moves.tell(session, request, why, what="record", now=now)
            end = moves.pay(session, request, acted=acted, now=now)
            return moves.end_alone(session, request, end, now=now)

        course.arrive(await self.run.driver.once(course.name_effect(), settle, as_=_MOVED))

    async def _drop(self, course: Course, why: str, *, is_told: bool) -> None:
        begun = course.at.phase in _BEGUN
        if begun:
            key = course.name_effect()
            await undo_request(self.run, self.moves.step, course.request, key=key)
        end = End(
            How.FAILED if begun and course.fault else How.GIVEN_UP,
            f"{why}; last fault: {course.fault}" if course.fault else why,
        )
        moved = await self.run.driver.once(
            course.name_effect(),
            lambda s, now: self.moves.give_up(s, course.request, end=end, is_told=is_told, now=now),
            as_=_MOVED,
        )
        course.arrive(moved)


def _arrive(course: Course, moved: Moved | Raised) -> None:
    if isinstance(moved, Raised):
        course.hold(moved)
    else:
        course.arrive(moved)


def _names(signal: Signal, action_id: str) -> bool:
    body: object = json.loads(signal.body_json)
    return isinstance(body, dict) and body.get("action_id") == action_id
