"""Who gets in, and what nobody can do from outside."""

import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from serving.console.access import Role
from serving.console.headers import LETTER_POLICY, PAGE_POLICY
from tests.serving.console.conftest import HOST, Console, ConsoleMaker
from tests.serving.console.samples import LETTER_EN, PRICE_SMS_EN

CELL = "/cells/price_drop/sms/en"
VARIANT = PRICE_SMS_EN[0].variant_id
PAGES = ("/", CELL, "/next/price_drop/sms/en", f"/variants/{VARIANT}", f"{CELL}/letters/{VARIANT}")


@pytest.mark.parametrize("path", PAGES)
def test_pages_need_a_session(console_of: ConsoleMaker, path: str) -> None:
    answer = console_of(Role.OWNER).http.get(path)

    assert answer.status_code == 401
    assert "Trail running" not in answer.text
    assert "token" not in answer.text


def test_verdicts_need_a_session(console_of: ConsoleMaker) -> None:
    console = console_of(Role.OWNER)

    answer = console.http.post(f"/variants/{VARIANT}/approve", data={"seen": "2", "token": ""})

    assert answer.status_code == 401
    assert console.shelf.get(VARIANT).state == "draft"


def test_door_admits_once_and_only_for_its_token(console_of: ConsoleMaker) -> None:
    console = console_of(Role.OPERATOR)
    assert console.http.get("/enter", params={"token": "guess"}).status_code == 401
    assert console.http.get("/enter").status_code == 401
    assert console.http.get("/enter", params={"token": "не тот"}).status_code == 401

    assert console.http.head("/enter", params={"token": console.token}).status_code == 405

    console.enter()
    console.http.cookies.clear()

    assert console.http.get("/enter", params={"token": console.token}).status_code == 401
    assert console.http.get("/").status_code == 401


def test_session_cookie_is_kept_from_scripts_and_other_sites(console_of: ConsoleMaker) -> None:
    console = console_of(Role.OPERATOR)

    cookie = console.http.get("/enter", params={"token": console.token}).headers["set-cookie"]

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert console.token not in cookie


def test_forged_session_is_nobody(console: Console) -> None:
    signed = console.http.cookies["opportune_console"]
    console.http.cookies.clear()
    console.http.cookies.set("opportune_console", "e30" + signed[3:])

    assert console.http.get("/").status_code == 401


def test_every_post_needs_the_sessions_own_token(
    console: Console, console_of: ConsoleMaker
) -> None:
    other = console_of(Role.OPERATOR)
    other.enter()
    paths = {"/leave": {}} | {
        f"/variants/{VARIANT}/{verdict}": {"seen": "2", "reason": "no"}
        for verdict in ("approve", "reject", "retire")
    }
    posting = {r.path for r in console.app.routes if isinstance(r, Route) and "POST" in r.methods}
    assert posting == {"/leave", "/variants/{variant_id}/{verdict}"}

    for path, fields in paths.items():
        for token in (None, "", "forged", other.form_token()):
            data = fields | ({} if token is None else {"token": token})
            assert console.http.post(path, data=data).status_code == 403, (path, token)
    assert console.shelf.get(VARIANT).state == "draft"
    assert console.http.get("/").status_code == 200


def test_leaving_ends_the_session(console: Console) -> None:
    answer = console.http.post("/leave", data={"token": console.form_token()})

    assert answer.status_code == 303
    assert console.http.get("/").status_code == 401


def test_viewer_looks_and_decides_nothing(console_of: ConsoleMaker) -> None:
    console = console_of(Role.VIEWER)
    console.enter()

    page = console.read(CELL)
    answer = console.http.post(
        f"/variants/{VARIANT}/approve", data={"seen": "2", "token": console.form_token()}
    )

    assert "Approve" not in page
    assert "Trail running shoes" in page
    assert answer.status_code == 403
    assert console.shelf.get(VARIANT).state == "draft"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_other_hosts_are_refused(console: Console, host: str) -> None:
    answer = console.http.get("/", headers={"host": host})

    assert answer.status_code == 400
    assert "Trail" not in answer.text


def test_answers_forbid_what_they_do_not_need(console: Console) -> None:
    for path in ("/", CELL, "/static/console.js", "/nowhere"):
        headers = console.http.get(path).headers
        assert headers["content-security-policy"] == PAGE_POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"

    letter = console.http.get(f"/cells/price_drop/email/en/letters/{LETTER_EN[0].variant_id}")

    assert letter.headers["content-security-policy"] == LETTER_POLICY
    assert "sandbox" in LETTER_POLICY.split("; ")
    assert "unsafe" not in PAGE_POLICY


def test_pages_name_no_outside_asset_and_hold_no_inline_script_or_style(console: Console) -> None:
    for path in ("/", CELL, "/cells/price_drop/email/en"):
        page = console.read(path)
        sources = re.findall(r'(?:src|href|action)="([^"]*)"', page)
        assert sources
        assert all(s.startswith(("/", "#")) and not s.startswith("//") for s in sources), sources
        assert not re.search(r"<script(?![^>]* src=)", page)
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=", page)


def test_large_bodies_are_refused(console: Console) -> None:
    data = {"token": console.form_token(), "seen": "2", "reason": "x" * 30_000}

    answer = console.http.post(f"/variants/{VARIANT}/reject", data=data)

    assert answer.status_code == 413


def test_console_works_where_it_is_mounted(console_of: ConsoleMaker) -> None:
    console = console_of(Role.OPERATOR)
    outer = Starlette(routes=[Mount("/console", console.app)])
    with TestClient(outer, base_url=HOST, follow_redirects=False) as http:
        entered = http.get("/console/enter", params={"token": console.token})
        queue = http.get("/console/")
        links = re.findall(r'(?:src|href|action)="(/[^"]*)"', queue.text)

        assert 'content="0;url=/console/"' in entered.text
        assert queue.status_code == 200
        assert all(link.startswith("/console/") for link in links), links
        assert http.get(f"/console{CELL}").status_code == 200
        assert http.get("/console/static/console.css").status_code == 200


def test_way_back_of_a_refusal_leads_to_no_other_host(console: Console) -> None:
    for path in ("//evil.example/x", "//evil.example//x/y"):
        answer = console.http.post(f"http://127.0.0.1{path}", data={})

        assert answer.status_code == 404
        assert "There is no page at this address." in answer.text
        assert 'href="//' not in answer.text
