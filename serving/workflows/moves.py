"""Moves of one request through the corridor, each in a transaction of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from features.errors import BadInputError
from serving.audit.entries import EntryKind
from serving.corridor.actions import (
    ActionRequest,
    Claimed,
    Denied,
    Go,
    NeedsApproval,
    Rule,
    Silence,
    Wait,
)
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Action, End, How, Turn
from serving.workflows.run import Run, pause_after
from serving.workflows.spec import OnDenied, Step
from serving.workflows.telling import ask_for_word, tell_failure, write_log

ContextT = TypeVar("ContextT")

RESUMED = "resumed"
"""Topic of the signal that a kill switch was lifted."""

_MAY_CHANGE = frozenset({Rule.STOPPED, Rule.CLOCK})
_FINAL = frozenset({Rule.STATE, Rule.KEY, Rule.ACTOR, Rule.UNKNOWN, Rule.REQUEST})


class Phase(StrEnum):
    """What comes next for a request."""

    PROPOSE = "propose"
    CLAIM = "claim"
    ACT = "act"
    CONFIRM = "confirm"  # an answer is awaited, or there
    SETTLE = "settle"
    RELEASE = "release"  # it failed
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a request stands after a move.

    Attributes:
        phase: What comes next.
        wake_at: When; None: at once, unless it is over.
        topics: Of signals at which it comes before.
        end: How it ended, where it is over.
        follow: What joins it then.
        leaves: Whether the workflow ends with it.
    """

    phase: Phase
    wake_at: datetime | None = None
    topics: tuple[str, ...] = ()
    end: End | None = None
    follow: tuple[ActionRequest, ...] = ()
    leaves: bool = False


def require_own(requests: Sequence[ActionRequest], turn: Turn) -> None:
    """Raise BadInputError unless requests are the workflow's, each once."""
    ids = [request.action_id for request in requests]
    faults = [f"{i}: more than once" for i in sorted({i for i in ids if ids.count(i) > 1})]
    faults += [
        f"{request.action_id}: subject {request.subject}, expected {turn.workflow_id}"
        for request in requests
        if request.subject != turn.workflow_id
    ]
    if faults:
        raise BadInputError(f"requests of step {turn.step}: {'; '.join(faults)}")


