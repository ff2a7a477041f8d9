"""The console inside a service: closed until it is opened, and wired by the settings."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from serving.console.access import Role
from serving.console.accounts import Accounts
from serving.console.mounted import MountedConsole
from serving.console.secret import keep_secret
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import load_corridor
from serving.runtime import Runtime
from serving.settings import Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from tests.serving.console.conftest import HOST, PASSWORD, Browser
from tests.serving.console.scene import INCIDENT, put_scene

URL = "https://decide.example.com/console"


@pytest.fixture
def settings(tmp_path: Path, snapshot: Snapshot) -> Settings:
    made = Settings(home=tmp_path / "home", console_url=URL, currency="KZT")
    publish_snapshot(snapshot, made.snapshots)
    return made


def mount(settings: Settings) -> tuple[MountedConsole, Runtime, Starlette]:
    console = MountedConsole()
    runtime = Runtime(settings, clock=lambda: datetime(2026, 7, 14, 7, tzinfo=UTC))
    return console, runtime, Starlette(routes=[Mount("/console", app=console)])


def ask(app: Starlette, *, host: str = HOST) -> int:
    with TestClient(app, base_url=host) as http:
        return http.get("/console/").status_code


def test_console_is_closed_until_it_is_opened(settings: Settings) -> None:
    console, runtime, app = mount(settings)

    assert ask(app) == 503
    console.open(settings, runtime)
    assert ask(app) == 401
    runtime.parts.store.close()


def test_secret_that_others_may_read_keeps_the_console_closed(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    secret = keep_secret(settings.home)
    (settings.home / "console.key").chmod(0o640)
    console, runtime, app = mount(settings)

    with caplog.at_level(logging.WARNING):
        console.open(settings, runtime)

    assert ask(app) == 503
    assert "others may read it" in caplog.text
    assert secret not in caplog.text
    runtime.parts.store.close()


def test_address_says_which_host_and_whether_cookies_travel_encrypted(settings: Settings) -> None:
    console, runtime, app = mount(settings)
    console.open(settings, runtime)
    Accounts(runtime.parts.store, clock=runtime.parts.clock).add(
        "Dana", role=Role.OWNER, password=PASSWORD, by="test"
    )
    with TestClient(app, base_url="https://decide.example.com", follow_redirects=False) as http:
        answer = Browser(http).sign_in("Dana")
        page = http.get("/console/customers")

    assert answer.status_code == 303
    assert "secure" in answer.headers["set-cookie"].lower()
    assert page.status_code == 200
    assert ask(app, host="https://other.example.com") == 400
    runtime.parts.store.close()


@pytest.mark.parametrize(
    "url", ["decide.example.com", "https://decide.example.com", "ftp://a/console", f"{URL}?a=b"]
)
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="console_url"):
        Settings(console_url=url)


def test_broken_words_about_incidents_take_no_page_away(settings: Settings) -> None:
    words = settings.home / "autopilot.yaml"
    words.write_text("helpers: nonsense", encoding="utf-8")
    broken = settings.model_copy(update={"autopilot": words, "console_url": None})
    console, runtime, app = mount(broken)
    desk = CorridorDesk(load_corridor(), home=settings.home)
    put_scene(runtime.parts.store, desk=desk, now=runtime.parts.clock())
    console.open(broken, runtime)
    Accounts(runtime.parts.store, clock=runtime.parts.clock).add(
        "Dana", role=Role.OWNER, password=PASSWORD, by="test"
    )
    with TestClient(app, base_url=HOST, follow_redirects=False) as http:
        browser = Browser(http)
        assert browser.sign_in("Dana").status_code == 303
        page = browser.read(f"/incidents/{INCIDENT}")
        refused = browser.post(f"/incidents/{INCIDENT}/cause", cause="cooling")

    assert "Approve" in page
    assert 'name="cause"' not in page
    assert "the words about incidents cannot be read" in page
    assert refused.status_code == 409
    runtime.parts.store.close()
