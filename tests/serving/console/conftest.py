"""The console over a real store, with somebody signed in."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from httpx import Response
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from features.churn.risk import default_rules
from features.economics import default_economics
from serving.autopilot.acting.updates import load_updates
from serving.console.access import OneTimeDoor, Role, Visitor
from serving.console.accounts import Accounts
from serving.console.app import Guarding, make_app, make_console
from serving.console.desk import Desk
from serving.console.gallery import Gallery
from serving.console.house import House
from serving.console.passwords import Passwords
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import BrokenCorridor, Corridor, find_corridor, load_corridor
from serving.risk.answer import RiskDesk
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from serving.store.variants import VariantShelf
from tests.serving.console.samples import put_samples
from tests.serving.console.scene import put_scene

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOST = "http://127.0.0.1"
SECRET = "a secret that only tests know"


@dataclass(frozen=True)
class Console:
    """A browser in front of the console.

    Attributes:
        http: Its client; follows no redirect.
        shelf: What the console shows.
        app: The application itself.
        token: Of the one-time door.
    """

    http: TestClient
    shelf: VariantShelf
    app: Starlette
    token: str

    def enter(self) -> None:
        answer = self.http.get("/enter", params={"token": self.token})
        assert answer.status_code == 200, answer.text

    def read(self, path: str, **query: str) -> str:
        answer = self.http.get(path, params=query or None)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.text

    def form_token(self) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.read("/"))
        assert found is not None
        return found[1]


ConsoleMaker = Callable[..., Console]


@pytest.fixture(scope="session")
def gallery() -> Gallery:
    return Gallery(
        default_library(),
        CopySettings(
            brand="Teal",
            currency="KZT",
            cta_base_url="https://teal.example",
            email_unsubscribe_url="https://teal.example/out",
        ),
        default_economics(),
    )


@pytest.fixture
def console_of(store: Store, gallery: Gallery) -> Iterator[ConsoleMaker]:
    put_samples(store.variants)
    clients = []

    def make(role: Role, name: str = "Dana") -> Console:
        door = OneTimeDoor(Visitor(name, role))
        app = make_app(
            Desk(store.variants, clock=lambda: NOW),
            gallery=gallery,
            door=door,
            guarding=Guarding(secret=SECRET, hosts=["127.0.0.1"]),
        )
        http = TestClient(app, base_url=HOST, follow_redirects=False)
        clients.append(http)
        return Console(http, store.variants, app, door.token)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def console(console_of: ConsoleMaker) -> Console:
    """An operator is in."""
    made = console_of(Role.OPERATOR)
    made.enter()
    return made


PASSWORD = "correct horse battery"
NOON = datetime(2026, 7, 14, 7, 0, tzinfo=UTC)  # 12:00 in Almaty


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Office:
    """The whole console over a store in the middle of an incident.

    Attributes:
        store: What it shows.
        accounts: Who may come in.
        clock: What time it is.
        home: Folder of STOP files.
        corridor: Its file; not there: the one that ships.
        app: The application.
        mounted: The same where a service has it.
    """

    store: Store
    accounts: Accounts
    clock: Clock
    home: Path
    corridor: Path
    app: Starlette
    mounted: Starlette

    def open(self, address: str = "testclient") -> "Browser":
        """A browser that nobody signed in with."""
        http = TestClient(
            self.mounted, base_url=HOST, follow_redirects=False, client=(address, 50_000)
        )
        return Browser(http)

    def sign_in(self, name: str) -> "Browser":
        """A browser of somebody."""
        browser = self.open()
        answer = browser.sign_in(name)
        assert answer.status_code == 303, answer.text
        return browser


@dataclass(frozen=True)
class Browser:
    """Somebody in front of the mounted console.

    Attributes:
        http: Its client; follows no redirect.
    """

    http: TestClient

    def read(self, path: str, *, status: int = 200) -> str:
        answer = self.http.get(f"/console{path}")
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.text

    def find_token(self, path: str = "/sign-in") -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.http.get(f"/console{path}").text)
        assert found is not None
        return found[1]

    def sign_in(self, name: str, *, password: str = PASSWORD, to: str = "") -> Response:
        data = {"name": name, "password": password, "to": to, "token": self.find_token()}
        return self.http.post("/console/sign-in", data=data)

    def post(self, path: str, **fields: str) -> Response:
        token = self.find_token("/account")
        return self.http.post(f"/console{path}", data={"token": token, **fields})


@pytest.fixture
def office(store: Store, gallery: Gallery, snapshot: Snapshot, tmp_path: Path) -> Office:
    """A viewer, an operator and an owner may come in."""
    clock, home = Clock(), tmp_path / "home"
    home.mkdir()
    corridor = tmp_path / "corridor.yaml"

    def read_corridor() -> Corridor | BrokenCorridor:
        return find_corridor(corridor if corridor.exists() else None)

    risk = RiskDesk(default_rules(), gallery.settings)
    put_samples(store.variants)
    put_scene(store, desk=CorridorDesk(load_corridor(), home=home), now=NOON)
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(store, clock=clock, passwords=Passwords(quick))
    for name, role in (("Vera", Role.VIEWER), ("Omar", Role.OPERATOR), ("Dana", Role.OWNER)):
        accounts.add(name, role=role, password=PASSWORD, by="test")
    app = make_console(
        House(
            store=store,
            clock=clock,
            home=home,
            find_corridor=read_corridor,
            snapshot=lambda: snapshot,
            explain=lambda question: risk.explain(question, snapshot),
            rules=risk.rules,
            find_updates=lambda: load_updates("salon"),
            currency="KZT",
        ),
        desk=Desk(store.variants, clock=clock),
        gallery=gallery,
        accounts=accounts,
        guarding=Guarding(secret=SECRET, hosts=["127.0.0.1"], path="/console"),
    )
    outer = Starlette(routes=[Mount("/console", app)])
    return Office(store, accounts, clock, home, corridor, app, outer)
