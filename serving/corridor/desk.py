"""The one desk where actions are proposed, approved, vetoed, claimed and paid for.

Each call works in a transaction of the caller's, writes what it did to the log in that same
transaction, and answers with a value. What it cannot make sure of is a no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from serving.audit.entries import EntryKind
from serving.corridor.actions import (
    ActionRequest,
    ActionState,
    Answer,
    Claimed,
    Denied,
    Done,
    Go,
    NeedsApproval,
    Rule,
    Silence,
    Wait,
)
from serving.corridor.held import Held, Said, Word
from serving.corridor.log import DeskLog, name_of
from serving.corridor.rules import CHECKS, Check, Take, find_name_fault, judge, list_takes
from serving.corridor.settings import BrokenCorridor, Corridor, is_cents
from serving.corridor.stop_files import find_stop_file
from serving.corridor.windows import end_window
from serving.moments import show_moment
from serving.store.store import StoreSession


@dataclass(frozen=True)
class CorridorDesk:
    """Answers for one corridor and one home.

    Attributes:
        corridor: What may be done; a broken one refuses everything but vetoes and releases.
        home: Folder in which STOP files are looked for.
        checks: The rules, in their order.
    """

    corridor: Corridor | BrokenCorridor
    home: Path
    checks: Mapping[Rule, Check] = field(default_factory=lambda: CHECKS)

    # ------------------------------------------------------------ before

    def propose(self, session: StoreSession, request: ActionRequest, *, now: datetime) -> Answer:
        """Ask whether something may be done; where it may, its money is held from now on.

        Asking again for the same is answered by what was held the first time.

        Args:
            session: A transaction that writes; it must be kept, also where the answer is no.
            request: What is to be done.
            now: Aware.
        """
        log = DeskLog(session, by="corridor", at=now)
        if (denied := find_name_fault(request)) is not None:
            return log.refuse(request, denied)
        moment = self._find_moment(session, request, now=now)
        if isinstance(moment, Denied):
            return log.refuse(request, moment)
        corridor, now = moment
        if (denied := judge(request, corridor=corridor, checks=self.checks)) is not None:
            return log.refuse(request, denied)
        self.expire(session, now=now)
        known = session.holds.find(request.action_id)
        if known is not None:
            answer = _answer_again(known, request, corridor=corridor)
            return log.refuse(request, answer) if isinstance(answer, Denied) else answer
        planned = _plan(request, corridor=corridor, now=now)
        if isinstance(planned, Denied):
            return log.refuse(request, planned)
        held, takes = planned
        if (full := session.holds.add(held, takes=takes)) is not None:
            return log.refuse(request, Denied(Rule.BOOKS, full))
        answer = _answer(held, corridor=corridor)
        log.tell_answer(request, answer, zone=corridor.zone)
        return answer

    def find_approver(self, kind: str) -> str:
        """The first role whose yes to such actions counts; `owner` where the corridor has none."""
        if isinstance(self.corridor, BrokenCorridor) or kind not in self.corridor.kinds:
            return "owner"
        return self.corridor.kinds[kind].approvers[0]

    def approve(
        self, session: StoreSession, action_id: str, *, by: str, role: str, now: datetime
    ) -> Done | Denied:
        """A human says yes; it counts for a while, and any veto is stronger."""
        log = DeskLog(session, by=by, at=now)
        held = session.holds.find(action_id)
        if held is None:
            return Denied(Rule.UNKNOWN, f"nobody proposed {action_id!r}")
        moment = self._read_clock(session, now=now)
        if isinstance(moment, Denied):
            return log.refuse(held.request, moment)
        corridor, now = moment
        kind = corridor.kinds.get(held.request.kind)
        if kind is None or role not in kind.approvers:
            allowed = "nobody" if kind is None else " or ".join(kind.approvers)
            why = f"{role!r} may not approve {held.request.kind}, {allowed} may"
            return log.refuse(held.request, Denied(Rule.ROLE, why))
        if (denied := _require_waiting(held, zone=corridor.zone, now=now)) is not None:
            return log.refuse(held.request, denied)
        until = now + timedelta(minutes=corridor.approval_minutes)
        session.holds.add_word(action_id, Said(Word.APPROVE, name_of(by), role, now, until))
        last = show_moment(until, zone=corridor.zone)
        log.tell(EntryKind.HUMAN, held, f"{by} ({role}) approves it until {last}")
        return Done(ActionState.WAITING)

    def veto(
        self,
        session: StoreSession,
        action_id: str,
        *,
        by: str,
        role: str,
        now: datetime,
        note: str = "",
    ) -> Done | Denied:
        """A human says no: it holds for good unless the action was claimed before.

        It is taken whatever the clock, the corridor and the switches say, and from anybody.
        """
        log = DeskLog(session, by=by, at=now)
        held = session.holds.find(action_id)
        if held is None:
            return Denied(Rule.UNKNOWN, f"nobody proposed {action_id!r}")
        if held.state is ActionState.VETOED:
            return Done(ActionState.VETOED, is_again=True)
        if held.state is not ActionState.WAITING:
            return log.refuse(held.request, Denied(Rule.STATE, f"too late: it is {held.state}"))
        session.holds.add_word(action_id, Said(Word.VETO, name_of(by), name_of(role), now))
        session.holds.free(held, into=ActionState.VETOED)
        log.tell(EntryKind.HUMAN, held, f"{name_of(by)} ({name_of(role)}) says no", quote=note)
        return Done(ActionState.VETOED)

    # ------------------------------------------------------------ acting

    def claim(
        self, session: StoreSession, action_id: str, *, actor: str, now: datetime
    ) -> Claimed | Denied:
        """Take an action to do it: exactly one actor ever gets it, when everything still says yes.

        Act once the transaction is committed. The same actor may claim again after a crash.
        """
        log = DeskLog(session, by=actor, at=now)
        held = session.holds.find(action_id)
        if held is None:
            return Denied(Rule.UNKNOWN, f"nobody proposed {action_id!r}")
        denied = self._find_hindrance(session, held, actor=actor, now=now)
        if denied is not None:
            return log.refuse(held.request, denied)
        if held.state is ActionState.CLAIMED:
            return Claimed(held.request, is_again=True)
        session.holds.claim(held, actor=actor)
        log.tell(EntryKind.ACTION, held, f"{actor} takes it and acts")
        return Claimed(held.request, is_again=False)

    def settle(
        self,
        session: StoreSession,
        action_id: str,
        *,
        actor: str,
        actual_cents: int,
        now: datetime,
    ) -> Done | Denied:
        """It is done, and cost as much; more than was held is refused, and stays held."""
        log = DeskLog(session, by=actor, at=now)
        held = session.holds.find(action_id)
        if held is None:
            return Denied(Rule.UNKNOWN, f"nobody proposed {action_id!r}")
        is_told = held.settled_cents == actual_cents and held.actor == actor
        if held.state is ActionState.SETTLED and is_told:
            return Done(ActionState.SETTLED, is_again=True)
        if (denied := _require_claim(held, actor=actor)) is not None:
            return log.refuse(held.request, denied)
        if not is_cents(actual_cents) or actual_cents > held.request.amount_cents:
            why = f"{actual_cents!r} cents: {held.request.amount_cents} were held at most"
            return log.refuse(held.request, Denied(Rule.AMOUNT, why))
        session.holds.settle(held, actual_cents=actual_cents)
        cost = f"{actual_cents / 100:,.2f} {held.request.currency}"
        log.tell(EntryKind.ACTION, held, f"{actor} did it for {cost}", actual_cents=actual_cents)
        return Done(ActionState.SETTLED)

    def release(
        self, session: StoreSession, action_id: str, *, by: str, now: datetime, why: str
    ) -> Done | Denied:
        """It was not done, and will not be: the money is free again.

        Of an action that is claimed only its actor knows that.
        """
        log = DeskLog(session, by=by, at=now)
        held = session.holds.find(action_id)
        if held is None:
            return Denied(Rule.UNKNOWN, f"nobody proposed {action_id!r}")
        if held.state is ActionState.RELEASED:
            return Done(ActionState.RELEASED, is_again=True)
        if held.state is not ActionState.WAITING:
            denied = _require_claim(held, actor=by)
            if denied is not None:
                return log.refuse(held.request, denied)
        session.holds.free(held, into=ActionState.RELEASED)
        log.tell(EntryKind.DECISION, held, f"{by} gives it up", quote=why)
        return Done(ActionState.RELEASED)

    def expire(self, session: StoreSession, *, now: datetime) -> list[str]:
        """Free what waited too long; which actions."""
        expired = session.holds.find_expired(now)
        for held in expired:
            session.holds.free(held, into=ActionState.EXPIRED)
            log = DeskLog(session, by="corridor", at=now)
            log.tell(EntryKind.SYSTEM, held, "nobody acted in time; its money is free again")
        return [held.request.action_id for held in expired]

    # ------------------------------------------------------------ asking

    def _find_moment(
        self, session: StoreSession, request: ActionRequest, *, now: datetime
    ) -> tuple[Corridor, datetime] | Denied:
        """The corridor that holds and the moment that counts; switches come before both."""
        stop = find_stop_file(self.home, branch=request.branch)
        stop = stop or session.switches.find_stop(branch=request.branch)
        if stop is not None:
            return Denied(Rule.STOPPED, stop)
        return self._read_clock(session, now=now)

    def _read_clock(
        self, session: StoreSession, *, now: datetime
    ) -> tuple[Corridor, datetime] | Denied:
        if isinstance(self.corridor, BrokenCorridor):
            return Denied(Rule.POLICY, self.corridor.why)
        latest = session.holds.find_latest()
        if latest is None or now > latest:
            session.holds.set_clock(now)
            return self.corridor, now
        behind = latest - now
        if behind > timedelta(seconds=self.corridor.clock_slack_seconds):
            told = show_moment(now, zone=self.corridor.zone, with_seconds=True)
            why = f"it is {told}, {behind} before a moment told earlier"
            return Denied(Rule.CLOCK, why)
        return self.corridor, latest

    def _find_hindrance(
        self, session: StoreSession, held: Held, *, actor: str, now: datetime
    ) -> Denied | None:
        """What speaks against acting now."""
        moment = self._find_moment(session, held.request, now=now)
        if isinstance(moment, Denied):
            return moment
        corridor, now = moment
        if (denied := judge(held.request, corridor=corridor, checks=self.checks)) is not None:
            return denied
        if held.state is ActionState.CLAIMED:
            return _require_claim(held, actor=actor)
        words = session.holds.find_words(held.request.action_id)
        if any(said.word is Word.VETO for said in words):
            return Denied(Rule.VETOED, "a human said no")
        if (denied := _require_waiting(held, zone=corridor.zone, now=now)) is not None:
            return denied
        roles = corridor.kinds[held.request.kind].approvers
        approved = any(
            said.expires_at is not None and now < said.expires_at and said.role in roles
            for said in words
        )
        return None if approved else _ask_silence(held, corridor=corridor, now=now)


def _ask_silence(held: Held, *, corridor: Corridor, now: datetime) -> Denied | None:
    """Whether an action may go that nobody approved; the stricter of then and now counts."""
    kind = corridor.kinds[held.request.kind]
    if held.needs_approval or kind.needs_approval:
        return Denied(Rule.APPROVAL, "it needs an approval, and none counts now")
    if now < held.due_at:
        last = show_moment(held.due_at, zone=corridor.zone, with_seconds=True)
        return Denied(Rule.WINDOW, f"a veto counts until {last}")
    if {held.on_silence, kind.on_silence} != {Silence.GO}:
        return Denied(Rule.APPROVAL, "nobody said yes, and silence is none here")
    return None


def _require_waiting(held: Held, *, zone: str, now: datetime) -> Denied | None:
    if held.state is ActionState.VETOED:
        return Denied(Rule.VETOED, "a human said no")
    if held.state is ActionState.EXPIRED or (
        held.state is ActionState.WAITING and now >= held.expires_at
    ):
        last = show_moment(held.expires_at, zone=zone, with_seconds=True)
        return Denied(Rule.EXPIRED, f"it was held until {last}")
    if held.state is not ActionState.WAITING:
        return Denied(Rule.STATE, f"too late: it is {held.state}")
    return None


def _require_claim(held: Held, *, actor: str) -> Denied | None:
    if held.state is not ActionState.CLAIMED:
        return Denied(Rule.STATE, f"it is {held.state}, not claimed")
    if held.actor != actor:
        return Denied(Rule.ACTOR, f"{held.actor} has it")
    return None


def _plan(
    request: ActionRequest, *, corridor: Corridor, now: datetime
) -> tuple[Held, tuple[Take, ...]] | Denied:
    """The hold and what it takes; where that cannot be worked out, the answer is no."""
    try:
        held = _make_hold(request, corridor=corridor, now=now)
        return held, list_takes(request, corridor=corridor, now=now)
    except Exception as fault:  # noqa: BLE001  # whatever it was, the answer is no
        return Denied(Rule.BROKEN, f"limits: {type(fault).__name__}: {fault}")


def _make_hold(request: ActionRequest, *, corridor: Corridor, now: datetime) -> Held:
    kind = corridor.kinds[request.kind]
    silence = kind.on_silence
    if silence is Silence.GO and not request.is_reversible:
        silence = Silence.ESCALATE  # the request knows more than its kind
    minutes = 0 if kind.needs_approval else kind.veto_minutes
    due_at = end_window(corridor, minutes=minutes, now=now)
    return Held(
        request=request,
        digest=request.digest,
        state=ActionState.WAITING,
        needs_approval=kind.needs_approval,
        on_silence=silence,
        made_at=now,
        due_at=due_at,
        expires_at=due_at + timedelta(minutes=kind.hold_minutes),
    )


def _answer(held: Held, *, corridor: Corridor) -> Answer:
    action_id = held.request.action_id
    needs_word = held.on_silence is not Silence.GO and held.due_at <= held.made_at
    if held.needs_approval or needs_word:
        roles = corridor.kinds[held.request.kind].approvers
        return NeedsApproval(action_id, roles, held.expires_at)
    if held.due_at > held.made_at:
        return Wait(action_id, held.due_at, held.on_silence)
    return Go(action_id)


def _answer_again(held: Held, request: ActionRequest, *, corridor: Corridor) -> Answer:
    """To the same request as the first time; to another under its identity no."""
    if held.digest != request.digest:
        return Denied(Rule.KEY, f"{request.action_id!r} was proposed as something else before")
    if held.state is ActionState.WAITING:
        return _answer(held, corridor=corridor)
    rule = {ActionState.VETOED: Rule.VETOED, ActionState.EXPIRED: Rule.EXPIRED}
    return Denied(rule.get(held.state, Rule.STATE), f"it is {held.state}")
