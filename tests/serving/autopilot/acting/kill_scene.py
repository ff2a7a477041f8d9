"""An incident that meets everything, for the test that kills it at every point."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from serving.autopilot.acting.answers import VendorAnswer, answer_vendor, confirm_cause
from serving.autopilot.acting.context import Pilot
from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.updates import load_updates
from serving.autopilot.acting.workflow import make_incident_workflow
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import load_corridor
from serving.store.bursts import BurstComplaint, NewBurst
from serving.store.store import Store, StoreSession
from serving.workflows.catalogue import Catalogue
from serving.workflows.parts import ActingParts
from serving.workflows.words import approve_action, veto_action
from tests.serving.autopilot.acting.chain import (
    BRANCH,
    CUSTOMERS,
    LANGUAGES,
    REFERENCE,
    START,
    VENDORS,
    add_visit,
    make_engine,
)
from tests.serving.workflows.kills import Scene

INCIDENT = "heat-1"
WORKFLOW = f"incident/{INCIDENT}"


def complain(session: StoreSession, n: int, at: datetime) -> BurstComplaint:
    """A customer complains."""
    message = InboundMessage(f"m{n}", at, CUSTOMERS[n], "whatsapp", BRANCH, REFERENCE[n][1])
    session.inbound.add([message], arrived_at=at)
    return BurstComplaint(f"m{n}", CUSTOMERS[n], LANGUAGES[n], Severity.MEDIUM, at)


def open_scene(folder: Path, clock: Callable[[], datetime]) -> Scene:
    store = Store(folder / "store.db")
    engine = make_engine(store, clock)
    desk = CorridorDesk(load_corridor(), home=folder)
    parts = ActingParts(store, lambda: desk, lambda: engine, clock)
    pilot = Pilot(
        settings=load_acting_settings(),
        taxonomy=load_taxonomy("salon"),
        vendors=lambda: VENDORS,
        new_code=lambda: "BCDFGHJKL",  # of the only credit, and of what vendors are asked
    )

    def begin(session: StoreSession, now: datetime) -> None:
        add_visit(session, CUSTOMERS[0], branch=BRANCH, at=now - timedelta(hours=1))
        new = NewBurst(
            incident_id=INCIDENT,
            burst_id=f"{BRANCH}/heat/1",
            branch=BRANCH,
            topic="heat",
            seen_at=now,
            since=now - timedelta(minutes=10),
            n_usual=0.1,
            per_day=0.5,
            score=9.0,
            threshold=3.0,
            alarms_per_week=0.1,
            is_assumed=False,
        )
        complaints = [complain(session, n, now - timedelta(minutes=n)) for n in range(2)]
        session.bursts.open(new, complaints)
        session.flows.start(
            WORKFLOW,
            kind="incident",
            subject=WORKFLOW,
            given_json=f'{{"incident_id": "{INCIDENT}"}}',
            at=now,
        )

    def approve(part: str) -> Callable[[StoreSession, datetime], None]:
        def say(session: StoreSession, now: datetime) -> None:
            name = f"{WORKFLOW}/{part}"
            approve_action(session, name, desk=desk, by="Dana", role="owner", now=now)

        return say

    def veto(session: StoreSession, now: datetime) -> None:
        name = f"{WORKFLOW}/watch/0.1/cause"
        veto_action(session, name, desk=desk, by="Dana", role="owner", now=now)

    def answer(vendor_id: str, answer: VendorAnswer) -> Callable[[StoreSession, datetime], None]:
        def say(session: StoreSession, now: datetime) -> None:
            answer_vendor(session, WORKFLOW, vendor_id, answer=answer, by="Dana", now=now)

        return say

    def join(session: StoreSession, now: datetime) -> None:
        session.bursts.grow(INCIDENT, [complain(session, 2, now)])
        session.flows.signal(WORKFLOW, topic="grew", at=now, key="grew/m2")

    def confirm(session: StoreSession, now: datetime) -> None:
        confirm_cause(
            session,
            WORKFLOW,
            topic="heat",
            cause="cooling",
            updates=load_updates("salon"),
            by="Dana",
            now=now,
        )

    def end(session: StoreSession, now: datetime) -> None:
        session.bursts.end(INCIDENT, at=now, reason="silence")
        session.flows.signal(WORKFLOW, topic="ended", at=now, key="ended")

    script = {
        6: answer("cool-air", VendorAnswer(is_yes=False)),
        7: approve("respond/checking"),
        13: answer("klima", VendorAnswer(is_yes=True, price_cents=1_400_000, eta_minutes=40)),
        15: approve("respond/book-klima"),
        17: answer("klima", VendorAnswer(is_yes=True)),
        20: join,
        22: approve("watch/checking"),
        30: confirm,
        33: veto,
        60: end,
        100: approve(f"amends/credit-{CUSTOMERS[0]}"),
        101: approve("amends/over"),
    }
    return Scene(
        Catalogue([make_incident_workflow(parts, pilot=pilot)]),
        parts,
        START,
        begin,
        {timedelta(minutes=minutes): act for minutes, act in script.items()},
    )
