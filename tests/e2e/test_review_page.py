"""The review page in a real browser: by keyboard, without JavaScript, without a network."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
pytest.importorskip("axe_playwright_python", reason="no axe: pip install axe-playwright-python")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from features.vocabulary import Channel, Trigger
from serving.copy.draft import Draft
from serving.store.store import Store
from tests.e2e.review_browser import Review, focused, open_page, running_review
from tests.serving.console.samples import (
    DELAY_SMS_RU,
    INACTIVE_IN_APP_RU,
    LETTER_EN,
    PRICE_SMS_EN,
    piece,
    stored,
)

pytestmark = pytest.mark.e2e

SMS_EN, SMS_RU = "/cells/price_drop/sms/en", "/cells/delivery_delay/sms/ru"
LETTERS = "/cells/price_drop/email/en"
CELLS = (
    SMS_EN,
    f"{SMS_RU}?values=longest",
    "/cells/abandoned_cart/push/kk",
    "/cells/inactivity/in_app/ru?segment=new",
    "/cells/price_drop/whatsapp/ru?values=none",
    LETTERS,
)
TWO_MINUTES = 120
ACT = "<script>window.acted = 1</script><img src=x onerror='window.acted = 2'>"


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Review]:
    with running_review(tmp_path_factory.mktemp("review") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def session(browser: Browser, review: Review) -> Path:
    """The cookies of a browser that came in, for contexts of their own."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(review.address)
    page.wait_for_url(f"{review.origin}/")
    expect(page.locator("h1")).to_have_text("Texts to review")
    kept = review.home / "session.json"
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def context(browser: Browser, session: Path) -> Iterator[BrowserContext]:
    made = browser.new_context(storage_state=session)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    with open_page(context) as opened:
        yield opened


def state_of(review: Review, variant_id: str) -> str:
    store = Store(review.home / "store.db")
    try:
        return store.variants.get(variant_id).state
    finally:
        store.close()


def press_tab_to(page: Page, text: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if text in page.evaluate("document.activeElement.textContent"):
            return
    pytest.fail(f"Tab never came to {text!r}")


def test_two_minute_path_by_keyboard_alone_and_without_a_network(
    context: BrowserContext, review: Review
) -> None:
    first, second = (f"v-{one.variant_id}" for one in PRICE_SMS_EN[:2])
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    began = time.perf_counter()

    page.goto(review.origin)
    press_tab_to(page, "Price drop, SMS, English")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Price drop, SMS, English")
    page.wait_for_load_state()
    page.keyboard.press("a")  # nothing was looked at yet: it only goes to the first text
    assert focused(page) == first
    page.keyboard.press("2")
    expect(page.locator("a[aria-current=true]")).to_contain_text("Longest facts")
    page.wait_for_load_state()
    assert focused(page) == first
    page.keyboard.press("1")
    expect(page.locator("a[aria-current=true]")).to_contain_text("Example facts")
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert focused(page) == first
    page.keyboard.press("a")
    expect(page.locator("#said")).to_have_text("Variant 1 (the item first) is approved.")
    assert focused(page) == second
    page.keyboard.press("r")
    assert focused(page) == f"{second}-why"
    page.keyboard.type("a number of r words, ju?")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Variant 2 (a longer story) is rejected.")
    assert focused(page) == "next"
    page.keyboard.press("q")
    row = page.get_by_role("row", name="Price drop, SMS, English")
    expect(row).to_contain_text("1 approved")
    expect(row).to_contain_text("1 rejected")

    assert time.perf_counter() - began < TWO_MINUTES
    assert len(asked) > 10
    assert all(url.startswith(review.origin) for url in asked), asked
    assert state_of(review, PRICE_SMS_EN[0].variant_id) == "approved"
    assert state_of(review, PRICE_SMS_EN[1].variant_id) == "rejected"


def test_network_is_really_out_of_reach(context: BrowserContext) -> None:
    page = context.new_page()

    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://opportune.example/")


def test_forms_work_without_javascript(browser: Browser, session: Path, review: Review) -> None:
    context = browser.new_context(storage_state=session, java_script_enabled=False)
    page = context.new_page()
    mine = DELAY_SMS_RU[0].variant_id

    page.goto(review.origin + SMS_RU)
    page.locator(f"[id='v-{mine}-why']").fill("слишком длинно")
    page.locator(f"[id='v-{mine}'] button.no").click()

    expect(page.locator("#said")).to_have_text("Variant 1 (сначала главное) is rejected.")
    assert state_of(review, mine) == "rejected"
    page.get_by_role("link", name="Longest facts").click()
    expect(page.locator("a[aria-current=true]")).to_contain_text("Longest facts")
    context.close()


def test_two_reviewers_at_once_are_told(context: BrowserContext, review: Review) -> None:
    mine = DELAY_SMS_RU[1].variant_id
    slow, fast = context.new_page(), context.new_page()
    for page in (slow, fast):
        page.goto(review.origin + SMS_RU)
        page.locator(f"[id='v-{mine}']").focus()

    fast.keyboard.press("a")
    expect(fast.locator("#said")).to_contain_text("is approved.")
    slow.keyboard.press("a")

    expect(slow.locator("h1")).to_contain_text("changed meanwhile")
    expect(slow.locator(".history")).to_contain_text("approved by Dana")
    slow.get_by_role("link", name="Look at it as it is now").click()
    slow.wait_for_load_state()
    expect(slow.locator(f"[id='v-{mine}'] .state").first).to_have_text("approved")
    slow.locator(f"[id='v-{mine}']").focus()
    slow.keyboard.press("u")
    expect(slow.locator("#said")).to_contain_text("is retired.")


def test_keys_know_other_layouts_and_can_be_turned_off(page: Page, review: Review) -> None:
    page.goto(review.origin + LETTERS)
    strike = (
        "key => document.body.dispatchEvent(new KeyboardEvent('keydown', {...key, bubbles: true}))"
    )
    page.evaluate(strike, {"key": "о", "code": "KeyJ"})
    assert focused(page) == f"v-{LETTER_EN[0].variant_id}"
    page.evaluate(strike, {"key": "ә", "code": "Digit2"})  # Kazakh has letters above the digits
    expect(page.locator("a[aria-current=true]")).to_contain_text("Longest facts")
    page.wait_for_load_state()

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_have_attribute("open", "")
    page.locator("#keys-on").uncheck()
    page.keyboard.press("a")
    page.keyboard.press("j")
    page.reload()
    assert not page.locator("#keys-on").is_checked()
    assert state_of(review, LETTER_EN[0].variant_id) == "draft"
    assert page.locator("#said").text_content() == ""


def test_key_held_down_decides_once(page: Page, review: Review) -> None:
    """The key repeats while the next text comes up, which nobody has looked at yet."""
    page.goto(review.origin + LETTERS)
    mine = f"v-{LETTER_EN[0].variant_id}"
    page.locator(f"[id='{mine}']").focus()
    page.evaluate(
        "document.addEventListener('submit', event => { window.n = (window.n || 0) + 1;"
        " event.preventDefault(); event.target.removeAttribute('data-sent') })"
    )

    repeated = "({key: 'a', code: 'KeyA', bubbles: true, repeat: true})"
    page.evaluate(f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {repeated}))")
    assert page.evaluate("window.n") is None
    page.keyboard.press("a")

    assert page.evaluate("window.n") == 1


