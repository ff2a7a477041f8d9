"""What a step does: an action of a workflow, which the interpreter takes through the corridor.

plan -> propose -> veto window -> claim -> act -> (confirm) -> record and settle
                                         failed or given up: undo and release
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from serving.corridor.actions import ActionRequest
from serving.store.flows import Signal
from serving.store.store import StoreSession

ContextT = TypeVar("ContextT")


@dataclass(frozen=True, slots=True)
class Turn:
    """Which planning of which step this is.

    Attributes:
        workflow_id: Of the workflow.
        step: Name of the step.
        repetition: Of a step that repeats; 0 is the first.
        attempt: How often it was planned before in this repetition: after `Plan(again=True)`.
        joined: How often the plan was added to, with this time; 0 is the plan itself.
    """

    workflow_id: str
    step: str
    repetition: int = 0
    attempt: int = 0
    joined: int = 0

    def name_action(self, part: str | int | None = None) -> str:
        """Identity of an action of this turn; `part` tells several apart.

        >>> Turn("case/c1", "call").name_action()
        'case/c1/call'
        >>> Turn("incident/i7", "ask", attempt=1).name_action("v3")
        'incident/i7/ask/0.1/v3'
        >>> Turn("incident/i7", "ask", joined=2).name_action("v4")
        'incident/i7/ask/joined-2/v4'
        """
        turn = f"{self.repetition}.{self.attempt}"
        parts = [self.workflow_id, self.step]
        parts += [turn] if self.repetition or self.attempt else []
        parts += [f"joined-{self.joined}"] if self.joined else []
        return "/".join([*parts, *([] if part is None else [str(part)])])


# ------------------------------------------------------------ what planning comes to


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, each by a request to the corridor; they run beside each other.

    Attributes:
        requests: With identities of `Turn.name_action`, and the workflow as their subject.
        again: Plan once more when all have come to an end, as for the next vendor of a list.
        words: Why, in a sentence for the log.
    """

    requests: tuple[ActionRequest, ...]
    again: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """There is nothing to do, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Written:
    """It is done by what was written in this transaction: a notice, a row; nobody is asked.

    For what costs nothing and harms nobody, such as telling the owner, which neither a broken
    corridor nor a kill switch may silence.
    """

    words: str


@dataclass(frozen=True, slots=True)
class Later:
    """Plan again at that moment, or when a signal of these topics comes."""

    until: datetime
    topics: tuple[str, ...] = ()
    why: str = ""


Planned = Plan | Skip | Written | Later


# ------------------------------------------------------------ what acting comes to


@dataclass(frozen=True, slots=True)
class Acted:
    """It is done, and cost as much."""

    actual_cents: int
    words: str


@dataclass(frozen=True, slots=True)
class Awaiting:
    """It was begun; whether it is done, a signal of that topic will say, or silence until then."""

    topic: str
    until: datetime
    words: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not done, and will not be."""

    why: str


Outcome = Acted | Awaiting | Failed


class How(StrEnum):
    """How a request came to its end."""

    DONE = "done"
    FAILED = "failed"  # it was tried, and is not done
    DENIED = "denied"  # by the corridor
    VETOED = "vetoed"  # by a human
    EXPIRED = "expired"  # nobody said yes in time
    GIVEN_UP = "given_up"  # at the deadline of its step, or as the workflow ended


@dataclass(frozen=True, slots=True)
class End:
    """The end of a request, and why."""

    how: How
    why: str


class Action(ABC, Generic[ContextT]):
    """One kind of thing that a workflow can do.

    What raises is tried again, with pauses, until the deadline of the step; expected failures are
    values. Requests that wait, are vetoed, refused or expire need no code here.
    """

    @abstractmethod
    def plan(
        self, session: StoreSession, *, context: ContextT, turn: Turn, now: datetime
    ) -> Planned:
        """What is to be done; asked when the step begins, and kept.

        Args:
            session: A transaction that writes; what is written is kept with the plan, once.
            context: The workflow's own.
            turn: Which planning this is.
            now: Aware.
        """

    def act(self, request: ActionRequest, *, context: ContextT, now: datetime) -> Outcome:
        """Do it, outside of any transaction; after a crash it may be asked to do it again.

        It must then be the same as doing it once: by `request.action_id`.
        """
        raise NotImplementedError(f"{type(self).__name__} plans requests, and cannot act")

    def confirm(
        self, signal: Signal | None, *, request: ActionRequest, context: ContextT, now: datetime
    ) -> Outcome:
        """What an answer means, or silence (None) at the end of the wait; like `act`."""
        raise NotImplementedError(f"{type(self).__name__} awaits an answer, and cannot read it")

    def record(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        acted: Acted,
        context: ContextT,
        now: datetime,
    ) -> None:
        """Write what follows from having acted, in the transaction that settles it; once."""

    def undo(self, request: ActionRequest, *, context: ContextT, now: datetime) -> None:
        """Take back what was done, or begun, under that identity; may be asked again.

        Nothing may have been done.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be taken back")

    def follow(
        self,
        session: StoreSession,  # noqa: ARG002  # this and the rest: for those that override it
        *,
        request: ActionRequest,  # noqa: ARG002  # as above
        end: End,  # noqa: ARG002  # as above
        context: ContextT,  # noqa: ARG002  # as above
        turn: Turn,  # noqa: ARG002  # as above
        now: datetime,  # noqa: ARG002  # as above
    ) -> tuple[ActionRequest, ...]:
        """What joins the requests of the step as one of them has come to its end; nothing.

        Asked in the transaction in which it does; not when the step is given up.
        """
        return ()

    @property
    def join_at(self) -> frozenset[str]:
        """Topics of signals at which `join` is asked while requests of the step are under way."""
        return frozenset()

    def join(
        self,
        session: StoreSession,  # noqa: ARG002  # this and the rest: for those that override it
        *,
        context: ContextT,  # noqa: ARG002  # as above
        turn: Turn,  # noqa: ARG002  # as above
        now: datetime,  # noqa: ARG002  # as above
    ) -> tuple[ActionRequest, ...]:
        """What joins the requests of the step since something was heard; nothing.

        What waits for a yes for hours holds up nothing else that is to be done.
        """
        return ()

    def describe(self, request: ActionRequest, *, context: ContextT) -> str:  # noqa: ARG002  # as above
        """What a request is, for the owner whose yes it waits for; in the owner's language."""
        cost = f"{request.amount_cents / 100:,.2f} {request.currency}"
        about = request.vendor or request.customer
        return f"{request.kind} ({about}, {cost})" if about else f"{request.kind} ({cost})"

    @property
    def is_undoable(self) -> bool:
        """Whether it can take back what it did."""
        return type(self).undo is not Action.undo


Condition = Callable[[StoreSession, ContextT, datetime], bool]
"""Whether something holds; where it cannot tell, it raises, and is asked again after a pause."""
