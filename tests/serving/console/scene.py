"""A store in the middle of an incident: complaints, actions that wait, a case, tasks, the log."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from features.vocabulary import Arm, Factor, Tier, Trigger, UpliftGroup
from serving.audit.entries import EntryKind
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.mood import Severity
from serving.corridor.actions import ActionRequest
from serving.corridor.desk import CorridorDesk
from serving.store.amends import AskState, VendorAsk
from serving.store.bursts import BurstComplaint, Link, NewBurst
from serving.store.cases import CaseRow
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import Store, StoreSession
from serving.store.tasks import TaskRow

INCIDENT = "heat-20260714-3fa9c1d2"
SUBJECT = f"incident/{INCIDENT}"
CASE = "k1"
ASK = f"{SUBJECT}/ask_vendor"
ASKED = f"{SUBJECT}/ask_frost"
WRITE = f"{SUBJECT}/write"
BOOK = f"{SUBJECT}/book_vendor"
AMENDS = f"{SUBJECT}/amends/1"
OFFER = f"case/{CASE}/offer"
LATE_TASK, TASK = "case/k1/call", "case/k1/audit"
PHONE = "+7 701 555 66 77"


@dataclass(frozen=True)
class Complaint:
    """One of the messages."""

    customer: str
    language: str
    minutes_ago: int
    text: str


COMPLAINTS = (
    Complaint("c001", "ru", 38, f"Дышать нечем, ребёнок весь мокрый. Позвоните {PHONE}"),
    Complaint("c002", "kk", 31, "Залда өте ыстық, кондиционер істемей тұр"),
    Complaint("c003", "ru", 24, "Пришли на массаж, а там баня <script>window.acted = 1</script>"),
    Complaint("c004", "kk", 15, "Балалармен отыра алмадық, қапырық"),
    Complaint("c005", "ru", 9, "Опять жара в зале, администратор разводит руками"),
)


def put_scene(store: Store, *, desk: CorridorDesk, now: datetime) -> None:
    """Put it there: seen nine minutes ago, a vendor asked, four actions waiting, a case, tasks."""
    with store.transaction() as session:
        _put_incident(session, now=now)
        for request in REQUESTS:
            desk.propose(session, request, now=now)
        _put_case(session, now=now)


_FREE = ActionRequest(
    action_id=ASK,
    kind="ask_vendor",
    subject=SUBJECT,
    amount_cents=0,
    currency="KZT",
    is_reversible=True,
    vendor="Cool Air",
    branch="Абай 10",
)
_PAID = replace(_FREE, is_reversible=False)
REQUESTS = (
    _FREE,
    replace(_PAID, action_id=WRITE, kind="message_customers", amount_cents=40_000, vendor=None),
    replace(_PAID, action_id=BOOK, kind="book_vendor", amount_cents=1_500_000),
    replace(
        _PAID,
        action_id=AMENDS,
        kind="compensate_customer",
        amount_cents=200_000,
        vendor=None,
        customer="c001",
    ),
    replace(
        _PAID,
        action_id=OFFER,
        kind="offer_discount",
        subject=f"case/{CASE}",
        amount_cents=900_000,
        vendor=None,
        customer="c010",
        branch=None,
    ),
)


def _put_incident(session: StoreSession, *, now: datetime) -> None:
    def at(minutes: int) -> datetime:
        return now - timedelta(minutes=minutes)

    messages = [
        InboundMessage(f"m{n}", at(one.minutes_ago), one.customer, "whatsapp", "Абай 10", one.text)
        for n, one in enumerate(COMPLAINTS)
    ]
    session.inbound.add(messages, arrived_at=now)
    burst = NewBurst(
        incident_id=INCIDENT,
        burst_id="Абай 10/heat/1",
        branch="Абай 10",
        topic="heat",
        seen_at=at(9),
        since=at(38),
        n_usual=0.21,
        per_day=1.4,
        score=9.3,
        threshold=7.1,
        alarms_per_week=0.07,
        is_assumed=False,
        links=(Link(Trigger.SERVICE_DISRUPTION, "power-7", 3, 5),),
    )
    complaints = [
        BurstComplaint(f"m{n}", one.customer, one.language, Severity.MEDIUM, at(one.minutes_ago))
        for n, one in enumerate(COMPLAINTS)
    ]
    session.bursts.open(burst, complaints)
    frost = VendorAsk(ASKED, SUBJECT, "frost", "Frost", AskState.ASKED, at(6))
    session.amends.ask(frost)
    tell_vendor(session, frost)
    session.audit.append(
        EntryKind.OBSERVATION,
        SUBJECT,
        {"n_customers": 5},
        by="detector",
        at=at(9),
        words="5 customers complain of heat in Абай 10 within 29 minutes",
    )


def tell_vendor(session: StoreSession, ask: VendorAsk) -> None:
    """The question itself, which is written once it may be asked."""
    session.notices.add(
        Notice(
            key=ask.ask_id,
            to=Party(PartyKind.VENDOR, ask.vendor_id),
            subject="Can you come?",
            body="It is hot in Abay 10.",
            language="en",
            made_at=ask.asked_at,
        )
    )


def _put_case(session: StoreSession, *, now: datetime) -> None:
    session.cases.open(
        CaseRow(
            case_id=CASE,
            customer_id="c010",
            source="events",
            tier=Tier.HIGH,
            arm=Arm.LEARNED,
            p_arm=0.85,
            factor=Factor.LOW_USAGE,
            factors=(Factor.LOW_USAGE,),
            p_churn=0.62,
            mrr_cents=4_900_000,
            value_cents=None,
            uplift_group=UpliftGroup.PERSUADABLE,
            judge="retention 3",
            language="ru",
            playbook="high/low_usage",
            model_version=None,
            opened_at=now - timedelta(days=2),
        )
    )
    late, soon = now - timedelta(hours=3), now + timedelta(hours=20)
    for task_id, title, due_at in (
        (LATE_TASK, "Usage coaching call", late),
        (TASK, "Audit of the set-up", soon),
    ):
        session.tasks.add(
            TaskRow(
                task_id=task_id,
                case_id=CASE,
                customer_id="c010",
                kind="call",
                title=title,
                brief="Logs in twice a month (usually 14).\nOpen ticket: export fails.",
                owner="csm",
                made_at=now - timedelta(days=1),
                due_at=due_at,
            )
        )
