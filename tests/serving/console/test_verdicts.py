"""Approving, rejecting, retiring; and what happens when two do it at once."""

import re
from datetime import timedelta

import pytest
from httpx import Response

from serving.console.access import Role
from serving.copy.stored import VariantState
from tests.serving.console.conftest import NOW, Console, ConsoleMaker
from tests.serving.console.samples import OFFER, PRICE_SMS_EN, SAMPLES, sms_en, stored

FIRST, SECOND, FAULTY = (one.variant_id for one in PRICE_SMS_EN)
CELL = "/cells/price_drop/sms/en"


def post(console: Console, variant_id: str, verdict: str, **fields: str) -> Response:
    data = {"token": console.form_token()} | fields
    answer: Response = console.http.post(f"/variants/{variant_id}/{verdict}", data=data)
    return answer


def follow(console: Console, answer: Response) -> str:
    assert answer.status_code == 303, answer.text
    return console.read(answer.headers["location"].partition("#")[0])


def test_approving_is_kept_with_who_and_when_and_goes_on_to_the_next(console: Console) -> None:
    answer = post(console, FIRST, "approve", seen="2", values="longest")

    row = console.shelf.get(FIRST)
    last = console.shelf.history(FIRST)[-1]
    assert row.state == "approved"
    assert (last.what, last.by, last.at) == ("approved", "Dana", NOW)
    assert answer.headers["location"] == f"{CELL}?values=longest#v-{SECOND}"
    page = follow(console, answer)
    assert "Variant 1 (the item first) is approved." in page
    assert "is approved." not in console.read(CELL)  # said once


def test_rejecting_keeps_the_reason(console: Console) -> None:
    answer = post(console, SECOND, "reject", seen="2", reason=" too <long> ")

    assert console.shelf.get(SECOND).state == "rejected"
    assert console.shelf.history(SECOND)[-1].note == "too <long>"
    assert "too &lt;long&gt;" in follow(console, answer)


@pytest.mark.parametrize("reason", ["", "   "])
def test_rejecting_without_a_reason_is_asked_for_one(console: Console, reason: str) -> None:
    answer = post(console, FIRST, "reject", seen="2", reason=reason)

    assert answer.status_code == 422
    assert f'id="v-{FIRST}-why"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert "Say in a few words why it is rejected." in answer.text
    assert console.shelf.get(FIRST).state == "draft"


def test_last_verdict_of_a_cell_leads_to_what_is_next(console: Console) -> None:
    post(console, FIRST, "approve", seen="2")

    answer = post(console, SECOND, "approve", seen="2")

    assert answer.headers["location"] == f"{CELL}#next"
    page = follow(console, answer)
    assert "Everything here is decided." in page
    assert '<a href="/next/price_drop/sms/en" data-key="n"' in page


def test_next_goes_to_the_best_judged_cell_that_waits_and_then_to_the_queue(
    console: Console,
) -> None:
    on = console.http.get("/next/price_drop/sms/en", params={"values": "none"})
    assert on.headers["location"] == "/cells/delivery_delay/sms/ru?values=none"

    for row in console.shelf.find(state=VariantState.DRAFT):
        if row.variant_id not in (FIRST, SECOND):
            console.shelf.reject(row.variant_id, by="Dana", at=NOW, note="no")
    on = console.http.get("/next/price_drop/sms/en")

    assert on.headers["location"] == "/"
    assert "No other cell has anything to review." in console.read("/")


def test_retired_leaves_and_may_come_back(console: Console) -> None:
    post(console, FIRST, "approve", seen="2")
    assert 'data-verdict="u"' in console.read(CELL)

    post(console, FIRST, "retire", seen="3")

    assert console.shelf.get(FIRST).state == "retired"
    assert "Approve again" in console.read(CELL)
    post(console, FIRST, "approve", seen="4")
    assert console.shelf.get(FIRST).state == "approved"


def test_faulty_variant_can_be_rejected_and_never_approved(console: Console) -> None:
    card = re.search(rf'id="v-{FAULTY}".*?</article>', console.read(CELL), re.DOTALL)
    assert card is not None
    assert 'data-verdict="r"' in card[0]
    assert 'data-verdict="a"' not in card[0]

    answer = post(console, FAULTY, "approve", seen="1")

    assert answer.status_code == 409
    assert "stays as it is" in answer.text
    assert "meanwhile" not in answer.text  # nothing was done to it
    assert console.shelf.get(FAULTY).state == "faulty"


def test_stale_verdict_is_refused_with_what_changed(console: Console) -> None:
    console.shelf.reject(FIRST, by="Marat", at=NOW, note="wrong price", seen=2)

    answer = post(console, FIRST, "approve", seen="2")

    assert answer.status_code == 409
    assert "Variant 1 (the item first) changed meanwhile" in answer.text
    assert "rejected by Marat" in answer.text
    assert "wrong price" in answer.text
    assert "opportune copy draft" not in answer.text  # what was there before is no news
    assert f'href="{CELL}#v-{FIRST}"' in answer.text
    assert console.shelf.get(FIRST).state == "rejected"


