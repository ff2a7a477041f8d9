"""What is done about a burst: vetoes, silence, switches, vendors, visitors, the end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from features.errors import BadInputError
from serving.audit.chain import verify_chain
from serving.autopilot.acting.answers import VendorAnswer
from serving.autopilot.acting.context import make_context
from serving.autopilot.acting.replies import read_reply, take_reply
from serving.autopilot.acting.waiting import find_waiting
from serving.autopilot.acting.writing import unsend_letters, write_letters
from serving.corridor.actions import ActionState, Denied, Done
from serving.corridor.settings import BrokenCorridor, Corridor, load_corridor
from serving.store.amends import AskState
from serving.store.bursts import BurstState, NewBurst
from serving.store.flows import FlowState
from serving.store.notices import PartyKind
from tests.serving.autopilot.acting.chain import BRANCH, CUSTOMERS, LANGUAGES, REFERENCE, Chain
from tests.serving.autopilot.acting.conftest import ChainMaker

YES = VendorAnswer(is_yes=True, price_cents=1_400_000, eta_minutes=40)
HEAT = [text for _, text in REFERENCE]


def begin(chain: Chain, n_customers: int = 3) -> None:
    """A burst is seen."""
    chain.live(1)
    for customer_id, text in zip(CUSTOMERS[:n_customers], HEAT, strict=False):
        chain.say(customer_id, text)
        chain.live(4)


def told(chain: Chain, part: str) -> bool:
    """Whether somebody was told under a key that ends like that."""
    return any(notice.key.endswith(part) for notice in chain.notices)


def test_a_fake_attack_starts_nothing(chain: Chain) -> None:
    chain.live(1)
    for n, text in enumerate(HEAT):
        chain.say(CUSTOMERS[n % 2], text)
        chain.live(6)
    assert chain.bursts == []
    with chain.store.reading() as session:
        assert session.flows.list() == []
        assert list(session.audit.read()) == []


def test_the_owner_is_told_at_once_and_advertising_rests(chain: Chain) -> None:
    begin(chain)
    (first,) = [one for one in chain.notices if one.key.endswith("/tell")]
    assert first.made_at == chain.burst.seen_at
    assert (first.to.kind, first.to.name) == (PartyKind.OWNER, BRANCH)
    for words in ("3 customers complain", "ru 2, kk 1", "only with a yes", "incidents/heat-"):
        assert words in first.body
    assert f"stop --branch '{BRANCH}' --by NAME" in first.body  # as a shell reads it
    with chain.store.reading() as session:
        (paused,) = session.incidents.find_all()
    assert paused.customer_ids == set(CUSTOMERS[:3])
    assert paused.ends_at_us is None


@pytest.mark.parametrize("part", ["respond/checking", "respond/ask-cool-air"])
def test_a_veto_stops_what_was_planned_first(chain: Chain, part: str) -> None:
    begin(chain)
    assert isinstance(chain.veto(part), Done)
    chain.live_on()
    assert chain.state_of(part) is ActionState.VETOED
    if part.endswith("checking"):
        assert [one for one in chain.letters if one.request is not None] == []
    else:
        assert chain.asks == {"cool-air": AskState.CANCELLED}  # and no other vendor is asked
        assert not told(chain, part)
    assert chain.flow.state is FlowState.ENDED


def test_a_veto_stops_a_booking_and_a_credit(chain: Chain) -> None:
    for customer_id in CUSTOMERS[:2]:
        chain.visit(customer_id)
    begin(chain)
    chain.live(6)
    chain.answer("cool-air", YES)
    assert isinstance(chain.veto("book-cool-air"), Done)
    chain.live(240, step=10)
    assert isinstance(chain.veto(f"credit-{CUSTOMERS[0]}"), Done)
    assert isinstance(chain.approve(f"credit-{CUSTOMERS[1]}"), Done)
    chain.live_on()
    assert chain.asks == {"cool-air": AskState.CANCELLED}
    assert not told(chain, "book-cool-air")
    assert [one.customer_id for one in chain.credits] == [CUSTOMERS[1]]
    assert "- Cool Air: cancelled\n" in chain.burst.report  # and no price of what was vetoed
    assert "Times are on the clock of Asia/Almaty." in chain.burst.report


def test_a_veto_stops_the_pause_where_the_corridor_gives_it_a_window(
    new_chain: ChainMaker,
) -> None:
    chain = new_chain()
    kinds = dict(chain.corridor.kinds)  # type: ignore[union-attr]  # it is whole
    kinds["pause_marketing"] = kinds["pause_marketing"].model_copy(update={"veto_minutes": 5})
    chain.corridor = chain.corridor.model_copy(update={"kinds": kinds})  # type: ignore[union-attr]
    begin(chain)
    assert isinstance(chain.veto("/pause"), Done)
    chain.live_on()
    with chain.store.reading() as session:
        assert session.incidents.find_all() == []


def test_silence_lets_no_money_go_and_the_owner_is_asked_again(chain: Chain) -> None:
    begin(chain)
    chain.live(6)
    chain.answer("cool-air", YES)
    (asked,) = [one for one in chain.notices if one.key.endswith("book-cool-air/asked")]
    assert asked.subject == (
        "Abay 10: Waits for your yes: help is booked for at most KZT\xa014,000 (Cool Air)"
    )
    assert "until 2026-07-14 11:39 (Asia/Almaty)" in asked.body
    assert asked.body.endswith(f"example.com/console/incidents/{chain.burst.incident_id}")
    chain.live(25)
    assert told(chain, "book-cool-air/asked-again")
    chain.live(300, step=20)
    assert chain.state_of("book-cool-air") in (ActionState.EXPIRED, ActionState.RELEASED)
    assert not told(chain, "/book-cool-air")
    with chain.store.reading() as session:
        assert session.holds.find_faults() == []


def test_a_branch_switch_stops_everything_but_telling_and_lets_go_on(chain: Chain) -> None:
    chain.throw_switch(is_stopped=True)
    begin(chain)
    chain.live(10)
    assert chain.holds == []
    (first,) = chain.notices
    assert "Nothing is tried but telling you: Dana stopped branch Abay 10" in first.body
    chain.throw_switch(is_stopped=False)
    chain.live(40)
    assert chain.state_of("/pause") is ActionState.SETTLED
    assert chain.find_hold("respond/checking")


def test_a_switch_of_another_branch_stops_nothing_here(chain: Chain) -> None:
    chain.throw_switch(is_stopped=True, branch="Dostyk 5")
    begin(chain)
    assert chain.state_of("/pause") is ActionState.SETTLED


def test_with_a_broken_corridor_nothing_but_telling_is_tried(new_chain: ChainMaker) -> None:
    chain = new_chain(corridor=BrokenCorridor("corridor.yaml: not YAML"))
    chain.visit(CUSTOMERS[0])
    begin(chain)
    chain.live_on()
    assert chain.holds == []
    first = next(one for one in chain.notices if one.key.endswith("/tell"))
    assert "Nothing is tried but telling you: corridor.yaml: not YAML" in first.body
    assert {one.to.kind for one in chain.notices} == {PartyKind.OWNER}
    assert [one for one in chain.letters if one.request is not None] == []
    assert chain.credits == []
    assert chain.flow.state is FlowState.ENDED
    assert chain.burst.state is BurstState.CLOSED


def test_a_price_above_the_limit_is_refused_and_the_next_vendor_is_asked(chain: Chain) -> None:
    begin(chain)
    chain.live(6)
    chain.answer("cool-air", replace(YES, price_cents=3_000_001))
    words = " ".join(entry.words for entry in chain.entries)
    assert "3000001 cents: one book_vendor may cost 3000000 at most" in words
    chain.live(6)
    assert chain.asks == {"cool-air": AskState.CANCELLED, "klima": AskState.ASKED}


def test_silence_and_a_late_vendor_lead_to_the_next_one_and_then_to_the_owner(
    chain: Chain,
) -> None:
    begin(chain)
    chain.live(17)
    assert chain.asks == {"cool-air": AskState.SILENT, "klima": AskState.ASKED}
    chain.live(6)
    chain.answer("klima", replace(YES, eta_minutes=181))
    assert chain.asks["klima"] is AskState.CANCELLED
    assert told(chain, "nobody-comes")


def test_a_vendor_that_answers_late_is_booked_after_all(chain: Chain) -> None:
    begin(chain)
    chain.live(10)
    chain.approve("respond/checking")
    chain.live(45)
    assert chain.asks == {"cool-air": AskState.SILENT, "klima": AskState.SILENT}
    chain.answer("cool-air", YES)
    chain.approve("book-cool-air")
    chain.answer("cool-air", VendorAnswer(is_yes=True))
    held = chain.find_hold("book-cool-air")
    assert (held.state, held.settled_cents) == (ActionState.SETTLED, 1_400_000)


def test_an_offer_that_comes_late_and_is_slow_is_not_booked(chain: Chain) -> None:
    begin(chain)
    chain.live(10)
    chain.approve("respond/checking")
    chain.live(45)
    chain.answer("cool-air", replace(YES, eta_minutes=181))
    chain.live(5)
    assert [one for one in chain.holds if one.request.kind == "book_vendor"] == []
    chain.answer("klima", replace(YES, eta_minutes=180))
    assert chain.find_hold("book-klima").state is ActionState.WAITING


def test_who_does_not_confirm_is_told_not_to_come_and_costs_nothing(chain: Chain) -> None:
    begin(chain)
    chain.live(6)
    chain.answer("cool-air", YES)
    chain.approve("book-cool-air")
    assert chain.asks["cool-air"] is AskState.BOOKED
    chain.live(35)
    assert chain.asks["cool-air"] is AskState.CANCELLED
    assert told(chain, "book-cool-air/cancel")
    assert chain.state_of("book-cool-air") is ActionState.RELEASED
    assert "klima" in chain.asks


def test_answers_that_make_no_sense_are_refused(chain: Chain) -> None:
    begin(chain)
    with pytest.raises(BadInputError, match="'nobody' was not asked, but cool-air"):
        chain.answer("nobody", YES)
    with pytest.raises(BadInputError, match="'cool-air' is not asked yet: its question waits"):
        chain.answer("cool-air", YES)
    chain.live(6)
    with pytest.raises(BadInputError, match="price: expected an amount, got none; eta: expected"):
        chain.answer("cool-air", VendorAnswer(is_yes=True))
    chain.answer("cool-air", YES)
    with pytest.raises(BadInputError, match="is offered, and is not asked anything now"):
        chain.answer("cool-air", YES)
    chain.approve("book-cool-air")
    with pytest.raises(BadInputError, match="price 1500000: it is booked for 1400000"):
        chain.answer("cool-air", replace(YES, price_cents=1_500_000))
    with pytest.raises(BadInputError, match="cause 'sabotage' of heat: expected one of cooling"):
        chain.confirm_cause("sabotage")


def test_only_verified_visitors_get_a_credit_once_and_up_to_a_number(
    new_chain: ChainMaker,
) -> None:
    chain = new_chain()
    rules = chain.settings.compensation.model_copy(update={"most_customers": 2})
    chain.settings = chain.settings.model_copy(update={"compensation": rules})
    chain.__post_init__()
    for customer_id in CUSTOMERS[:4]:
        chain.visit(customer_id)
    chain.visit(CUSTOMERS[4], branch="Dostyk 5")
    chain.visit(CUSTOMERS[5], minutes_ago=60 * 24)
    begin(chain, n_customers=6)
    chain.live(300, step=20)
    asked = [one.request.customer for one in chain.holds if one.request.kind.startswith("comp")]
    assert asked == CUSTOMERS[:2]
    for customer_id in CUSTOMERS[:2]:
        assert isinstance(chain.approve(f"credit-{customer_id}"), Done)
        assert isinstance(chain.approve(f"credit-{customer_id}"), Denied)  # it is done already
    chain.live_on()
    assert [(one.customer_id, one.amount_cents) for one in chain.credits] == [
        (customer_id, 300_000) for customer_id in CUSTOMERS[:2]
    ]
    texts = chain.read_texts("credit")
    for credit in chain.credits:
        assert credit.code in texts[credit.customer_id]
        assert credit.expires_at - credit.issued_at == timedelta(days=60)


def test_who_complains_later_is_told_with_the_others_or_after_them(chain: Chain) -> None:
    begin(chain)
    chain.say(CUSTOMERS[3], HEAT[3])
    chain.approve("respond/checking")  # four by now, on one yes
    assert set(chain.read_texts("checking")) == set(CUSTOMERS[:4])
    assert chain.find_hold("respond/checking").settled_cents
    chain.live(6)
    chain.answer("cool-air", VendorAnswer(is_yes=False))
    chain.live(40)
    chain.say(CUSTOMERS[4], HEAT[4])
    chain.live(1)
    chain.approve("/checking")
    assert set(chain.read_texts("checking")) == set(CUSTOMERS[:5])


def test_a_booking_that_waits_for_a_yes_holds_up_nothing_else(chain: Chain) -> None:
    begin(chain)
    chain.approve("respond/checking")
    chain.live(6)
    chain.answer("cool-air", YES)
    for customer_id, text in zip(CUSTOMERS[3:5], HEAT[3:5], strict=True):
        chain.say(customer_id, text)
        chain.live(2)
    chain.confirm_cause("cooling")
    chain.live(2)

    assert chain.flow.step == "respond"
    assert chain.state_of("respond/book-cool-air") is ActionState.WAITING
    with chain.store.reading() as session:
        paused = [one.customer_ids for one in session.incidents.find_all()]
    assert set().union(*paused) == set(CUSTOMERS[:5])
    chain.approve("/checking")  # one yes for both who came later
    assert set(chain.read_texts("checking")) == set(CUSTOMERS[:5])
    chain.live(70)  # a customer hears nothing more than once an hour
    chain.approve("/cause")
    assert set(chain.read_texts("cause")) >= set(CUSTOMERS[:3])
    chain.approve("respond/book-cool-air")
    chain.live(2)
    assert chain.asks == {"cool-air": AskState.BOOKED}


def test_who_complains_after_letters_expired_is_asked_about_anew(chain: Chain) -> None:
    begin(chain)
    chain.live(6)
    chain.answer("cool-air", YES)
    first = chain.find_hold("respond/checking")
    while chain.state_of("respond/checking") is ActionState.WAITING:
        chain.live(20)
        chain.say(CUSTOMERS[2], HEAT[2])  # so that it goes on
    chain.say(CUSTOMERS[3], HEAT[3])
    chain.live(2)
    with chain.store.reading() as session:
        found = session.holds.find_of(chain.workflow_id)
    assert [
        one.request.action_id != first.request.action_id
        for one in found
        if one.request.action_id.endswith("/checking") and one.state is ActionState.WAITING
    ] == [True]


def test_letters_that_nobody_has_sent_yet_can_be_taken_back(chain: Chain) -> None:
    begin(chain)
    chain.clock.now += timedelta(hours=12)  # at night: the messages wait for the morning
    now = chain.clock.now
    request = chain.find_hold("respond/checking").request
    context = make_context(chain.flow, parts=chain.parts, pilot=chain.pilot)
    acted = write_letters(request, context=context, now=now)
    assert acted.words.endswith(
        "before 2026-07-15 09:00 (Asia/Almaty) (quiet hours, or the policy's delay)"
    )
    with chain.store.reading() as session:
        waiting = find_waiting(session, chain.workflow_id, now=now)
    assert (waiting.n, waiting.first_at) == (6, datetime(2026, 7, 15, 4, tzinfo=UTC))
    assert len(chain.store.read_messages(since=now, until=now + timedelta(days=1))) == 6
    for _ in range(2):  # asked again, nothing changes
        unsend_letters(request, context=context, now=now)
    assert len(chain.store.read_messages(since=now, until=now + timedelta(days=1))) == 0
    assert len(chain.read_texts("checking")) == 3  # the records say what was planned


def test_a_cause_is_told_once_a_human_confirms_it(chain: Chain) -> None:
    begin(chain)
    chain.approve("respond/checking")
    for text in chain.read_texts("checking").values():
        assert "охлажд" not in text
        assert "Салқын" not in text
    chain.live(70)  # vendors are silent; a customer hears nothing more than once an hour
    chain.say(CUSTOMERS[3], HEAT[3])
    chain.confirm_cause("cooling")
    chain.live(1)
    chain.approve("cause")
    expected = chain.pilot.updates.topics["heat"].causes["cooling"]
    texts = chain.read_texts("cause")
    assert set(texts) == set(CUSTOMERS[:3])
    for customer_id, text in texts.items():
        assert expected[LANGUAGES[CUSTOMERS.index(customer_id)]] in text
    chain.confirm_cause("cooling")  # said again, it is no news
    chain.confirm_cause("power")  # whoever read the other one is to read the right one
    chain.live(1)
    chain.approve("0.1/cause")
    corrected = chain.pilot.updates.topics["heat"].causes["power"]
    letters = [one for one in chain.letters if one.action_id.endswith("0.1/cause")]
    assert [one.customer_id for one in letters] == CUSTOMERS[:3]
    for one in letters:
        assert one.request is not None
        assert one.request.evidence["update"] in corrected.values()
        assert one.reason == "cool_down"  # the engine's guards hold, and the report says so
    chain.live_on()
    assert sum(one.request.action_id.endswith("/cause") for one in chain.holds) == 2


def test_what_waits_is_given_up_when_complaints_are_over(chain: Chain) -> None:
    begin(chain)
    chain.live_on()
    assert chain.state_of("respond/checking") in (ActionState.RELEASED, ActionState.EXPIRED)
    assert [one for one in chain.letters if one.request is not None] == []
    with chain.store.reading() as session:
        (paused,) = session.incidents.find_all()
        assert paused.ends_at_us is not None
        assert session.holds.find_in(ActionState.WAITING) == []
    assert chain.burst.state is BurstState.CLOSED
    assert "nobody confirmed one" in chain.burst.report


def test_a_human_closes_an_incident(chain: Chain) -> None:
    begin(chain)
    chain.close()
    assert chain.flow.state is FlowState.ENDED
    assert chain.burst.state is BurstState.CLOSED
    assert "complaints not over" in chain.burst.report
    assert chain.read_texts("over") == {}  # nobody is told that it is better while it is not


def test_a_topic_without_helpers_is_said_and_nobody_is_asked(chain: Chain) -> None:
    chain.live(1)
    for customer_id, text in zip(
        CUSTOMERS, ["администратор нахамила", "тренер хамит", "нахамили на ресепшене"], strict=False
    ):
        chain.say(customer_id, text)
        chain.live(4)
    assert chain.burst.topic == "staff"
    first = next(one for one in chain.notices if one.key.endswith("/tell"))
    assert "no helper is known for this topic" in first.body
    chain.live_on()
    assert chain.asks == {}


def test_waking_up_from_the_journal_gives_the_same_story(new_chain: ChainMaker) -> None:
    chain = new_chain(keeps=False)
    chain.visit(CUSTOMERS[0])
    begin(chain)
    chain.approve("respond/checking")
    chain.live(6)
    chain.answer("cool-air", YES)
    chain.approve("book-cool-air")
    chain.answer("cool-air", VendorAnswer(is_yes=True))
    chain.live(200, step=10)
    chain.approve(f"credit-{CUSTOMERS[0]}")
    chain.live_on()
    assert chain.flow.state is FlowState.ENDED
    assert {one.request.action_id.rpartition("/")[2]: one.state for one in chain.holds} == {
        "pause": ActionState.SETTLED,
        "checking": ActionState.SETTLED,
        "ask-cool-air": ActionState.SETTLED,
        "book-cool-air": ActionState.SETTLED,
        f"credit-{CUSTOMERS[0]}": ActionState.SETTLED,
        "over": ActionState.EXPIRED,
    }
    with chain.store.reading() as session:
        assert verify_chain(session.audit.read()).fault is None


def test_complaints_that_come_back_soon_are_no_recovery_and_nobody_else_is_asked_to_come(
    chain: Chain,
) -> None:
    begin(chain)
    first = chain.burst.incident_id
    chain.live(6)
    chain.answer("cool-air", YES)
    chain.approve("book-cool-air")
    chain.live(2)
    chain.answer("cool-air", VendorAnswer(is_yes=True))
    chain.live(1)
    while chain.bursts[-1].ended_at is None:
        chain.live(1)
    chain.live(8)
    for customer_id, text in zip(CUSTOMERS[3:7], HEAT, strict=False):
        chain.say(customer_id, text)
        chain.live(4)
    chain.live(25)

    (second,) = [one for one in chain.bursts if one.incident_id != first]
    with chain.store.reading() as session:
        letters = session.letters.find_of(f"incident/{first}")
        old, new = (
            {ask.vendor_id: ask.state for ask in session.amends.find_asks(f"incident/{one}")}
            for one in (first, second.incident_id)
        )
    assert [letter for letter in letters if letter.stage == "over"] == []
    assert old["cool-air"] in (AskState.BOOKED, AskState.CONFIRMED)
    assert new == {}


def test_what_comes_after_a_close_begins_another_incident(chain: Chain) -> None:
    begin(chain)
    first = chain.burst.incident_id
    chain.close()
    chain.live(2)
    for n, customer_id in enumerate(CUSTOMERS[3:7]):
        chain.say(customer_id, HEAT[n % len(HEAT)])
        chain.live(4)

    by_id = {one.incident_id: one for one in chain.bursts}
    closed = by_id.pop(first)
    assert closed.state is BurstState.CLOSED
    assert closed.ended_at is not None
    assert set(closed.customer_ids) == set(CUSTOMERS[:3])
    (again,) = by_id.values()
    assert set(again.customer_ids) <= set(CUSTOMERS[3:7])


def test_the_notice_names_a_role_whose_yes_counts(new_chain: ChainMaker) -> None:
    told_so = load_corridor().model_dump()
    told_so["kinds"]["message_customers"]["approvers"] = ("operator",)
    chain = new_chain(corridor=Corridor.model_validate(told_so))
    begin(chain)
    (asked,) = [one for one in chain.notices if one.key.endswith("checking/asked")]
    assert "--role operator" in asked.body
    assert isinstance(chain.approve("respond/checking", role="operator"), Done)


def test_an_answer_by_mail_is_found_however_many_incidents_are_newer(chain: Chain) -> None:
    begin(chain)
    chain.live(6)
    (asked,) = [one for one in chain.notices if one.to.kind is PartyKind.VENDOR]
    mail = f"Subject: Re: {asked.subject}\n\nyes 14000 / 40\n".encode()
    with chain.store.transaction() as session:
        for n in range(101):
            at = chain.clock.now + timedelta(seconds=n)
            seen = NewBurst(
                f"x{n}", f"b{n}/heat/1", f"b{n}", "heat", at, at, 0.1, 0.3, 9, 8, 0.1, False
            )
            session.bursts.open(seen, [])
        reply = read_reply(mail)
        assert reply is not None
        assert take_reply(session, reply, now=chain.clock.now).vendor_id == asked.to.name
