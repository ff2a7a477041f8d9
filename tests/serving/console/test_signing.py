"""Signing in and out over HTTP, and what nobody can do from outside."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from serving.console.accounts import IDLE
from serving.console.attempts import PER_PERSON
from serving.console.headers import PAGE_POLICY
from tests.serving.console.conftest import HOST, PASSWORD, Browser, Office
from tests.serving.console.scene import ASK, INCIDENT, TASK

WRONG = "wrong battery horse"


def test_cookie_is_for_our_own_pages_alone(office: Office) -> None:
    browser = office.open()

    cookie = browser.sign_in("Dana").headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console;" in cookie
    assert PASSWORD not in cookie


def test_session_gets_a_new_identity_at_the_door(office: Office) -> None:
    """Fixation: what somebody put into the browser before is worth nothing afterwards."""
    browser = office.open()
    browser.find_token()
    before = browser.http.cookies["opportune_console"]
    browser.sign_in("Dana")
    after = browser.http.cookies["opportune_console"]

    browser.http.cookies.clear()
    browser.http.cookies.set("opportune_console", before)
    browser.read("/", status=401)
    browser.http.cookies.clear()
    browser.http.cookies.set("opportune_console", after)
    browser.read("/")


def test_unknown_names_and_wrong_passwords_are_answered_alike(office: Office) -> None:
    pages = []
    for name in ("Dana", "Nobody"):
        answer = office.open().sign_in(name, password=WRONG)
        assert answer.status_code == 403
        pages.append(answer.text.replace(name, "NAME"))

    tokenless = [page.split('name="token"')[0] + page.split('name="to"')[1] for page in pages]
    assert tokenless[0] == tokenless[1]
    assert "Name or password is wrong." in pages[0]
    assert WRONG not in pages[0]


def test_too_many_attempts_must_wait_whoever_is_right(office: Office) -> None:
    browser = office.open("10.0.0.7")
    for _ in range(PER_PERSON.amount):
        assert browser.sign_in("Dana", password=WRONG).status_code == 403

    refused = browser.sign_in("Dana")

    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 301
    assert "wait 5 min" in refused.text
    assert office.open("10.0.0.8").sign_in("Dana").status_code == 303
    office.clock.now += timedelta(minutes=6)
    assert browser.sign_in("Dana").status_code == 303


def test_form_to_sign_in_needs_its_own_token(office: Office) -> None:
    other, browser = office.open(), office.open()
    browser.find_token()
    for token in ("", "forged", other.find_token()):
        data = {"name": "Dana", "password": PASSWORD, "token": token}
        assert browser.http.post("/console/sign-in", data=data).status_code == 403

    browser.read("/", status=401)


@pytest.mark.parametrize(
    ("to", "leads"),
    [
        (f"/incidents/{INCIDENT}", f"/console/incidents/{INCIDENT}"),
        ("", "/console/"),
        ("/", "/console/"),
        ("//evil.example", "/console/"),
        ("/\\evil.example", "/console/"),
        ("https://evil.example/", "/console/"),
        ("/a//evil.example", "/console/"),
        ("/../evil", "/console/"),
        ("/x\r\nSet-Cookie: a=b", "/console/"),
        ("/@evil.example", "/console/"),
        ("javascript:alert(1)", "/console/"),
    ],
)
def test_sign_in_leads_to_our_own_pages_alone(office: Office, to: str, leads: str) -> None:
    answer = office.open().sign_in("Dana", to=to)

    assert answer.headers["location"] == leads
    assert answer.headers.get_list("set-cookie")[0].startswith("opportune_console=")
    assert len(answer.headers.get_list("set-cookie")) == 1


def test_page_that_was_asked_for_comes_after_signing_in(office: Office) -> None:
    page = office.open().read(f"/incidents/{INCIDENT}", status=401)

    assert f'name="to" value="/incidents/{INCIDENT}"' in page


def test_link_in_a_mail_is_followed_with_the_cookie(office: Office) -> None:
    """A browser keeps the cookie back at first: the page asks for itself once more."""
    http = office.open().http
    path = f"/console/incidents/{INCIDENT}"

    first = http.get(f"{path}?order=a&x=%22", headers={"sec-fetch-site": "cross-site"})
    again = http.get(path, headers={"sec-fetch-site": "same-origin"})

    assert first.status_code == 200
    assert f'content="0;url={path}?order=a&amp;x=%22"' in first.text
    assert "set-cookie" not in first.headers
    assert again.status_code == 401


def test_leaving_ends_the_session_for_a_kept_cookie_too(office: Office) -> None:
    browser = office.sign_in("Dana")
    kept = browser.http.cookies["opportune_console"]

    assert browser.post("/leave").headers["location"] == "/console/sign-in"
    browser.http.cookies.clear()
    browser.http.cookies.set("opportune_console", kept)

    browser.read("/", status=401)


def test_signing_out_everywhere_ends_other_browsers(office: Office) -> None:
    here, there, omar = (office.sign_in(name) for name in ("Dana", "Dana", "Omar"))

    here.post("/leave-everywhere")

    assert "Signed out everywhere." in here.read("/sign-in")
    there.read("/", status=401)
    here.read("/", status=401)
    omar.read("/")


def test_removed_account_is_out_at_once(office: Office) -> None:
    browser = office.sign_in("Omar")
    browser.read("/")
    office.accounts.remove("Omar", by="test")

    browser.read("/", status=401)


def test_pages_that_look_by_themselves_keep_nobody_in(office: Office) -> None:
    browser = office.sign_in("Dana")
    for _ in range(3):
        office.clock.now += IDLE / 4
        browser.read("/?live=1")
    office.clock.now += IDLE / 4

    browser.read("/", status=401)


def list_posts(routes: list[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from list_posts(list(route.routes), prefix + route.path)
        elif isinstance(route, Route) and "POST" in (route.methods or ()):
            yield prefix + route.path


def test_every_form_needs_the_sessions_own_token(office: Office) -> None:
    browser, other = office.sign_in("Dana"), office.sign_in("Omar")
    fields = {
        "/sign-in": {"name": "Dana", "password": PASSWORD},
        "/leave": {},
        "/leave-everywhere": {},
        "/actions/approve": {"action_id": ASK},
        "/actions/veto": {"action_id": ASK},
        "/incidents/{incident_id}/cause": {"cause": "cooling"},
        "/incidents/{incident_id}/vendors": {"vendor": "klima", "comes": "no"},
        "/incidents/{incident_id}/close": {},
        "/tasks/take": {"task_id": TASK},
        "/tasks/finish": {"task_id": TASK, "outcome": "done"},
        "/tasks/drop": {"task_id": TASK, "why": "so"},
        "/switches/stop": {"scope": "all"},
        "/switches/resume": {"scope": "all"},
        "/texts/variants/{variant_id}/{verdict}": {"seen": "1"},
    }
    assert set(list_posts(office.app.routes)) == set(fields)

    for path, data in fields.items():
        for token in ("", "forged", other.find_token("/account")):
            answer = browser.http.post(f"/console{path}", data=data | {"token": token})
            assert answer.status_code == 403, path

    browser.read("/")
    with office.store.reading() as session:
        assert session.switches.find_all() == []
        assert session.holds.find_words(ASK) == []
    assert list(office.home.iterdir()) == []


def test_every_form_needs_somebody_signed_in(office: Office) -> None:
    browser = office.open()
    for path in list_posts(office.app.routes):
        if path == "/sign-in":
            continue
        answer = browser.http.post(f"/console{path}", data={"token": browser.find_token()})
        assert answer.status_code == 401, path
        assert "You were signed out, and nothing was done." in answer.text
    taken = browser.http.post("/console/tasks/take", data={"task_id": TASK})
    assert '<input type="hidden" name="to" value="/tasks">' in taken.text  # back to its form
    vetoed = browser.http.post("/console/actions/veto", data={"action_id": ASK})
    assert '<input type="hidden" name="to" value="">' in vetoed.text


def test_answers_forbid_what_they_do_not_need(office: Office) -> None:
    browser = office.sign_in("Dana")
    for path in ("/", f"/incidents/{INCIDENT}", "/static/live.js", "/nowhere", "/sign-in"):
        headers = browser.http.get(f"/console{path}").headers
        assert headers["content-security-policy"] == PAGE_POLICY
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in PAGE_POLICY


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc"]
)
def test_static_files_are_those_of_their_folder(office: Office, path: str) -> None:
    answer = office.open().http.get(f"/console{path}")

    assert answer.status_code in (401, 404)
    assert "import" not in answer.text


def test_other_hosts_are_refused(office: Office) -> None:
    browser = office.sign_in("Dana")

    for host in ("evil.example", "127.0.0.1.evil.example"):
        answer = browser.http.get("/console/", headers={"host": host})
        assert answer.status_code == 400
        assert "Cool Air" not in answer.text


def test_fault_of_ours_tells_nothing_of_itself(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser: Browser = office.sign_in("Dana")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(type(office.accounts), "sign_out", fail)
    token = browser.find_token("/account")
    with pytest.raises(RuntimeError):  # which the server writes to its log
        browser.http.post("/console/leave", data={"token": token})
    http = TestClient(
        office.mounted, base_url=HOST, cookies=browser.http.cookies, raise_server_exceptions=False
    )
    answer = http.post("/console/leave", data={"token": token})
    assert answer.status_code == 500
    assert "the server's log says what" in answer.text
    assert "secret" not in answer.text