@dataclass(frozen=True)
class Moves(Generic[ContextT]):
    """What may happen to the requests of a step, as effects of a transaction."""

    run: Run[ContextT]
    step: Step
    action: Action[ContextT]
    turn: Turn

    def propose(
        self, session: StoreSession, request: ActionRequest, *, n_tries: int, now: datetime
    ) -> Moved:
        """Ask the corridor; where it holds the money, the owner is told what waits for a yes."""
        answer = self.run.parts.desk().propose(session, request, now=now)
        match answer:
            case Go():
                return Moved(Phase.CLAIM)
            case Wait(until=until, on_silence=on_silence):
                if on_silence is not Silence.GO:
                    self._ask(session, request, until=until, now=now)
                return Moved(Phase.CLAIM, until)
            case NeedsApproval(expires_at=until):
                self._ask(session, request, until=until, now=now)
                return Moved(Phase.CLAIM, until)
            case Denied():
                return self._refuse(
                    session, request, answer, phase=Phase.PROPOSE, n_tries=n_tries, now=now
                )

    def join(self, session: StoreSession, *, n_joined: int, now: datetime) -> Moved:
        """Ask what joins the requests that are under way, for the n-th time."""
        turn = replace(self.turn, joined=n_joined)
        action, context = self.action, self.run.context
        requests = action.join(session, context=context, turn=turn, now=now)
        require_own(requests, turn)
        return Moved(Phase.OVER, follow=requests)

    def claim(
        self, session: StoreSession, request: ActionRequest, *, n_tries: int, now: datetime
    ) -> Moved:
        """Take the action, where silence or a yes lets it go."""
        desk = self.run.parts.desk()
        held = session.holds.find(request.action_id)
        answer = desk.claim(session, request.action_id, actor=self.run.actor, now=now)
        if isinstance(answer, Claimed):
            return Moved(Phase.ACT)
        if held is None or answer.rule in (Rule.VETOED, Rule.EXPIRED):
            desk.expire(session, now=now)
            how = How.VETOED if answer.rule is Rule.VETOED else How.EXPIRED
            return self._end(session, request, End(how, answer.why), now=now)
        if answer.rule is Rule.WINDOW:
            return Moved(Phase.CLAIM, held.due_at)
        if answer.rule is not Rule.APPROVAL:
            return self._refuse(
                session, request, answer, phase=Phase.CLAIM, n_tries=n_tries, now=now
            )
        if held.needs_approval or now < held.due_at:
            return Moved(Phase.CLAIM, held.expires_at)
        if held.on_silence is Silence.DROP:
            why = "nobody said yes before its window ended"
            desk.release(session, request.action_id, by=self.run.actor, now=now, why=why)
            return self._end(session, request, End(How.EXPIRED, why), now=now)
        self._ask(session, request, until=held.expires_at, now=now, again=True)
        return Moved(Phase.CLAIM, held.expires_at)

    def claim_again(
        self, session: StoreSession, request: ActionRequest, *, n_tries: int, now: datetime
    ) -> Moved:
        """Before acting is tried again: what stops actions now stops this one, too."""
        desk = self.run.parts.desk()
        answer = desk.claim(session, request.action_id, actor=self.run.actor, now=now)
        if isinstance(answer, Claimed):
            return Moved(Phase.ACT)
        return Moved(Phase.ACT, now + pause_after(n_tries), topics=(RESUMED,))

    def settle(
        self, session: StoreSession, request: ActionRequest, *, acted: Acted, now: datetime
    ) -> Moved:
        """It is done: what follows from that is written, and what it cost is spent."""
        self.action.record(session, request=request, acted=acted, context=self.run.context, now=now)
        end = self.pay(session, request, acted=acted, now=now)
        return self._end(session, request, end, now=now)

    def pay(
        self, session: StoreSession, request: ActionRequest, *, acted: Acted, now: datetime
    ) -> End:
        """Spend what it cost; what was held where that is less, and then the owner is told."""
        desk = self.run.parts.desk()
        settled = desk.settle(
            session,
            request.action_id,
            actor=self.run.actor,
            actual_cents=acted.actual_cents,
            now=now,
        )
        if isinstance(settled, Denied):
            most = request.amount_cents
            at_most = desk.settle(
                session, request.action_id, actor=self.run.actor, actual_cents=most, now=now
            )
            why = f"it cost {acted.actual_cents!r} cents where {most} were held: {settled.why}"
            if isinstance(at_most, Denied):
                why += f"; nor could those be spent: {at_most.why}"
            self.tell(session, request, why, what="cost", now=now)
        return End(How.DONE, acted.words)

    def fail(
        self, session: StoreSession, request: ActionRequest, *, why: str, now: datetime
    ) -> Moved:
        """It was not done, and will not be: its money is free again."""
        desk = self.run.parts.desk()
        desk.release(session, request.action_id, by=self.run.actor, now=now, why=why)
        return self._end(session, request, End(How.FAILED, why), now=now)

    def give_up(
        self,
        session: StoreSession,
        request: ActionRequest,
        *,
        end: End,
        is_told: bool,
        now: datetime,
    ) -> Moved:
        """It is not waited for any more; what it held, if anything, is free again."""
        if session.holds.find(request.action_id) is not None:
            desk = self.run.parts.desk()
            desk.release(session, request.action_id, by=self.run.actor, now=now, why=end.why)
        if is_told:
            self.tell(session, request, end.why, what="given-up", now=now)
        return self.end_alone(session, request, end, now=now)

    def end_alone(
        self, session: StoreSession, request: ActionRequest, end: End, *, now: datetime
    ) -> Moved:
        """It is over, and nothing follows from that."""
        self._log(session, request, end, now=now)
        return Moved(Phase.OVER, end=end)

    def tell(
        self, session: StoreSession, request: ActionRequest, why: str, *, what: str, now: datetime
    ) -> None:
        """Tell the owner that something is wrong with a request; once for each `what`."""
        tell_failure(
            session,
            self.run.flow,
            self._describe(request),
            key=f"{request.action_id}/{what}",
            why=why,
            parts=self.run.parts,
            at=now,
            branch=request.branch,
        )

    # ------------------------------------------------------------ inside a transaction

    def _describe(self, request: ActionRequest) -> str:
        """In the action's words; no money stays held because they could not be found."""
        try:
            return self.action.describe(request, context=self.run.context)
        except Exception:  # noqa: BLE001  # whatever it was
            return Action.describe(self.action, request, context=self.run.context)

    def _refuse(
        self,
        session: StoreSession,
        request: ActionRequest,
        denied: Denied,
        *,
        phase: Phase,
        n_tries: int,
        now: datetime,
    ) -> Moved:
        again_at = now + pause_after(n_tries)
        if denied.rule in _MAY_CHANGE:
            return Moved(phase, again_at, topics=(RESUMED,))
        if self.step.on_denied is OnDenied.ESCALATE and denied.rule not in _FINAL:
            why = f"refused by rule {denied.rule}: {denied.why}"
            self.tell(session, request, why, what="denied", now=now)
            return Moved(phase, again_at, topics=(RESUMED,))
        if phase is Phase.CLAIM:
            desk = self.run.parts.desk()
            desk.release(session, request.action_id, by=self.run.actor, now=now, why=denied.why)
        end = End(How.DENIED, f"refused by rule {denied.rule}: {denied.why}")
        leaves = self.step.on_denied is OnDenied.END
        return self._end(session, request, end, now=now, leaves=leaves)

    def _ask(
        self,
        session: StoreSession,
        request: ActionRequest,
        *,
        until: datetime,
        now: datetime,
        again: bool = False,
    ) -> None:
        ask_for_word(
            session,
            self.run.flow,
            request,
            what=self._describe(request),
            until=max(until, now + timedelta(minutes=1)),
            again=again,
            parts=self.run.parts,
            at=now,
        )

    def _end(
        self,
        session: StoreSession,
        request: ActionRequest,
        end: End,
        *,
        now: datetime,
        leaves: bool = False,
    ) -> Moved:
        self._log(session, request, end, now=now)
        follow = self.action.follow(
            session,
            request=request,
            end=end,
            context=self.run.context,
            turn=self.turn,
            now=now,
        )
        require_own(follow, self.turn)
        return Moved(Phase.OVER, end=end, follow=follow, leaves=leaves)

    def _log(
        self, session: StoreSession, request: ActionRequest, end: End, *, now: datetime
    ) -> None:
        write_log(
            session,
            self.run.flow,
            f"step {self.step.name}: {request.kind} {end.how}: {end.why}",
            at=now,
            kind=EntryKind.ACTION if end.how is How.DONE else EntryKind.SYSTEM,
            action=request.action_id,
            step=self.step.name,
            end=end.how.value,
        )
