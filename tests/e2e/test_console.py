"""The console in a real browser against the real service: alert, look, veto, by keyboard alone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
pytest.importorskip("axe_playwright_python", reason="no axe: pip install axe-playwright-python")

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from serving.corridor.actions import ActionState
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.e2e.console_browser import (
    PASSWORD,
    RunningConsole,
    run_console_command,
    running_console,
)
from tests.e2e.review_browser import focused, open_page
from tests.serving.console.scene import ASK, BOOK, CASE, INCIDENT, WRITE

pytestmark = pytest.mark.e2e

TWO_MINUTES = 120
PAGES = (
    "/",
    "/incidents",
    f"/incidents/{INCIDENT}",
    "/tasks",
    "/customers",
    "/customers/c001?language=kk",
    "/cases",
    f"/cases/{CASE}",
    "/switches",
    "/log",
    "/account",
    "/texts/",
    "/texts/cells/price_drop/sms/en",
)
BOTH = ("/", f"/incidents/{INCIDENT}", "/tasks", "/switches")
"""Between them all colours of the pages."""

OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@pytest.fixture(scope="module")
def console(
    browser: Browser,  # no service is started where there is no browser
    tmp_path_factory: pytest.TempPathFactory,
    snapshot: Snapshot,
) -> Iterator[RunningConsole]:
    with running_console(tmp_path_factory.mktemp("console") / "home", snapshot) as running:
        yield running


@pytest.fixture(scope="module")
def owners_session(browser: Browser, console: RunningConsole) -> Path:
    """The cookies of an owner who came in, for contexts of their own."""
    context = browser.new_context()
    console.sign_in(context, "Dana")
    kept = console.settings.home / "session.json"
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def page(browser: Browser, owners_session: Path) -> Iterator[Page]:
    """A page of an owner; what it logs as an error, or refuses by its policy, fails the test."""
    context = browser.new_context(storage_state=owners_session)
    with open_page(context) as opened:
        yield opened
    context.close()


def state_of(console: RunningConsole, action_id: str) -> ActionState:
    store = Store(console.settings.store_place)
    try:
        with store.reading() as session:
            held = session.holds.find(action_id)
    finally:
        store.close()
    assert held is not None
    return held.state


def test_alert_look_veto_within_two_minutes_by_keyboard_alone(
    browser: Browser, console: RunningConsole
) -> None:
    context: BrowserContext = browser.new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    began = time.perf_counter()
    page = context.new_page()

    # The alert: a link to the incident, in a browser that nobody has signed in with.
    page.goto(f"{console.address}/incidents/{INCIDENT}")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.wait_for_load_state()  # pages ask for themselves once more: this one, with its keys
    page.keyboard.type("Omar")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    # The look: who said what, what will happen, and when.
    page.wait_for_url(f"{console.address}/incidents/{INCIDENT}")
    expect(page.locator("h1")).to_have_text("Heat in Абай 10")
    page.wait_for_load_state()
    first, write, book = (f"v-{one}" for one in (ASK, WRITE, BOOK))
    page.keyboard.press("v")  # nothing was looked at yet: it only goes to the first action
    assert focused(page) == first
    page.keyboard.press("j")
    assert focused(page) == write
    page.keyboard.press("j")
    assert focused(page) == book
    timer = page.locator(f"[id='{book}'] [role=timer]")
    left = timer.text_content()
    expect(timer).not_to_have_text(left or "")  # it counts down
    # The veto.
    page.keyboard.press("v")
    assert focused(page) == f"{book}-note"
    page.keyboard.type("we have a vendor already, ja?")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Book vendor is vetoed.")
    expect(page.locator(f"[id='{book}'] .state")).to_have_text("vetoed")

    assert time.perf_counter() - began < TWO_MINUTES
    assert state_of(console, BOOK) is ActionState.VETOED
    assert len(asked) > 5
    assert all(url.startswith(console.origin) for url in asked), asked
    context.close()


def test_approval_takes_two_keys(page: Page, console: RunningConsole) -> None:
    page.goto(f"{console.address}/incidents/{INCIDENT}")
    page.keyboard.press("a")
    assert focused(page) == f"v-{ASK}"
    page.keyboard.press("a")
    assert "Approve" in page.evaluate("document.activeElement.textContent")
    assert state_of(console, ASK) is ActionState.WAITING
    page.keyboard.press("Enter")

    expect(page.locator("#said")).to_have_text("Ask vendor is approved.")
    expect(page.locator(f"[id='v-{ASK}']")).to_contain_text("Dana said yes: it goes next.")


def test_page_looks_again_by_itself_and_keeps_the_place(
    page: Page, console: RunningConsole
) -> None:
    page.goto(f"{console.address}/")
    page.locator(f"[id='v-{WRITE}']").focus()
    with httpx.Client(base_url=console.origin) as other:
        _veto(other, console, WRITE)

    gone = page.locator(f"[id='v-{WRITE}']")
    expect(gone).to_have_count(0, timeout=15_000)
    expect(page.locator("#said")).to_have_text("The page has changed.")


def _veto(http: httpx.Client, console: RunningConsole, action_id: str) -> None:
    """By another person, over another worker's connection."""

    def token(path: str) -> str:
        text = http.get(f"{console.address}{path}").text
        return text.split('name="token" value="')[1].split('"')[0]

    form = {"name": "Omar", "password": PASSWORD, "token": token("/sign-in")}
    assert http.post(f"{console.address}/sign-in", data=form).status_code == 303
    word = {"action_id": action_id, "token": token("/account")}
    assert http.post(f"{console.address}/actions/veto", data=word).status_code == 303


