"""Messages over HTTP: kept once by any worker, read by another process, told as incidents."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import pytest

from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.inbound.records import InboundRow
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.autopilot.story import KnownFacts
from serving.autopilot.watch.answers import IncidentQuestion
from serving.autopilot.watch.known import Directory
from serving.autopilot.watch.sorting import Sorter
from serving.autopilot.watch.watcher import Watcher
from serving.client import ServiceClient
from serving.launch import find_free_port, running_service
from serving.settings import ApiKey, Scope, Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from serving.store.bursts import BurstState
from serving.store.inbound import InboundState
from serving.store.store import Store
from tests.serving.autopilot.acting.chain import find_detector

pytestmark = pytest.mark.e2e

KEY = "a-key-of-at-least-sixteen"
INBOUND_ONLY = "another-key-for-messages"
TEXTS = ("у вас как в бане", "моншадай болып тұр, +7 701 123 45 67", "дышать нечем")


@pytest.fixture(scope="module")
def settings(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    chosen = Settings(
        home=tmp_path_factory.mktemp("home"),
        port=find_free_port("127.0.0.1"),
        workers=2,
        api_keys={
            "desk": ApiKey(key=KEY, scopes=frozenset(Scope)),
            "bridge": ApiKey(key=INBOUND_ONLY, scopes=frozenset({Scope.INBOUND})),
        },
    )
    publish_snapshot(snapshot, chosen.snapshots)
    Store(chosen.store_place).close()
    return chosen


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[ServiceClient]:
    with running_service(settings, log=settings.home / "service.log") as client:
        yield client


@pytest.fixture
def http(settings: Settings, service: ServiceClient) -> Iterator[httpx.Client]:
    assert service.is_ready()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{settings.port}",
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=30,
    ) as client:
        yield client


def rows(now: datetime) -> list[InboundRow]:
    return [
        InboundRow(
            inbound_id=f"m{n}",
            at=now - timedelta(minutes=10 - n),
            customer_id=f"c{n}",
            source="whatsapp",
            branch=" Abay  10",
            text=text,
        )
        for n, text in enumerate(TEXTS)
    ]


def make_watcher(store: Store) -> Watcher:
    triage = OfflineTriage(load_taxonomy("salon"))
    known = KnownFacts(KnownCustomers({"c0": "ru", "c1": "kk", "c2": None}, {}))
    return Watcher(
        store,
        prepared=find_detector(),
        triage=triage,
        sorter=Sorter(triage),
        directory=Directory(known),
    )


def test_messages_become_an_incident(
    settings: Settings, service: ServiceClient, http: httpx.Client
) -> None:
    now = datetime.now(UTC)
    told = rows(now)
    with ThreadPoolExecutor(6) as many:
        states = list(many.map(lambda _: service.send_messages(told), range(6)))
    assert sorted(states).count([InboundState.TAKEN] * 3) == 1
    assert states.count([InboundState.DUPLICATE] * 3) == 5
    changed = told[0].model_copy(update={"text": "всё хорошо"})
    assert service.send_messages([changed]) == [InboundState.DIFFERS]
    assert service.find_incidents() == []
    with closing(Store(settings.store_place)) as store:
        assert make_watcher(store).look(datetime.now(UTC)) == 3
    (incident,) = service.find_incidents()
    assert (incident.branch, incident.topic) == ("Abay 10", "heat")
    assert (incident.state, incident.n_customers) == (BurstState.DETECTED, 3)
    assert incident.languages == {"ru": 2, "kk": 1}
    assert incident.timeline[0].words.startswith("3 customers complain about heat in Abay 10")
    assert "701" not in incident.timeline[0].words
    by_get = http.get("/incidents", params={"only_open": "true", "limit": "1"})
    assert [one["incident_id"] for one in by_get.json()["incidents"]] == [incident.incident_id]
    one = IncidentQuestion(incident_id=incident.incident_id)
    assert service.find_incidents(one) == [incident]
    assert service.find_incidents(IncidentQuestion(incident_id="nobody knows it")) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": "x" * 4_001}, "messages.0.text"),
        ({"at": "2026-07-14T18:02:00"}, "messages.0.at"),
        ({"inbound_id": " "}, "messages.0.inbound_id"),
        ({"branch": "a\u0007b"}, "messages.0.branch"),
        ({"mood": "bad"}, "messages.0.mood"),
    ],
)
def test_wrong_messages_are_refused_by_place_and_nothing_is_kept(
    http: httpx.Client, settings: Settings, change: dict[str, str], told: str
) -> None:
    good = rows(datetime.now(UTC))[1].model_dump(mode="json") | {"inbound_id": "good"}
    wrong = rows(datetime.now(UTC))[0].model_dump(mode="json") | change
    answer = http.post("/inbound", json={"messages": [wrong, good]})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert told in answer.json()["message"]
    assert "бане" not in answer.text
    with closing(Store(settings.store_place)) as store, store.reading() as session:
        assert session.inbound.find("good") is None


def test_messages_and_incidents_have_scopes_of_their_own(http: httpx.Client) -> None:
    bridge = {"Authorization": f"Bearer {INBOUND_ONLY}"}
    assert http.get("/incidents", headers=bridge).status_code == HTTPStatus.FORBIDDEN
    assert http.get("/incidents", headers={"Authorization": ""}).status_code == 401
    too_many = http.get("/incidents", params={"limit": "1000"})
    assert too_many.status_code == HTTPStatus.BAD_REQUEST
    message = rows(datetime.now(UTC))[0].model_dump(mode="json")
    own_time = {"messages": [message], "arrived_at": "2026-07-14T18:02:00Z"}
    refused = http.post("/inbound", json=own_time)
    assert "own clock" in refused.json()["message"]


def test_both_are_documented(http: httpx.Client) -> None:
    paths = http.get("/docs.json").json()["paths"]
    assert "post" in paths["/inbound"]
    assert set(paths["/incidents"]) >= {"get", "post"}
    asked = {one["name"]: one for one in paths["/incidents"]["get"]["parameters"]}
    assert set(asked) == {"incident_id", "only_open", "days", "limit"}
    assert asked["limit"]["schema"]["maximum"] == 200


def test_the_log_of_the_service_holds_no_message(
    settings: Settings, service: ServiceClient
) -> None:
    assert service.is_ready()
    assert "бане" not in (settings.home / "service.log").read_text(encoding="utf-8")
