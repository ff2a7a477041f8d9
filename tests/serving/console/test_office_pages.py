"""Every page of the console, as people of each role see it, and what it costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import event

from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import load_corridor
from serving.store.store import Store
from tests.serving.console.conftest import Office
from tests.serving.console.samples import PRICE_SMS_EN, put_samples, sms_en, stored
from tests.serving.console.scene import ASK, CASE, INCIDENT, OFFER, REQUESTS

PAGES = (
    "/",
    "/incidents",
    f"/incidents/{INCIDENT}",
    "/cases",
    f"/cases/{CASE}",
    "/tasks",
    "/tasks?whose=mine",
    "/tasks?whose=overdue",
    "/tasks?whose=settled",
    "/customers",
    "/customers?order=value",
    "/customers/c001",
    "/customers/c001?language=kk",
    "/switches",
    "/log",
    "/account",
    "/texts/",
    "/texts/cells/price_drop/sms/en",
)


def test_pages_need_somebody_signed_in(office: Office) -> None:
    pages = [office.open().read(path, status=401) for path in PAGES]

    assert all("<h1>Sign in</h1>" in page for page in pages)
    for secret in ("c002", "c010", "Cool Air", "Абай", "Trail running", "lost within"):
        assert not any(secret in page for page in pages)


def test_every_page_is_there_for_everybody(office: Office) -> None:
    for name in ("Vera", "Omar", "Dana"):
        browser = office.sign_in(name)
        for path in PAGES:
            assert f">{name}<" in browser.read(path)


@contextmanager
def counting_queries(store: Store) -> Iterator[list[str]]:
    """What is asked of the store meanwhile."""
    asked: list[str] = []

    def note(*told: object) -> None:
        asked.append(str(told[2]))

    event.listen(store._engine, "before_cursor_execute", note)
    yield asked
    event.remove(store._engine, "before_cursor_execute", note)


def test_pages_ask_no_more_where_there_is_more_to_show(office: Office) -> None:
    browser = office.sign_in("Dana")
    pages = ("/", "/incidents", f"/incidents/{INCIDENT}", f"/cases/{CASE}", "/texts/")
    cell = "/texts/cells/price_drop/sms/en"

    def count() -> dict[str, int]:
        counts = {}
        for path in (*pages, cell):
            with counting_queries(office.store) as asked:
                browser.read(path)
            counts[path] = len(asked)
        return counts

    before = count()
    desk = CorridorDesk(load_corridor(), home=office.home)
    with office.store.transaction() as session:
        for n in range(6):
            more = replace(REQUESTS[0], action_id=f"{ASK}/{n}", vendor=f"Vendor {n}")
            desk.propose(session, more, now=office.clock.now)
            told = replace(more, action_id=f"{OFFER}/{n}", subject=f"case/{CASE}", branch=None)
            desk.propose(session, told, now=office.clock.now)
            for one in (more, told):
                desk.approve(session, one.action_id, by="Omar", role="owner", now=office.clock.now)
    put_samples(
        office.store.variants,
        [stored(sms_en(f"{{greeting}}{n} words", "words", angle=f"{n}")) for n in range(4)],
    )

    assert "Omar (owner) said yes" in browser.read("/")
    assert "Vendor 5" in browser.read(f"/incidents/{INCIDENT}")
    assert browser.read(cell).count("<article") == 4 + len(PRICE_SMS_EN) + 2  # templates
    assert count() == before
