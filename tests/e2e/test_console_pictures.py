"""Makes the pictures of docs/console.md, after `make demo`.

CONSOLE_PICTURES=docs/pictures pytest tests/e2e/test_console_pictures.py
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright", reason="no playwright: pip install playwright")

from serving.console.at_risk import RiskOrder, rank_customers
from serving.snapshot.files import load_snapshot
from serving.snapshot.state import Snapshot
from tests.e2e.console_browser import running_console
from tests.e2e.review_browser import find_chromium, open_browser
from tests.serving.console.scene import INCIDENT

pytestmark = pytest.mark.e2e

VARIABLE = "CONSOLE_PICTURES"
WORLD = Path(__file__).parents[2] / ".opportune" / "demo" / "world" / "snapshots"
RISKIEST = "/customers/RISKIEST?language=ru"


@dataclass(frozen=True)
class Shot:
    """One picture: which page, on which screen."""

    name: str
    path: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"


SHOTS = (
    Shot("console-overview", "/", 1180, 860),
    Shot("console-incident", f"/incidents/{INCIDENT}", 1180, 1000),
    Shot("console-incident-phone", f"/incidents/{INCIDENT}", 390, 844, "dark"),
    Shot("console-tasks", "/tasks", 1180, 700),
    Shot("console-customers", "/customers?order=value", 1180, 620),
    Shot("console-customer-phone", RISKIEST, 390, 844),
    Shot("console-stop", "/switches", 1180, 480, "dark"),
    Shot("console-log", "/log", 1180, 620),
)


def test_pictures_are_taken(tmp_path: Path) -> None:
    program, folder = find_chromium(), os.environ.get(VARIABLE)
    if program is None or folder is None:
        pytest.skip(f"pictures are taken where {VARIABLE} names a folder and there is a Chromium")
    snapshot: Snapshot = load_snapshot(WORLD)
    riskiest = rank_customers(snapshot.customers, order=RiskOrder.RISK, most=1)[0].customer_id
    with running_console(tmp_path / "home", snapshot) as console, open_browser(program) as browser:
        context = browser.new_context()
        page = console.sign_in(context, "Dana")
        for shot in SHOTS:
            page.set_viewport_size({"width": shot.width, "height": shot.height})
            page.emulate_media(color_scheme=shot.scheme, reduced_motion="reduce")
            page.goto(
                console.address + shot.path.replace("RISKIEST", riskiest), wait_until="networkidle"
            )
            page.screenshot(path=Path(folder) / f"{shot.name}.png")
        context.close()
