"""Random runs of corridor and ledger, with a model beside them that knows what must never be."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import delete

from serving.audit.chain import verify_chain
from serving.corridor.actions import (
    ActionRequest,
    ActionState,
    Claimed,
    Denied,
    Done,
    Go,
    NeedsApproval,
    Rule,
    Wait,
)
from serving.corridor.desk import CorridorDesk
from serving.corridor.rules import CHECKS
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.corridor.stop_files import put_stop_file, remove_stop_files
from serving.store.schema import clock
from serving.store.store import Store, StoreSession
from serving.store.trust_schema import (
    audit_log,
    corridor_accounts,
    corridor_actions,
    corridor_switches,
    corridor_takes,
    corridor_words,
)
from tests.serving.corridor.small import NOW, make_corridor

_TABLES = (
    corridor_words, corridor_takes, corridor_actions, corridor_accounts, corridor_switches,
    audit_log, clock,
)  # fmt: skip
_ZONE = ZoneInfo("Asia/Almaty")
_MOST = {
    "total": (2000, 20), "day": (800, 6), "subject": (700, 5), "vendor": (600, 4),
    "kind": (600, 5), "once": (200, 1),
}  # fmt: skip
_LITTLE_IN_ALL = _MOST | {"total": (500, 4)}
_BAD: tuple[dict[str, Any], ...] = (
    {"amount_cents": -1}, {"amount_cents": float("nan")}, {"amount_cents": 10**15},
    {"amount_cents": 1.0}, {"amount_cents": True}, {"amount_cents": "5"}, {"amount_cents": None},
    {"kind": "unheard"}, {"kind": ""}, {"kind": 5}, {"currency": "USD"}, {"currency": None},
    {"subject": ""}, {"subject": "a\x00b"}, {"vendor": ""}, {"branch": 7}, {"customer": "\ud800"},
    {"is_reversible": "yes"}, {"kind": "amends", "customer": None}, {"amount_cents": 501},
)  # fmt: skip


def _make_tight_corridor(most: Mapping[str, tuple[int, int]]) -> Corridor:
    limits = {name: {"cents": cents, "actions": actions} for name, (cents, actions) in most.items()}
    kinds = make_corridor().model_dump()["kinds"]
    return make_corridor(
        total=limits["total"],
        per_day=limits["day"],
        per_subject=limits["subject"],
        per_vendor=limits["vendor"],
        kinds={name: kind | {"per_day": limits["kind"]} for name, kind in kinds.items()},
    )


class CrashError(Exception):
    """The process ended before the transaction was kept."""


@dataclass
class Known:
    """What the model knows of an action that was taken in."""

    request: ActionRequest
    at: datetime
    state: ActionState = ActionState.WAITING
    actor: str | None = None
    approved_until: list[datetime] = field(default_factory=list)
    actual: int | None = None


@dataclass
class Run:
    """One run: its store, its desk, what is planted, and the model."""

    store: Store
    home: Path
    rng: np.random.Generator
    most: Mapping[str, tuple[int, int]]
    now: datetime = NOW
    latest: datetime | None = None  # as the books have it
    told: datetime = NOW - timedelta(days=999)  # the latest moment of a yes
    broken_policy: bool = False
    broken_rule: bool = False
    stops: set[tuple[str, str | None]] = field(default_factory=set)
    known: dict[str, Known] = field(default_factory=dict)
    n_made: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.corridor = _make_tight_corridor(self.most)

    # ------------------------------------------------------------ steps

    def step(self) -> None:
        if self.rng.random() < 0.3:  # somebody mends it
            self._mend()
        steps: tuple[tuple[Callable[[], None], float], ...] = (
            (self.propose, 0.3), (self.propose_badly, 0.05), (self.approve, 0.12),
            (self.veto, 0.08), (self.claim, 0.2), (self.settle, 0.09), (self.release, 0.03),
            (self.throw, 0.05), (self.break_something, 0.05), (self.pass_time, 0.08),
        )  # fmt: skip
        shares = np.cumsum([share for _, share in steps])
        at = int(np.searchsorted(shares, self.rng.random() * shares[-1], side="right"))
        steps[at][0]()

    def propose(self) -> None:
        request = self._make_request()
        if self.known and self.rng.random() < 0.15:  # again, or something else under its name
            earlier = self._pick()
            request = replace(request, action_id=earlier.request.action_id)
            if self.rng.random() < 0.5:
                request = earlier.request
        answer = self._do(lambda s, d: d.propose(s, request, now=self.now))
        if isinstance(answer, Go | Wait | NeedsApproval):
            assert not self._is_hindered(request), "went in against a switch, a fault or the clock"
            same = self.known.get(request.action_id)
            assert same is None or same.request == request
            self.known.setdefault(request.action_id, Known(request, self.now))

    def propose_badly(self) -> None:
        bad = _BAD[int(self.rng.integers(len(_BAD)))]
        request = replace(self._make_request(), **bad)
        answer = self._do(lambda s, d: d.propose(s, request, now=self.now))
        assert answer is None or isinstance(answer, Denied), f"{bad} went in"

    def approve(self) -> None:
        if not self.known:
            return
        one, role = (
            self._pick(ActionState.WAITING),
            str(self.rng.choice(["owner", "operator", "viewer"])),
        )
        key = one.request.action_id
        answer = self._do(lambda s, d: d.approve(s, key, by="Dana", role=role, now=self.now))
        if isinstance(answer, Done):
            assert role != "viewer"
            assert one.state is ActionState.WAITING
            one.approved_until.append(self._late() + timedelta(minutes=60))
            if self.rng.random() < 0.3:  # a veto in the same instant
                self._veto(one)

    def veto(self) -> None:
        if self.known:
            self._veto(self._pick())

    def _veto(self, one: Known) -> None:
        key = one.request.action_id
        answer = self._do(lambda s, d: d.veto(s, key, by="Arman", role="viewer", now=self.now))
        if isinstance(answer, Done):
            one.state = ActionState.VETOED
        elif isinstance(answer, Denied):
            is_late = one.state is not ActionState.WAITING or answer.why.endswith("expired")
            assert is_late, "a veto in time was refused"

    def claim(self) -> None:
        if not self.known:
            return
        one, actor = self._pick(ActionState.WAITING), str(self.rng.choice(["w1", "w2"]))
        key = one.request.action_id
        answer = self._do(lambda s, d: d.claim(s, key, actor=actor, now=self.now))
        if not isinstance(answer, Claimed):
            return
        assert not self._is_hindered(one.request), "acted against a switch, a fault or the clock"
        if answer.is_again:
            assert (one.state, one.actor) == (ActionState.CLAIMED, actor)
            return
        assert one.state is ActionState.WAITING, f"acted on what was {one.state}"
        approved = any(self.now < until for until in one.approved_until)
        kind = self.corridor.kinds[one.request.kind]
        waited = self._late() >= one.at + timedelta(minutes=kind.veto_minutes)
        silent = kind.on_silence.value == "go" and one.request.is_reversible and waited
        assert approved or (silent and not kind.needs_approval), "acted without a yes"
        one.state, one.actor = ActionState.CLAIMED, actor

    def settle(self) -> None:
        if not self.known:
            return
        one, actor = self._pick(ActionState.CLAIMED), str(self.rng.choice(["w1", "w2"]))
        key, held = one.request.action_id, one.request.amount_cents
        actual = int(self.rng.integers(0, held + 1)) if self.rng.random() < 0.8 else held + 1
        answer = self._do(
            lambda s, d: d.settle(s, key, actor=actor, actual_cents=actual, now=self.now)
        )
        if isinstance(answer, Done) and not answer.is_again:
            assert actual <= held
            assert (one.state, one.actor) == (ActionState.CLAIMED, actor)
            one.state, one.actual = ActionState.SETTLED, actual

    def release(self) -> None:
        if not self.known:
            return
        one, actor = self._pick(), str(self.rng.choice(["w1", "w2"]))
        key = one.request.action_id
        answer = self._do(lambda s, d: d.release(s, key, by=actor, now=self.now, why="no"))
        if isinstance(answer, Done) and not answer.is_again:
            assert one.state is ActionState.WAITING or one.actor == actor
            one.state = ActionState.RELEASED

    # ------------------------------------------------------------ faults

    def throw(self) -> None:
        branch = None if self.rng.random() < 0.4 else "north"
        self._throw("file" if self.rng.random() < 0.5 else "row", branch)

    def _throw(self, where: str, branch: str | None) -> None:
        stops = (where, branch) not in self.stops
        if where == "row":
            with self.store.transaction() as session:
                session.switches.throw(branch=branch, is_stopped=stops, by="Dana", at=self.now)
        elif stops:
            put_stop_file(self.home, branch=branch, note="Dana")
        else:
            remove_stop_files(self.home, branch=branch)
        self.stops ^= {(where, branch)}

    def break_something(self) -> None:
        if self.rng.random() < 0.5:
            self.broken_policy = not self.broken_policy
        else:
            self.broken_rule = not self.broken_rule

    def _mend(self) -> None:
        self.broken_policy = self.broken_rule = False
        if self.latest is not None and self.now < self.latest:
            self.now = self.latest
        for where, branch in list(self.stops):
            self._throw(where, branch)

    def pass_time(self) -> None:
        minutes = self.rng.choice([1, 11, 11, 61, 24 * 60, -30, -0.05])
        self.now += timedelta(minutes=float(minutes))

    # ------------------------------------------------------------ ends

    def finish(self) -> None:
        """What must hold at the end of every run."""
        with self.store.reading() as session:
            assert session.holds.find_faults() == []
            verdict = verify_chain(session.audit.read())
            stored = {key: session.holds.find(key) for key in self.known}
        assert verdict.fault is None
        for key, one in self.known.items():
            held = stored[key]
            assert held is not None
            if held.state is ActionState.EXPIRED and one.state is ActionState.WAITING:
                one.state = ActionState.EXPIRED
            assert held.state is one.state
            assert held.settled_cents == one.actual
            self.seen[one.state] += 1
        self._count_limits()

    def _count_limits(self) -> None:
        """Add up by day, vendor, subject, kind and in all, apart from the ledger's accounts."""
        cents: Counter[tuple[str, str]] = Counter()
        actions: Counter[tuple[str, str]] = Counter()
        for one in self.known.values():
            if one.state not in (ActionState.WAITING, ActionState.CLAIMED, ActionState.SETTLED):
                continue
            request, amount = one.request, one.request.amount_cents
            amount = amount if one.actual is None else one.actual
            day = one.at.astimezone(_ZONE).date().isoformat()
            groups = [("total", ""), ("day", day), ("subject", request.subject)]
            groups += [("kind", f"{request.kind} {day}")]
            groups += [("vendor", f"{request.vendor} {day[:7]}")] if request.vendor else []
            if request.kind == "amends":
                groups += [("once", f"{request.subject} {request.customer}")]
            for group in groups:
                cents[group] += amount
                actions[group] += 1
        for group, amount in cents.items():
            assert amount <= self.most[group[0]][0], f"{group} holds {amount}"
            assert actions[group] <= self.most[group[0]][1], f"{group} has {actions[group]} actions"

    # ------------------------------------------------------------ the desk

    def _do(self, ask: Callable[[StoreSession, CorridorDesk], Any]) -> Any:
        """Ask the desk in a transaction; now and then it crashes before it is kept: None."""
        corridor = BrokenCorridor("planted") if self.broken_policy else self.corridor
        checks = {**CHECKS, Rule.CURRENCY: _fail} if self.broken_rule else CHECKS
        desk = CorridorDesk(corridor, home=self.home, checks=checks)
        crashes = self.rng.random() < 0.06
        try:
            with self.store.transaction() as session:
                answer = ask(session, desk)
                _crash(crashes)
        except CrashError:
            self.seen["crash"] += 1
            return None
        with self.store.reading() as session:
            self.latest = session.holds.find_latest()
        if isinstance(answer, Go | Wait | NeedsApproval | Claimed):
            self.told = max(self.told, self.now)
        self.seen[answer.rule if isinstance(answer, Denied) else type(answer).__name__] += 1
        return answer

    def _late(self) -> datetime:
        """The moment that counts: a clock may be a little behind the latest one told."""
        return self.now if self.latest is None else max(self.now, self.latest)

    def _is_hindered(self, request: ActionRequest) -> bool:
        stopped = any(branch in (None, request.branch) for _, branch in self.stops)
        is_back = self.told - self.now > timedelta(seconds=5)
        return stopped or self.broken_policy or self.broken_rule or is_back

    def _pick(self, state: ActionState | None = None) -> Known:
        """Any action; where a state is named, mostly one of those that are in it."""
        known = list(self.known.values())
        wanted = [one for one in known if one.state is state]
        if wanted and self.rng.random() < 0.7:
            known = wanted
        return known[int(self.rng.integers(len(known)))]

    def _make_request(self) -> ActionRequest:
        self.n_made += 1
        rng = self.rng
        kind = str(rng.choice(["tell", "cheap", "book", "book", "offer", "amends"]))
        most = self.corridor.kinds[kind].max_cents
        return ActionRequest(
            action_id=f"a{self.n_made}",
            kind=kind,
            subject=str(rng.choice(["incident/i1", "case/c1"])),
            amount_cents=int(rng.integers(most // 2, most + 1)),
            currency="KZT",
            is_reversible=bool(rng.random() < 0.8),
            vendor=[None, "v1", "v2"][int(rng.integers(3))],
            customer=str(rng.choice(["c1", "c2"])),
            branch=[None, "north", "south"][int(rng.integers(3))],
        )


def _crash(crashes: bool) -> None:
    if crashes:
        raise CrashError


def _fail(request: ActionRequest, corridor: Corridor) -> str | None:
    raise ZeroDivisionError("planted")


def run_once(store: Store, home: Path, *, seed: int, n_steps: int) -> Counter[str]:
    """One run in an emptied store; what was answered, and how actions ended."""
    with store._engine.begin() as connection:
        for table in _TABLES:
            connection.execute(delete(table))
    for path in home.iterdir():
        path.unlink()
    most = _MOST if seed % 2 else _LITTLE_IN_ALL
    run = Run(store, home, np.random.default_rng(seed), most)
    for _ in range(n_steps):
        run.step()
    run.finish()
    return run.seen