def test_verdict_on_a_version_that_was_only_scored_since_is_refused_too(console: Console) -> None:
    console.shelf.score(FIRST, score=1.5, by="judge", at=NOW)

    answer = post(console, FIRST, "approve", seen="2")

    assert answer.status_code == 409
    assert "scored by judge" in answer.text
    assert console.shelf.get(FIRST).state == "draft"


def test_the_same_form_twice_counts_once(console: Console) -> None:
    assert post(console, FIRST, "approve", seen="2").status_code == 303
    assert post(console, FIRST, "approve", seen="2").status_code == 409
    assert [event.what for event in console.shelf.history(FIRST)] == ["added", "scored", "approved"]


@pytest.mark.parametrize("verdict", ["approve", "reject", "retire"])
def test_unknown_variants_are_not_found(console: Console, verdict: str) -> None:
    answer = post(console, "price_drop.sms.none", verdict, seen="1", reason="x")

    assert answer.status_code == 404


def test_unknown_verdicts_are_not_found(console: Console) -> None:
    assert post(console, FIRST, "delete", seen="2").status_code == 404


@pytest.mark.parametrize("seen", ["", "-1", "two"])
def test_wrong_fields_are_named(console: Console, seen: str) -> None:
    answer = post(console, FIRST, "approve", seen=seen)

    assert answer.status_code == 400
    assert "seen" in answer.text
    assert console.shelf.get(FIRST).state == "draft"


def test_reviewer_writes_down_no_longer_reason_than_is_kept(console: Console) -> None:
    answer = post(console, FIRST, "reject", seen="2", reason="x" * 301)

    assert answer.status_code == 400
    assert "reason" in answer.text


def test_forms_of_the_page_carry_the_version_that_is_shown(console: Console) -> None:
    console.shelf.score(SECOND, score=4.0, by="judge", at=NOW)
    page = console.read(CELL)

    card = re.search(rf'id="v-{SECOND}".*?</article>', page, re.DOTALL)

    assert card is not None
    assert set(re.findall(r'name="seen" value="(\d+)"', card[0])) == {"3"}


def test_variants_of_other_cells_are_left_alone(console: Console) -> None:
    before = {one.variant_id: one.version for one in console.shelf.find()}

    post(console, FIRST, "approve", seen="2")

    after = {one.variant_id: one.version for one in console.shelf.find()}
    assert {name for name in after if after[name] != before[name]} == {FIRST}
    assert len(after) == len(SAMPLES)


def test_what_the_store_refuses_is_told(console_of: ConsoleMaker) -> None:
    console = console_of(Role.OPERATOR, "x" * 101)
    console.enter()

    answer = post(console, FIRST, "approve", seen="2")

    assert answer.status_code == 400
    assert "expected a name of at most 100 characters" in answer.text
    assert console.shelf.get(FIRST).state == "draft"


def test_long_angles_are_cut_in_headings(console: Console) -> None:
    draft = PRICE_SMS_EN[0].draft.model_copy(update={"segment": "vip", "angle": "word " * 900})
    console.shelf.add([stored(draft)], by="test")
    name = console.shelf.find(segment="vip")[0].variant_id

    page = follow(console, post(console, name, "approve", seen="1"))

    assert re.search(r"Variant 1 \([word …]{50,60}\) is approved", page)


def test_offer_that_ended_is_shown_and_approved_no_more(console_of: ConsoleMaker) -> None:
    console = console_of(Role.OPERATOR)
    console.enter()
    lasting = OFFER.model_copy(update={"valid_until": f"{NOW:%Y-%m-%d}"})
    over = lasting.model_copy(update={"valid_until": f"{NOW - timedelta(days=1):%Y-%m-%d}"})
    drafts = [
        sms_en(f"{{greeting}}{{item}} {words} {{offer}}.", "{greeting}{offer}.", angle=words)
        for words in ("with", "and also")
    ]
    told, late = (
        stored(draft, offers=(offer,)) for draft, offer in zip(drafts, (lasting, over), strict=True)
    )
    console.shelf.add([told, late], by="test")

    page = console.read(CELL)
    refused = post(console, late.variant_id, "approve", seen="1")

    said = f"It promises offer {over.offer_id}, which ended on {over.valid_until}"
    assert page.count(said) == 1
    assert f"{lasting.offer_id}, version 1, until {lasting.valid_until}; approved by Marat" in page
    assert f"/variants/{late.variant_id}/approve" not in page
    assert f"/variants/{told.variant_id}/approve" in page
    assert refused.status_code == 409
    assert said in refused.text
    assert console.shelf.get(late.variant_id).state == "draft"
    assert post(console, told.variant_id, "approve", seen="1").status_code == 303
    assert post(console, late.variant_id, "reject", seen="1", reason="over").status_code == 303
