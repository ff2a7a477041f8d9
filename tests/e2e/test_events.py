"""Facts over HTTP, day by day: what follows from them is what the company's tables say."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.sources import write_tables
from features.tables import Tables
from features.vocabulary import Trigger
from serving.cli.main import build_app
from serving.client import ServiceAnswerError, ServiceClient
from serving.launch import find_free_port, running_service
from serving.online.rebuild import rebuild_online
from serving.online.records import Event, EventState
from serving.records import DecisionRequest
from serving.rehearsal.loop import messages_of
from serving.settings import ApiKey, Scope, Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models
from serving.store.store import Store
from training.bandit.files import new_bandit

pytestmark = pytest.mark.e2e

KEY = "a-key-of-at-least-sixteen"
OUTCOMES_ONLY = "another-key-for-outcomes"


class Days(Protocol):
    """See `CompanyDays` in tests/conftest.py."""

    start: datetime
    tables: tuple[Tables, ...]
    news: tuple[list[Event], ...]

    def morning(self, day: int) -> datetime: ...


@pytest.fixture(scope="module")
def settings(days: Days, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    chosen = Settings(
        home=tmp_path_factory.mktemp("home"),
        clock="caller",
        port=find_free_port("127.0.0.1"),
        api_keys={
            "shop": ApiKey(key=KEY, scopes=frozenset(Scope)),
            "mailer": ApiKey(key=OUTCOMES_ONLY, scopes=frozenset({Scope.OUTCOMES})),
        },
    )
    snapshot = make_snapshot(days.tables[0], as_of=days.start, models=models, bandit=new_bandit())
    publish_snapshot(snapshot, chosen.snapshots)
    store = Store(chosen.store_place)
    rebuild_online(store, days.tables[0], as_of=days.start)
    store.close()
    return chosen


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[ServiceClient]:
    with running_service(settings, log=settings.home / "service.log") as client:
        yield client


def test_posted_days_are_served_without_skew(
    days: Days,
    settings: Settings,
    service: ServiceClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three days of facts, decisions each morning, then the company's own tables say the same."""
    sent: list[pd.DataFrame] = []
    for day, news in enumerate(days.news):
        evening = days.morning(day + 1) - timedelta(seconds=1)
        (receipt,) = service.post(news, known_at=evening)
        assert set(receipt.states) == {EventState.APPLIED}
        assert receipt.triggers
        touched = sorted({rescored.customer_id for rescored in receipt.churn})
        assert len(touched) > 20
        decided = service.decide_many(
            [
                DecisionRequest(
                    customer_id=found.customer_id,
                    trigger=found.trigger,
                    evidence=found.evidence,
                    idempotency_key=found.idempotency_key,
                    decided_at=days.morning(day + 1),
                )
                for found in receipt.triggers
            ]
            + [
                DecisionRequest(
                    customer_id=customer_id,
                    trigger=Trigger.CHURN_RISK,
                    decided_at=days.morning(day + 1),
                )
                for customer_id in touched
            ]
        )
        assert max(d.features_as_of for d in decided if d.features_as_of) == days.morning(day + 1)
        sent.append(messages_of([d for d in decided if d.decided_at == days.morning(day + 1)]))
    held = dict(days.tables[3])
    held["messages"] = pd.concat([held["messages"], *sent], ignore_index=True)
    write_tables(held, tmp_path / "tables")
    monkeypatch.setenv("OPPORTUNE_HOME", str(settings.home))

    result = CliRunner().invoke(
        build_app(["parity"]), ["parity", "--data", str(tmp_path / "tables"), "--json"]
    )

    report = json.loads(result.stdout)
    skewed = [f for f in report["features"] if f["differing"]]
    assert sum(len(frame) for frame in sent) > 5
    assert skewed == []
    assert report["decisions"] > 100
    assert result.exit_code == 0


def test_refused_events_leave_nothing_behind(
    days: Days, settings: Settings, service: ServiceClient
) -> None:
    def count() -> int:
        store = Store(settings.store_place)
        with store.reading() as session:
            n_facts = session.online.count().n_facts
        store.close()
        return n_facts

    before = count()
    good = {"customer_id": "c000001", "at": days.morning(4).isoformat(), "kind": "login"}
    bad = {"customer_id": "c000001", "at": "yesterday", "kind": "secret-looking-value", "x": 1}
    url = f"http://{settings.host}:{settings.port}/events"
    events = [{"table": "activity", "row": row} for row in (good, bad, bad)]
    body = {"events": events, "known_at": days.morning(4).isoformat()}

    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {KEY}"})

    assert answer.status_code == 400
    refusal = answer.json()
    assert [fault["loc"] for fault in refusal["detail"]] == [["events", 1], ["events", 2]]
    assert "at is 'yesterday', expected a time with its zone" in refusal["message"]
    assert "'x' is no column" in refusal["message"]
    assert count() == before
    log = (settings.home / "service.log").read_text(encoding="utf-8")
    assert "secret-looking-value" not in log
    assert "Traceback" not in log


def test_while_a_batch_is_booked_writers_are_asked_to_come_again_and_the_rest_is_answered(
    days: Days, settings: Settings, service: ServiceClient, event: Callable[..., Event]
) -> None:
    row = event("activity", customer_id="c000001", at=days.start, kind="login")
    url = f"http://{settings.host}:{settings.port}"
    bodies: dict[str, dict[str, object]] = {
        "decide": {
            "customer_id": "c000001",
            "trigger": "inactivity",
            "decided_at": days.morning(4).isoformat(),
        },
        "outcomes": {"outcomes": [{"message_id": "m", "outcome": "clicked", "at": row.row["at"]}]},
        "events": {"events": [row.model_dump(mode="json")], "known_at": f"{days.morning(4)}"},
    }
    headers = {"Authorization": f"Bearer {KEY}"}

    def ask(path: str) -> httpx.Response:
        return httpx.post(f"{url}/{path}", json=bodies[path], headers=headers, timeout=20)

    store = Store(settings.store_place)
    with store.transaction(), ThreadPoolExecutor(len(bodies)) as pool:
        waiting = [pool.submit(ask, path) for path in bodies]
        lives = httpx.get(f"{url}/livez", timeout=20).status_code
        still_wait = [not one.done() for one in waiting]
        refused = [one.result() for one in waiting]
    store.close()

    assert (lives, still_wait) == (200, [True] * 3)
    assert [(one.status_code, one.json()["error"]) for one in refused] == [(503, "busy")] * 3
    assert {one.headers["Retry-After"] for one in refused} == {"5"}
    assert [ask(path).status_code for path in bodies] == [200, 200, 200]


def test_events_need_their_own_scope_and_a_moment_that_goes_forward(
    days: Days, settings: Settings, service: ServiceClient, event: Callable[..., Event]
) -> None:
    row = event("activity", customer_id="c000001", at=days.start, kind="login")
    url = f"http://{settings.host}:{settings.port}"

    with (
        ServiceClient(url, key=OUTCOMES_ONLY) as mailer,
        pytest.raises(ServiceAnswerError, match=r"403.*lacks the scope events"),
    ):
        mailer.post([row], known_at=days.morning(5))
    with pytest.raises(ServiceAnswerError, match=r"400.*known_at: required"):
        service.post([row])
    service.post([row], known_at=days.morning(5), find_triggers=False)
    with pytest.raises(ServiceAnswerError, match=r"409.*no earlier moment"):
        service.post([row], known_at=days.morning(4))
