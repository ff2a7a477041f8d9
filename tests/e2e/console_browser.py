"""The console as its users have it: the real service, a store in the middle of an incident."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from serving.console.access import Role
from serving.console.accounts import Accounts
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import load_corridor
from serving.launch import find_free_port, running_service
from serving.settings import Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.serving.console.samples import put_samples
from tests.serving.console.scene import put_scene

PASSWORD = "correct horse battery"
PEOPLE = {"Vera": Role.VIEWER, "Omar": Role.OPERATOR, "Dana": Role.OWNER}
_DEFAULTS = Path(__file__).parents[2] / "serving" / "corridor" / "defaults.yaml"


@dataclass(frozen=True)
class RunningConsole:
    """A service with a console.

    Attributes:
        origin: Scheme, host and port.
        address: Of the console.
        settings: Of the service.
    """

    origin: str
    address: str
    settings: Settings

    def sign_in(self, context: BrowserContext, name: str) -> Page:
        """A page of somebody who came in by keyboard."""
        page = context.new_page()
        page.goto(f"{self.address}/sign-in")
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self.address}/")
        return page


@contextmanager
def running_console(home: Path, snapshot: Snapshot) -> Iterator[RunningConsole]:
    """`opportune serve` with two workers, over a home that is filled here."""
    settings = Settings(
        home=home,
        port=find_free_port("127.0.0.1"),
        workers=2,
        currency="KZT",
        brand="Teal",
        corridor=write_sleepless_corridor(home),
    )
    publish_snapshot(snapshot, settings.snapshots)
    store = Store(settings.store_place)
    put_samples(store.variants)
    desk = CorridorDesk(load_corridor(settings.corridor), home=home)
    put_scene(store, desk=desk, now=datetime.now(UTC))
    accounts = Accounts(store, clock=lambda: datetime.now(UTC))
    for name, role in PEOPLE.items():
        accounts.add(name, role=role, password=PASSWORD, by="test")
    store.close()
    with running_service(settings, log=home / "service.log"):
        origin = f"http://127.0.0.1:{settings.port}"
        yield RunningConsole(origin, f"{origin}/console", settings)


def run_console_command(settings: Settings, *words: str, given: str = "") -> str:
    """`opportune console ...`: what it said."""
    command = [str(Path(sys.executable).with_name("opportune")), "console", *words]
    done = subprocess.run(
        command,
        env=settings.to_environment(),
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def write_sleepless_corridor(home: Path) -> Path:
    """The corridor that ships, for owners who never sleep: tests run at night, too."""
    home.mkdir(parents=True, exist_ok=True)
    text = _DEFAULTS.read_text(encoding="utf-8")
    lines = ["quiet: null" if line.startswith("quiet:") else line for line in text.splitlines()]
    assert "quiet: null" in lines
    path = home / "corridor.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
