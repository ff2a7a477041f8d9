"""A yes and a no on the page: who may say it, and what comes of it."""

from datetime import timedelta

import pytest

from serving.autopilot.acting.topics import reply_topic
from serving.corridor.actions import ActionState
from serving.corridor.desk import CorridorDesk
from serving.corridor.held import Word
from serving.corridor.settings import load_corridor
from serving.store.amends import AskState, VendorAsk
from tests.serving.console.conftest import Office
from tests.serving.console.scene import (
    AMENDS,
    ASK,
    BOOK,
    CASE,
    COMPLAINTS,
    INCIDENT,
    OFFER,
    PHONE,
    SUBJECT,
    tell_vendor,
)

PAGE = f"/incidents/{INCIDENT}"


def state_of(office: Office, action_id: str) -> ActionState:
    with office.store.reading() as session:
        held = session.holds.find(action_id)
    assert held is not None
    return held.state


def words_of(office: Office, action_id: str) -> list[tuple[Word, str, str]]:
    with office.store.reading() as session:
        return [(one.word, one.by, one.role) for one in session.holds.find_words(action_id)]


def wakes(office: Office, subject: str, topic: str) -> bool:
    """Whether the workflow is told that; it is not from then on."""
    with office.store.transaction() as session:
        return session.flows.read_signal(subject, [topic], at=office.clock.now) is not None


def test_veto_stops_the_action_and_wakes_its_workflow(office: Office) -> None:
    browser = office.sign_in("Omar")

    answer = browser.post("/actions/veto", action_id=BOOK, note=f"too dear, call {PHONE}")
    page = browser.read(PAGE)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console{PAGE}"
    assert "Book vendor is vetoed." in page
    assert "A human said no." in page
    assert state_of(office, BOOK) is ActionState.VETOED
    assert words_of(office, BOOK) == [(Word.VETO, "Omar", "operator")]
    assert wakes(office, SUBJECT, "veto")
    with office.store.reading() as session:
        said = [entry.words for entry in session.audit.read(subject=SUBJECT)][-1]
        assert session.holds.find_faults() == []
    assert "too dear" in said
    assert PHONE not in said


def test_yes_counts_with_the_role_of_whoever_is_in(office: Office) -> None:
    answer = office.sign_in("Omar").post("/actions/approve", action_id=BOOK)

    assert answer.status_code == 303
    assert words_of(office, BOOK) == [(Word.APPROVE, "Omar", "operator")]
    assert wakes(office, SUBJECT, "approve")
    page = office.sign_in("Dana").read(PAGE)
    assert "Omar said yes: it goes next." in page


@pytest.mark.parametrize("action_id", [AMENDS, OFFER])
def test_what_is_for_owners_takes_no_yes_of_an_operator(office: Office, action_id: str) -> None:
    operator, owner = office.sign_in("Omar"), office.sign_in("Dana")

    refused = operator.post("/actions/approve", action_id=action_id)

    assert refused.status_code == 409
    assert "Rule role" in refused.text
    assert words_of(office, action_id) == []
    assert owner.post("/actions/approve", action_id=action_id).status_code == 303
    assert words_of(office, action_id) == [(Word.APPROVE, "Dana", "owner")]


def test_role_of_a_form_does_not_count(office: Office) -> None:
    refused = office.sign_in("Omar").post(
        "/actions/approve", action_id=AMENDS, role="owner", by="Dana"
    )

    assert refused.status_code == 409
    assert words_of(office, AMENDS) == []


def test_viewer_looks_and_says_nothing(office: Office) -> None:
    browser = office.sign_in("Vera")

    for path in (PAGE, "/", f"/cases/{CASE}", "/tasks", "/switches"):
        page = browser.read(path)
        for button in ("Approve", "Veto", "Take it", "Finish", "Stop everything"):
            assert f">{button}" not in page
    for path, fields in {
        "/actions/veto": {"action_id": ASK},
        "/actions/approve": {"action_id": ASK},
        f"{PAGE}/cause": {"cause": "cooling"},
        f"{PAGE}/close": {},
        "/switches/stop": {"scope": "all"},
        "/switches/resume": {"scope": "all"},
        "/tasks/take": {"task_id": "case/k1/call"},
    }.items():
        assert browser.post(path, **fields).status_code == 403
    assert words_of(office, ASK) == []


def test_words_of_customers_are_quotes_and_masked_for_viewers(office: Office) -> None:
    for name, is_masked in (("Vera", True), ("Omar", False)):
        page = office.sign_in(name).read(PAGE)
        assert (PHONE not in page) == is_masked
        assert "<script>window.acted" not in page
        assert "&lt;script&gt;" in page
        assert COMPLAINTS[1].text in page


def test_late_veto_says_that_it_was_too_late(office: Office) -> None:
    office.sign_in("Dana").post("/actions/approve", action_id=BOOK)
    with office.store.transaction() as session:
        desk = CorridorDesk(load_corridor(), home=office.home)
        desk.claim(session, BOOK, actor="autopilot", now=office.clock.now)

    refused = office.sign_in("Omar").post("/actions/veto", action_id=BOOK)

    assert refused.status_code == 409
    assert "too late" in refused.text
    assert state_of(office, BOOK) is ActionState.CLAIMED


