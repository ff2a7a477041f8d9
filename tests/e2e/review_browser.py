"""The review page as its users have it: the real command, a real browser, no other network."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from serving.store.store import Store
from tests.serving.console.samples import put_samples

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_START_WITHIN_SECONDS = 60
# Nothing but this machine can be reached, and the browser has no business of its own there.
_FLAGS = (
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
)


@dataclass(frozen=True)
class Review:
    """A running review.

    Attributes:
        address: What the command printed: it lets one browser in, once.
        origin: Scheme, host and port.
        home: Folder of its store.
    """

    address: str
    origin: str
    home: Path


def find_chromium() -> str | None:
    """The program of an installed Chromium or Chrome; None where there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name)) is not None), None)


@contextmanager
def running_review(home: Path) -> Iterator[Review]:
    """The command over a store with samples, in a process of its own, stopped at the end."""
    home.mkdir(parents=True, exist_ok=True)
    store = Store(home / "store.db")
    put_samples(store.variants)
    store.close()
    environment = os.environ | {
        "OPPORTUNE_HOME": str(home),
        "OPPORTUNE_BRAND": "Teal",
        "OPPORTUNE_CURRENCY": "KZT",
    }
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("opportune")), "copy", "review", "--by", "Dana"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(_START_WITHIN_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        said = ""
        while (found := re.search(r"(http://[^/]+)/enter\S+", said)) is None:
            line = process.stderr.readline()
            assert line, f"the review ended before it listened: {said}"
            said += line
        watchdog.cancel()
        yield Review(found[0], found[1], home)
    finally:
        watchdog.cancel()
        process.terminate()
        process.communicate(timeout=_START_WITHIN_SECONDS)


@contextmanager
def open_browser(program: str) -> Iterator[Browser]:
    """A headless browser that reaches this machine and nothing else."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(_FLAGS), timeout=_START_WITHIN_SECONDS * 1000
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(context: BrowserContext) -> Iterator[Page]:
    """A page; what it logs as an error, or refuses by its policy, fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    assert errors == [], errors


def focused(page: Page) -> str:
    """The id of the focused element, which must show that it is focused."""
    page.wait_for_load_state()  # with its styles
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    return str(page.evaluate("document.activeElement.id"))