def test_everything_works_without_javascript(
    browser: Browser, console: RunningConsole, owners_session: Path
) -> None:
    context = browser.new_context(storage_state=owners_session, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.address}/switches")
    page.get_by_role("button", name="Stop everything").click()
    expect(page.locator("#said")).to_have_text("Everything is stopped.")
    assert (console.settings.home / "STOP").exists()
    page.goto(f"{console.address}/incidents/{INCIDENT}")
    expect(page.locator(".trouble").first).to_contain_text("Everything is stopped")
    refresh = page.locator("meta[http-equiv=refresh]")
    assert (refresh.get_attribute("content") or "").endswith(f"/incidents/{INCIDENT}?live=1")
    page.goto(f"{console.address}/switches")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#said")).to_have_text("Everything goes on.")
    assert not (console.settings.home / "STOP").exists()
    context.close()


def test_pages_have_no_accessibility_faults_and_fit_narrow_screens(
    page: Page, console: RunningConsole
) -> None:
    for path in PAGES:
        page.set_viewport_size({"width": 1180, "height": 800})
        page.goto(console.address + path)
        page.evaluate(OPEN_ALL)
        for scheme in ("light", "dark") if path in BOTH else ("light",):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options={"iframes": False, "resultTypes": ["violations"]})
            assert found.violations_count == 0, (path, scheme, found.generate_report())
        for width in (320, 390):
            page.set_viewport_size({"width": width, "height": 800})
            overflow = page.evaluate(
                "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
            )
            assert overflow <= 0, (path, width)


def test_sign_in_page_has_no_accessibility_faults(
    browser: Browser, console: RunningConsole
) -> None:
    page = browser.new_page()
    page.goto(f"{console.address}/sign-in")

    found = Axe().run(page, options={"resultTypes": ["violations"]})

    assert found.violations_count == 0, found.generate_report()
    page.close()


def test_keys_of_the_service_and_accounts_of_the_console_are_apart(
    console: RunningConsole,
) -> None:
    with httpx.Client(base_url=console.origin) as http:
        assert http.post("/decide", json={}).status_code == 401
        assert http.get("/console", follow_redirects=True).status_code == 401
        assert http.get("/consolex").status_code == 401
        assert "Cool Air" not in http.get("/console/").text
        assert "/console" not in http.get("/docs.json").text


def test_removing_somebody_puts_them_out_at_once(browser: Browser, console: RunningConsole) -> None:
    context = browser.new_context()
    page = console.sign_in(context, "Vera")

    said = run_console_command(console.settings, "remove", "Vera")
    page.reload()

    assert said == "Vera may not come in any more, and is out\n"
    expect(page.locator("h1")).to_have_text("Sign in")
    context.close()


def test_secret_is_the_homes_own_and_one_for_all_workers(console: RunningConsole) -> None:
    kept = console.settings.home / "console.key"

    assert kept.stat().st_mode & 0o077 == 0
    assert [path.name for path in console.settings.home.glob("console.key*")] == ["console.key"]
