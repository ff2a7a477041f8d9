"""A small corridor whose limits are soon reached, requests for it, and how to ask its desk."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from serving.corridor.actions import ActionRequest, Answer, Claimed, Denied, Done, Rule
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import Corridor
from serving.store.store import Store

NOW = datetime(2026, 6, 10, 7, tzinfo=UTC)  # noon in Almaty
MINUTE = timedelta(minutes=1)


def make_corridor(**changes: Any) -> Corridor:
    data: dict[str, Any] = {
        "name": "small",
        "currency": "KZT",
        "zone": "Asia/Almaty",
        "silent_go_cents": 100,
        "clock_slack_seconds": 5,
        "approval_minutes": 60,
        "quiet": None,
        "per_day": {"cents": 1500, "actions": 9},
        "per_vendor": {"cents": 900, "actions": 4},
        "per_subject": {"cents": 1000, "actions": 7},
        "total": {"cents": 1800, "actions": 12},
        "kinds": {
            "tell": make_kind(max_cents=0, veto_minutes=0),
            "cheap": make_kind(max_cents=100),
            "book": make_kind(max_cents=500, reversible=False, on_silence="escalate"),
            "offer": make_kind(
                max_cents=500, reversible=False, on_silence="drop", needs_approval=True
            ),
            "amends": make_kind(
                max_cents=200, reversible=False, on_silence="escalate", once_per_customer=True
            ),
        },
    }
    return Corridor.model_validate(data | changes)


def make_kind(**changes: Any) -> dict[str, Any]:
    kind: dict[str, Any] = {
        "max_cents": 100,
        "reversible": True,
        "per_day": {"cents": 1200, "actions": 6},
        "on_silence": "go",
        "veto_minutes": 10,
        "hold_minutes": 60,
        "approvers": ["owner", "operator"],
    }
    return kind | changes


BOOK = ActionRequest(
    action_id="a1",
    kind="book",
    subject="incident/i1",
    amount_cents=300,
    currency="KZT",
    is_reversible=True,
    vendor="v1",
    branch="north",
)
CHEAP = replace(BOOK, kind="cheap", amount_cents=50)
TELL = replace(BOOK, kind="tell", amount_cents=0, vendor=None)


def propose(
    store: Store, desk: CorridorDesk, request: ActionRequest, *, minutes: float = 0
) -> Answer:
    with store.transaction() as session:
        return desk.propose(session, request, now=NOW + minutes * MINUTE)


def claim(
    store: Store, desk: CorridorDesk, *, minutes: float = 0, actor: str = "w1", key: str = "a1"
) -> Claimed | Denied:
    with store.transaction() as session:
        return desk.claim(session, key, actor=actor, now=NOW + minutes * MINUTE)


def say(
    store: Store, desk: CorridorDesk, word: str, *, minutes: float = 0, role: str = "owner"
) -> Done | Denied:
    with store.transaction() as session:
        tell = desk.approve if word == "approve" else desk.veto
        return tell(session, "a1", by="Dana", role=role, now=NOW + minutes * MINUTE)


def rule_of(answer: Answer | Claimed | Done) -> Rule | None:
    return answer.rule if isinstance(answer, Denied) else None