def test_cause_is_a_hypothesis_until_somebody_confirms_it(office: Office) -> None:
    browser = office.sign_in("Omar")
    assert "Not confirmed" in browser.read(PAGE)

    refused = browser.post(f"{PAGE}/cause", cause="magic")
    answer = browser.post(f"{PAGE}/cause", cause="cooling")

    assert refused.status_code == 400
    assert answer.headers["location"] == f"/console{PAGE}"
    assert "Cooling, confirmed by Omar" in browser.read(PAGE)
    assert wakes(office, SUBJECT, "confirm_cause")
    assert browser.post("/incidents/none/cause", cause="cooling").status_code == 404


def test_answer_of_a_vendor_is_passed_on_and_wakes_its_workflow(office: Office) -> None:
    asked_at = office.clock.now - timedelta(minutes=6)
    with office.store.transaction() as session:
        for vendor_id, name in (("cool-air", "Cool Air"), ("klima", "ТОО «Климат»")):
            ask = VendorAsk(
                f"{ASK}/{vendor_id}", SUBJECT, vendor_id, name, AskState.ASKED, asked_at
            )
            assert session.amends.ask(ask)
            tell_vendor(session, ask)
    browser = office.sign_in("Omar")
    at = f"{PAGE}/vendors"

    lacking = browser.post(at, vendor="klima", comes="yes", price="", minutes="")
    unclear = browser.post(at, vendor="klima", comes="yes", price="14,000.50", minutes="40")
    offer = browser.post(at, vendor="klima", comes="yes", price="14 000,50", minutes="40")
    no = browser.post(at, vendor="cool-air", comes="no")
    again = browser.post(at, vendor="cool-air", comes="yes", price="1", minutes="1")
    page = browser.read(PAGE)

    assert [one.status_code for one in (lacking, unclear, offer, no, again)] == [
        400, 400, 303, 303, 400,
    ]  # fmt: skip
    assert "expected the minutes until it is there" in lacking.text
    assert f'<a class="button" href="/console{PAGE}">' in lacking.text
    assert "14,000.50 KZT, there in 40 min" in page
    assert "is refused, and is not asked anything now" in again.text
    assert page.count("It does not come") == 1  # another vendor has not said its word yet
    assert wakes(office, SUBJECT, reply_topic("klima"))
    assert wakes(office, SUBJECT, reply_topic("cool-air"))
    with office.store.transaction() as session:
        session.amends.set_ask(SUBJECT, "klima", state=AskState.BOOKED)
    assert "Does it come as booked?" in browser.read(PAGE)
    assert browser.post(at, vendor="klima", comes="yes", price="15000").status_code == 400
    assert browser.post(at, vendor="klima", comes="yes").status_code == 303
    assert 'state-confirmed">confirmed' in browser.read(PAGE)
    viewed = office.sign_in("Vera").read(PAGE)
    assert "Frost" in viewed
    assert "It does not come" not in viewed
    assert office.sign_in("Vera").post(at, vendor="klima", comes="no").status_code == 403


def test_closed_incident_keeps_its_report_and_hears_nothing_more(office: Office) -> None:
    browser = office.sign_in("Dana")
    browser.post(f"{PAGE}/close")
    assert wakes(office, SUBJECT, "close")
    assert "Dana wants it closed." in browser.read(PAGE)
    with office.store.transaction() as session:
        session.bursts.close(INCIDENT, at=office.clock.now, report="Cooling failed; <b>mended</b>.")

    page = browser.read(PAGE)

    assert "Cooling failed; &lt;b&gt;mended&lt;/b&gt;." in page
    assert "Close it now" not in page
    assert browser.post(f"{PAGE}/close").status_code == 409
    listed = browser.read("/incidents")
    assert listed.index("Over</h2>") < listed.index("Heat in")


def test_nobodys_action_is_not_found(office: Office) -> None:
    assert office.sign_in("Dana").post("/actions/veto", action_id="x").status_code == 404


def test_countdown_tells_what_is_waited_for(office: Office) -> None:
    browser = office.sign_in("Dana")

    first = browser.read(PAGE)
    office.clock.now += timedelta(minutes=6)
    later = browser.read(PAGE)

    assert "5 min 0 s</time> left" in first
    assert "unless somebody says no" in first
    assert "Nobody said no: it goes next." in later
    ends = office.clock.now + timedelta(minutes=14)
    assert f'datetime="{ends.isoformat()}"' in later
    assert f'data-until="{int(ends.timestamp() * 1000)}"' in later


def test_broken_corridor_is_said_and_a_veto_counts_all_the_same(office: Office) -> None:
    office.corridor.write_text("kinds: nonsense", encoding="utf-8")
    browser = office.sign_in("Omar")

    page = browser.read(PAGE)

    assert "The corridor cannot be read" in page
    assert browser.post("/actions/approve", action_id=ASK).status_code == 409
    assert browser.post("/actions/veto", action_id=ASK).status_code == 303
    assert state_of(office, ASK) is ActionState.VETOED