def test_hostile_text_does_nothing(context: BrowserContext, review: Review) -> None:
    store = Store(review.home / "store.db")
    for channel in (Channel.EMAIL, Channel.IN_APP, Channel.SMS):
        draft = Draft(
            trigger=Trigger.CHURN_RISK,
            channel=channel,
            language="en",
            title=None if channel is Channel.SMS else piece("'\"><b onclick=x>"),
            body=(piece(ACT),),
            angle=ACT,
        )
        store.variants.add([stored(draft)], by=ACT[:60])
    store.close()
    page = context.new_page()
    policy_errors: list[str] = []
    page.on("console", lambda said: policy_errors.append(said.text))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))

    for channel in (Channel.EMAIL, Channel.IN_APP, Channel.SMS):
        page.goto(f"{review.origin}/cells/churn_risk/{channel}/en", wait_until="networkidle")
        for frame in page.frames:
            assert frame.locator("img, script:not([src^='/static/'])").count() == 0
        assert page.evaluate("window.acted === undefined")
        expect(page.locator("article").first).to_contain_text("<script>window.acted = 1</script>")
    assert policy_errors == []


OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@pytest.mark.parametrize("path", ["/", *CELLS])
def test_pages_have_no_accessibility_faults(page: Page, review: Review, path: str) -> None:
    page.goto(review.origin + path)
    page.evaluate(OPEN_ALL)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)

        found = Axe().run(page, options={"iframes": False, "resultTypes": ["violations"]})

        assert found.violations_count == 0, (scheme, found.generate_report())


def test_pages_fit_narrow_screens(page: Page, review: Review) -> None:
    for path in ("/", *CELLS):
        page.goto(review.origin + path)
        page.evaluate(OPEN_ALL)
        for width in (320, 390, 800):
            page.set_viewport_size({"width": width, "height": 800})
            overflow = page.evaluate(
                "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
            )
            assert overflow <= 0, (path, width)


def test_what_a_verdict_did_is_announced(page: Page, review: Review) -> None:
    mine = INACTIVE_IN_APP_RU[0].variant_id
    page.goto(f"{review.origin}/cells/inactivity/in_app/ru?segment=new")
    page.locator(f"[id='v-{mine}']").focus()
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => new MutationObserver(() => {"
        " window.heard = document.getElementById('said').textContent }).observe("
        "document.getElementById('said'), {childList: true, characterData: true, subtree: true}))"
    )

    with page.expect_navigation():
        page.keyboard.press("a")

    # The page arrives with the text; it is announced when it is put in anew, a moment later.
    deadline = time.monotonic() + 10.0
    while not (heard := page.evaluate("window.heard")) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert heard.strip() == "Variant 1 (всё на местах) is approved."
    expect(page.locator("#said")).to_have_text(heard.strip())
    assert page.locator("#said").get_attribute("role") == "status"
