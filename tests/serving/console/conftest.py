"""The console over a real store, with somebody signed in."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from features.economics import default_economics
from serving.console.access import OneTimeDoor, Role, Visitor
from serving.console.app import Guarding, make_app
from serving.console.desk import Desk
from serving.console.gallery import Gallery
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.store.store import Store
from serving.store.variants import VariantShelf
from tests.serving.console.samples import put_samples

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
            guarding=Guarding(door=door, secret=SECRET, hosts=["127.0.0.1"]),
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
