"""What the tests of pages share: one browser for the tests of a file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless browser; skips where there is none. Only those that ask for it need Playwright."""
    from tests.e2e.review_browser import find_chromium, open_browser

    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium or Chrome on the path")
    with open_browser(program) as opened:
        yield opened
