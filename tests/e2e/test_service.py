"""The real server process: decide, report, restart, find everything again."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from jsonschema import Draft202012Validator

from features.vocabulary import Channel, Outcome, Trigger
from serving.client import ServiceAnswerError, ServiceClient
from serving.launch import find_free_port, running_service
from serving.records import DecisionRequest, OutcomeEvent, OutcomeState
from serving.settings import ApiKey, Scope, Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from serving.store.store import Store

pytestmark = pytest.mark.e2e

KEY = "a-key-of-at-least-sixteen"
READER = "another-key-that-only-reads"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, snapshot: Snapshot) -> Settings:
    home = tmp_path_factory.mktemp("home")
    chosen = Settings(
        home=home,
        clock="caller",
        port=find_free_port("127.0.0.1"),
        workers=2,
        api_keys={
            "shop": ApiKey(key=KEY, scopes=frozenset(Scope)),
            "reader": ApiKey(key=READER, scopes=frozenset({Scope.READ})),
        },
    )
    publish_snapshot(snapshot, chosen.snapshots)
    return chosen


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[ServiceClient]:
    with running_service(settings, log=settings.home / "service.log") as client:
        yield client


@pytest.fixture(scope="module")
def http(settings: Settings, service: ServiceClient) -> Iterator[httpx.Client]:
    url = f"http://{settings.host}:{settings.port}"
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def request(snapshot: Snapshot, number: int, **more: object) -> DecisionRequest:
    return DecisionRequest.model_validate(
        {
            "customer_id": f"c{number:03d}",
            "trigger": Trigger.ABANDONED_CART,
            "evidence": {"item": "Kettle", "n_items": 2},
            "decided_at": snapshot.as_of,
            "idempotency_key": f"e2e-{number}",
        }
        | more
    )


def test_service_keeps_every_record_over_a_restart(settings: Settings, snapshot: Snapshot) -> None:
    own = settings.model_copy(
        update={"home": settings.home / "own", "port": find_free_port("127.0.0.1")}
    )
    publish_snapshot(snapshot, own.snapshots)
    requests = [request(snapshot, n) for n in range(60)]
    with running_service(own, log=own.home / "first.log") as client:
        decided = [client.decide(r) for r in requests[:10]] + client.decide_many(requests[10:])
        sent = [d for d in decided if d.send and d.send_at is not None]
        outcomes = [
            OutcomeEvent(message_id=m.message_id, outcome=Outcome.OPENED, at=d.send_at)
            for d in sent
            for m in d.messages
            if d.send_at is not None
        ]
        assert set(client.report(outcomes)) == {OutcomeState.BOOKED}

    with running_service(own, log=own.home / "second.log") as client:
        again = client.decide_many(requests)
        assert set(client.report(outcomes)) == {OutcomeState.DUPLICATE}

    assert len(sent) > 20
    assert again == decided
    store = Store(own.store_place)
    assert [store.read_decision(d.decision_id) for d in decided] == decided
    store.close()


def test_service_takes_a_new_snapshot_without_a_restart(
    settings: Settings, service: ServiceClient, snapshot: Snapshot
) -> None:
    later = Snapshot(
        version="",
        as_of=snapshot.as_of + timedelta(days=1),
        customers=snapshot.customers,
        contacts=snapshot.contacts,
        models=snapshot.models,
        bandit=snapshot.bandit,
    )
    assert service.churn("c001").features_as_of == snapshot.as_of
    publish_snapshot(later, settings.snapshots)

    assert service.churn("c001").features_as_of == later.as_of


def test_service_explains_churn(service: ServiceClient) -> None:
    answer = service.churn("c001", language="ru")
    unknown = service.churn("nobody")

    assert answer.p_churn is not None
    assert answer.playbook is not None
    assert answer.risk_score is not None
    assert answer.tier_from == "p_churn"
    assert len(answer.reasons) <= 3
    assert all("обычно" in reason.words for reason in answer.reasons)
    assert (unknown.known, unknown.p_churn) == (False, None)


def test_service_answers_an_unknown_customer_with_a_cold_start(
    service: ServiceClient, snapshot: Snapshot
) -> None:
    profile = {"language": "ru", "timezone": "Asia/Almaty", "consents": [Channel.EMAIL]}
    decision = service.decide(
        request(snapshot, 999, customer_id="stranger", profile=profile, idempotency_key=None)
    )

    assert decision.cold_start
    assert decision.features_as_of is None


def test_service_refuses_a_key_for_another_request(
    service: ServiceClient, snapshot: Snapshot
) -> None:
    service.decide(request(snapshot, 1, idempotency_key="same"))

    with pytest.raises(ServiceAnswerError, match=r"409.*same"):
        service.decide(request(snapshot, 2, idempotency_key="same"))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, [["customer_id"], ["trigger"]]),
        ({"customer_id": "", "trigger": "spam"}, [["customer_id"], ["trigger"]]),
        (
            {"customer_id": "c1", "trigger": "inactivity", "evidence": {"days": 1}, "extra": 1},
            [["evidence"], ["extra"]],
        ),
        (
            {"customer_id": "c1", "trigger": "inactivity", "decided_at": "2026-06-10T07:00:00"},
            [["decided_at"]],
        ),
    ],
)
def test_service_names_each_wrong_field(
    body: dict[str, object], fields: list[list[str]], http: httpx.Client
) -> None:
    answer = http.post("/decide", json=body)

    assert answer.status_code == 400
    refusal = answer.json()
    assert refusal["error"] == "invalid"
    assert sorted(fault["loc"] for fault in refusal["detail"]) == fields
    assert all(".".join(field) in refusal["message"] for field in fields)
    assert "pydantic" not in answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{not json", {"Content-Type": "application/json"}, 400),
        (b"\x80\x04K\x01.", {"Content-Type": "application/vnd.bentoml+pickle"}, 415),
        (b"x", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b" " * 5_000_001, {"Content-Type": "application/json"}, 413),
    ],
)
def test_service_refuses_what_is_not_a_bounded_json_body(
    content: bytes, headers: dict[str, str], status: int, http: httpx.Client
) -> None:
    assert http.post("/decide", content=content, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/decide", None, 401),
        ("/decide", "wrong", 401),
        ("/decide", READER, 403),
        ("/customers/churn", READER, 200),
        ("/nowhere", READER, 404),
        ("/nowhere", None, 401),
    ],
)
def test_service_asks_for_a_key_with_the_scope(
    path: str, key: str | None, status: int, settings: Settings, service: ServiceClient
) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    url = f"http://{settings.host}:{settings.port}{path}"

    answer = httpx.post(url, json={"customer_id": "c001"}, headers=headers)

    assert answer.status_code == status


def test_service_documents_its_endpoints(http: httpx.Client) -> None:
    specification = http.get("/docs.json").json()

    assert {"/decide", "/decide_batch", "/outcomes", "/customers/churn"} <= set(
        specification["paths"]
    )
    fields = specification["components"]["schemas"]["Decision"]["properties"]
    assert {"propensity", "allowed", "scores", "policy_version"} <= set(fields)
    assert specification["info"]["title"] == "Opportune"
    assert "Bearer" in specification["info"]["description"]
    assert "http" not in specification["info"]["description"]
    assert specification["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert http.get("/livez").status_code == http.get("/readyz").status_code == 200
    assert "bentoml_service_request" in http.get("/metrics").text


def test_documented_schemas_hold_every_answer(http: httpx.Client) -> None:
    """Fields that may be null, and refusals, among them."""
    document = http.get("/docs.json").json()
    request = {"customer_id": "c001", "trigger": "abandoned_cart"}
    nobody = {"customer_id": "nobody", "trigger": "abandoned_cart"}
    asked: list[tuple[str, httpx.Response]] = [
        ("/decide", http.post("/decide", json=request)),
        ("/decide", http.post("/decide", json=nobody)),
        ("/decide", http.post("/decide", json={"trigger": "none"})),
        ("/decide", http.post("/decide", json=request, headers={"Authorization": ""})),
        ("/decide", http.put("/decide", json=request)),
        ("/decide", http.post("/decide", content="{", headers={"Content-Type": "text/plain"})),
        ("/decide_batch", http.post("/decide_batch", json={"requests": [request, nobody]})),
        ("/customers/churn", http.post("/customers/churn", json={"customer_id": "c001"})),
        ("/customers/churn", http.post("/customers/churn", json={"customer_id": "nobody"})),
        ("/incidents", http.get("/incidents", params={"limit": 1000})),
    ]
    answered = set()
    for path, answer in asked:
        documented = document["paths"][path]["post"]["responses"][str(answer.status_code)]
        schema = documented["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole).validate(answer.json())
        answered.add(answer.status_code)
    assert asked[4][1].headers["Allow"] == "POST"
    assert answered == {200, 400, 401, 405, 415}
    assert any(answer.json().get("detail") for _, answer in asked)


def test_a_question_by_get_is_named_among_its_methods(http: httpx.Client) -> None:
    assert http.delete("/incidents").headers["Allow"] == "GET, POST"


def test_document_says_who_needs_a_key_and_a_body(http: httpx.Client) -> None:
    paths = http.get("/docs.json").json()["paths"]
    assert paths["/livez"]["get"]["security"] == []
    assert "security" not in paths["/decide"]["post"]
    assert paths["/decide"]["post"]["requestBody"]["required"]
    assert not paths["/incidents"]["post"]["requestBody"]["required"]


def test_service_log_holds_no_key_and_no_request(
    settings: Settings, service: ServiceClient, http: httpx.Client
) -> None:
    http.post("/decide", json={"customer_id": "c001", "trigger": "secret-looking-value"})
    log = (settings.home / "service.log").read_text(encoding="utf-8")

    assert KEY not in log
    assert READER not in log
    assert "secret-looking-value" not in log
    assert "refused a wrong body" in log
    assert "Traceback" not in log
