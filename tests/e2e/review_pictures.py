"""Makes the pictures of docs/review.md: `python -m tests.e2e.review_pictures docs/pictures`."""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser

from tests.e2e.review_browser import Review, find_chromium, open_browser, running_review


@dataclass(frozen=True)
class Shot:
    """One picture: which page, on which screen."""

    name: str
    path: str
    width: int
    height: int
    scheme: Literal["light", "dark"]


SHOTS = (
    Shot("review-queue", "/", 1100, 560, "light"),
    Shot("review-sms", "/cells/price_drop/sms/en", 1180, 900, "light"),
    Shot("review-sms-parts", "/cells/delivery_delay/sms/ru?values=longest", 1180, 880, "dark"),
    Shot("review-email", "/cells/price_drop/email/en", 1180, 830, "light"),
    Shot("review-push-phone", "/cells/abandoned_cart/push/kk", 390, 844, "light"),
    Shot("review-whatsapp-phone", "/cells/price_drop/whatsapp/ru", 390, 844, "dark"),
)


def take_pictures(folder: Path, *, program: str) -> list[Path]:
    """Pictures of a review of samples, as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running_review(Path(home)) as review,
        open_browser(program) as browser,
    ):
        return _take(browser, review, folder)


def _take(browser: Browser, review: Review, folder: Path) -> list[Path]:
    page = browser.new_page()
    page.goto(review.address)
    page.wait_for_url(f"{review.origin}/")
    taken = []
    for shot in SHOTS:
        page.set_viewport_size({"width": shot.width, "height": shot.height})
        page.emulate_media(color_scheme=shot.scheme, reduced_motion="reduce")
        page.goto(review.origin + shot.path, wait_until="networkidle")
        place = folder / f"{shot.name}.png"
        page.screenshot(path=place)
        taken.append(place)
    return taken


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium or Chrome on the path")
    for place in take_pictures(folder, program=program):
        sys.stdout.write(f"{place} {place.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
