from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from serving.audit.entries import MOST_WORDS
from serving.corridor.actions import (
    ActionRequest,
    ActionState,
    Claimed,
    Denied,
    Done,
    Go,
    NeedsApproval,
    Rule,
    Silence,
    Wait,
)
from serving.corridor.desk import CorridorDesk
from serving.corridor.rules import CHECKS
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.corridor.stop_files import put_stop_file, remove_stop_files
from serving.store.store import Store
from tests.serving.corridor.small import (
    BOOK,
    CHEAP,
    MINUTE,
    NOW,
    TELL,
    claim,
    make_corridor,
    make_kind,
    propose,
    rule_of,
    say,
)


def test_desk_answers_by_the_kind_of_action(store: Store, desk: CorridorDesk) -> None:
    offer = replace(BOOK, action_id="a2", kind="offer")
    final = replace(CHEAP, action_id="a4", is_reversible=False)
    tell_for_good = replace(TELL, action_id="a5", is_reversible=False)

    assert propose(store, desk, TELL) == Go("a1")
    assert propose(store, desk, offer) == NeedsApproval(
        "a2", ("owner", "operator"), NOW + 60 * MINUTE
    )
    assert propose(store, desk, replace(CHEAP, action_id="a3")) == Wait(
        "a3", NOW + 10 * MINUTE, Silence.GO
    )
    assert propose(store, desk, final) == Wait("a4", NOW + 10 * MINUTE, Silence.ESCALATE)
    assert isinstance(propose(store, desk, tell_for_good), NeedsApproval)


def test_an_action_goes_from_hold_to_settled_and_the_rest_is_free_again(
    store: Store, desk: CorridorDesk
) -> None:
    assert isinstance(propose(store, desk, BOOK), Wait)
    assert rule_of(claim(store, desk, minutes=11)) is Rule.APPROVAL  # silence is no yes for money
    assert say(store, desk, "approve", minutes=12) == Done(ActionState.WAITING)
    assert claim(store, desk, minutes=13) == Claimed(BOOK, is_again=False)
    assert claim(store, desk, minutes=14) == Claimed(BOOK, is_again=True)
    assert rule_of(claim(store, desk, minutes=14, actor="w2")) is Rule.ACTOR
    with store.transaction() as session:
        later = NOW + 15 * MINUTE
        over = desk.settle(session, "a1", actor="w1", actual_cents=301, now=later)
        other = desk.settle(session, "a1", actor="w2", actual_cents=200, now=later)
        done = desk.settle(session, "a1", actor="w1", actual_cents=200, now=later)
        again = desk.settle(session, "a1", actor="w1", actual_cents=200, now=later)
        changed = desk.settle(session, "a1", actor="w1", actual_cents=199, now=later)
        stolen = desk.settle(session, "a1", actor="w2", actual_cents=200, now=later)
        released = desk.release(session, "a1", by="w1", now=later, why="no")
        assert session.holds.find_faults() == []
    assert (rule_of(over), rule_of(other)) == (Rule.AMOUNT, Rule.ACTOR)
    assert (done, again.state if isinstance(again, Done) else again) == (
        Done(ActionState.SETTLED),
        ActionState.SETTLED,
    )
    assert {rule_of(one) for one in (changed, stolen, released)} == {Rule.STATE}

    # 1000 cents a subject: 200 are spent, so 800 are free, of which one takes 500.
    two = replace(BOOK, action_id="b", amount_cents=500)
    three = replace(BOOK, action_id="c", amount_cents=301, vendor="v2")
    assert isinstance(propose(store, desk, two, minutes=15), Wait)
    full = propose(store, desk, three, minutes=15)
    assert isinstance(full, Denied)
    assert full.rule is Rule.BOOKS
    assert "subject/incident%2Fi1" in full.why
    assert isinstance(propose(store, desk, replace(three, amount_cents=300), minutes=15), Wait)


@pytest.mark.parametrize(
    ("change", "account"),
    [
        ({"per_day": {"cents": 500, "actions": 9}}, "day/2026-06-10"),
        ({"per_day": {"cents": 1500, "actions": 1}}, "day/2026-06-10"),
        ({"per_vendor": {"cents": 500, "actions": 9}}, "vendor/v1/2026-06"),
        ({"per_subject": {"cents": 500, "actions": 9}}, "subject/incident%2Fi1"),
        ({"total": {"cents": 599, "actions": 9}}, "total/small"),
        ({"total": {"cents": 9000, "actions": 1}}, "total/small"),
    ],
)
def test_each_limit_refuses_what_does_not_fit_and_holds_nothing_of_it(
    store: Store, home: Path, change: dict[str, object], account: str
) -> None:
    desk = CorridorDesk(make_corridor(**change), home=home)
    assert isinstance(propose(store, desk, BOOK), Wait)

    refused = propose(store, desk, replace(BOOK, action_id="a2"))

    assert isinstance(refused, Denied)
    assert refused.rule is Rule.BOOKS
    assert refused.why.startswith(account)
    with store.transaction() as session:
        assert session.holds.find("a2") is None
        assert session.holds.find_faults() == []
        desk.release(session, "a1", by="w1", now=NOW, why="not needed")
    assert isinstance(propose(store, desk, replace(BOOK, action_id="a2")), Wait)


def test_days_are_counted_in_the_zone_of_the_corridor(store: Store, home: Path) -> None:
    desk = CorridorDesk(make_corridor(per_day={"cents": 300, "actions": 9}), home=home)
    assert isinstance(propose(store, desk, BOOK), Wait)

    claimed = say(store, desk, "approve"), claim(store, desk)  # so that it does not expire
    late = propose(store, desk, replace(BOOK, action_id="a2"), minutes=12 * 60 - 1)
    next_day = propose(store, desk, replace(BOOK, action_id="a2"), minutes=12 * 60)

    assert isinstance(claimed[1], Claimed)
    assert rule_of(late) is Rule.BOOKS
    assert isinstance(next_day, Wait)  # midnight in Almaty, 19:00 UTC


def test_once_per_customer_within_a_subject(store: Store, desk: CorridorDesk) -> None:
    first = replace(BOOK, kind="amends", amount_cents=100, customer="c1")

    assert isinstance(propose(store, desk, first), Wait)
    assert rule_of(propose(store, desk, replace(first, action_id="a2"))) is Rule.BOOKS
    other = replace(first, action_id="a3", customer="c2")
    elsewhere = replace(first, action_id="a4", subject="incident/i2")
    assert isinstance(propose(store, desk, other), Wait)
    assert isinstance(propose(store, desk, elsewhere), Wait)
    assert rule_of(propose(store, desk, replace(first, action_id="a5", customer=None))) is Rule.KIND


def test_asking_again_changes_nothing_and_another_request_is_refused(
    store: Store, desk: CorridorDesk
) -> None:
    first = propose(store, desk, BOOK)

    assert propose(store, desk, BOOK, minutes=3) == first
    changed = replace(BOOK, amount_cents=299)
    assert rule_of(propose(store, desk, changed, minutes=3)) is Rule.KEY
    with store.reading() as session:
        assert "by rule key" in list(session.audit.read())[-1].words
    say(store, desk, "veto", minutes=4)
    assert rule_of(propose(store, desk, BOOK, minutes=5)) is Rule.VETOED


def test_a_veto_beats_an_approval_of_the_same_instant(store: Store, desk: CorridorDesk) -> None:
    propose(store, desk, BOOK)
    say(store, desk, "approve", minutes=1)

    assert say(store, desk, "veto", minutes=1, role="viewer") == Done(ActionState.VETOED)
    assert rule_of(claim(store, desk, minutes=1)) is Rule.VETOED
    assert rule_of(say(store, desk, "approve", minutes=1)) is Rule.VETOED
    with store.reading() as session:
        assert session.holds.find_faults() == []
        assert [said.word.value for said in session.holds.find_words("a1")] == ["approve", "veto"]


def test_a_veto_counts_whatever_the_clock_the_policy_and_the_switches_say(
    store: Store, desk: CorridorDesk, home: Path
) -> None:
    propose(store, desk, BOOK)
    put_stop_file(home, branch=None, note="Dana")
    broken = CorridorDesk(BrokenCorridor("gone"), home=home)

    assert say(store, broken, "veto", minutes=-600) == Done(ActionState.VETOED)
    assert say(store, desk, "veto", minutes=0) == Done(ActionState.VETOED, is_again=True)


def test_a_veto_counts_whatever_its_sender_is_called(store: Store, desk: CorridorDesk) -> None:
    propose(store, desk, BOOK)
    with store.transaction() as session:
        done = desk.veto(session, "a1", by="\x00" * 300, role="", now=NOW, note="\ud800")
    assert done == Done(ActionState.VETOED)
    with store.reading() as session:
        assert [said.role for said in session.holds.find_words("a1")] == ["unknown"]


def test_a_veto_counts_however_long_its_note_is_and_what_is_cut_is_masked(
    store: Store, desk: CorridorDesk
) -> None:
    propose(store, desk, BOOK)
    note = "@ab " * 800 + "a@b.kz"  # masks are longer than what they stand for
    with store.transaction() as session:
        done = desk.veto(session, "a1", by="Dana", role="owner", now=NOW, note=note)
    assert done == Done(ActionState.VETOED)
    with store.reading() as session:
        words = list(session.audit.read())[-1].words
    assert len(words) == MOST_WORDS
    assert "[handle] [handle]" in words
    assert "@" not in words


def test_a_veto_after_the_claim_is_told_that_it_is_too_late(
    store: Store, desk: CorridorDesk
) -> None:
    propose(store, desk, TELL)
    claim(store, desk)

    assert rule_of(say(store, desk, "veto")) is Rule.STATE


def test_approvals_expire_and_only_some_roles_may_give_them(
    store: Store, desk: CorridorDesk
) -> None:
    propose(store, desk, replace(BOOK, kind="offer", amount_cents=10))
    stale = CorridorDesk(make_corridor(approval_minutes=5), home=desk.home)

    assert rule_of(say(store, desk, "approve", role="viewer")) is Rule.ROLE
    assert rule_of(claim(store, desk)) is Rule.APPROVAL
    assert say(store, stale, "approve") == Done(ActionState.WAITING)
    assert rule_of(claim(store, stale, minutes=5)) is Rule.APPROVAL
    say(store, desk, "approve", minutes=6)
    # A role that has lost its say since has lost its yes, too.
    kinds = make_corridor().model_dump()["kinds"]
    kinds["offer"]["approvers"] = ("board",)
    stricter = CorridorDesk(make_corridor(kinds=kinds), home=desk.home)
    assert rule_of(claim(store, stricter, minutes=7)) is Rule.APPROVAL
    assert isinstance(claim(store, desk, minutes=7), Claimed)


def test_nothing_is_claimed_before_its_window_ends_or_after_it_expired(
    store: Store, desk: CorridorDesk
) -> None:
    propose(store, desk, CHEAP)

    assert rule_of(claim(store, desk, minutes=9.99)) is Rule.WINDOW
    assert rule_of(claim(store, desk, minutes=70)) is Rule.EXPIRED
    with store.transaction() as session:
        assert desk.expire(session, now=NOW + 69 * MINUTE) == []
        assert desk.expire(session, now=NOW + 70 * MINUTE) == ["a1"]
        assert session.holds.find_faults() == []
    assert rule_of(say(store, desk, "approve", minutes=71)) is Rule.EXPIRED


@pytest.mark.parametrize("branch", [None, "north"])
@pytest.mark.parametrize("where", ["file", "row"])
def test_either_switch_stops_what_waits_and_what_comes(
    store: Store, desk: CorridorDesk, home: Path, where: str, branch: str | None
) -> None:
    propose(store, desk, TELL)
    if where == "file":
        put_stop_file(home, branch=branch, note="Dana")
    else:
        with store.transaction() as session:
            session.switches.throw(branch=branch, is_stopped=True, by="Dana", at=NOW)

    assert rule_of(claim(store, desk)) is Rule.STOPPED
    assert rule_of(propose(store, desk, replace(TELL, action_id="a2"))) is Rule.STOPPED
    elsewhere = propose(store, desk, replace(TELL, action_id="a3", branch="south"))
    assert rule_of(elsewhere) is (Rule.STOPPED if branch is None else None)

    if where == "file":
        remove_stop_files(home, branch=branch)
    else:
        with store.transaction() as session:
            session.switches.throw(branch=branch, is_stopped=False, by="Dana", at=NOW)
    assert isinstance(claim(store, desk), Claimed)


def test_a_row_stops_its_branch_however_it_is_spelt(store: Store, desk: CorridorDesk) -> None:
    for is_stopped in (True, False):
        with store.transaction() as session:
            session.switches.throw(branch="NORTH", is_stopped=is_stopped, by="Dana", at=NOW)
        answer = propose(store, desk, replace(TELL, action_id=f"a{is_stopped}"))
        assert rule_of(answer) is (Rule.STOPPED if is_stopped else None)


def test_switches_stop_where_they_cannot_be_read(store: Store, desk: CorridorDesk) -> None:
    no_home = CorridorDesk(desk.corridor, home=desk.home / "nowhere")
    assert rule_of(propose(store, no_home, TELL)) is Rule.STOPPED

    with store._engine.begin() as connection:
        connection.execute(text("DROP TABLE corridor_switches"))
    refused = propose(store, desk, TELL)
    assert isinstance(refused, Denied)
    assert refused.rule is Rule.STOPPED
    assert "cannot be read" in refused.why


def test_a_broken_corridor_rule_or_clock_is_a_no(store: Store, desk: CorridorDesk) -> None:
    def fail(request: ActionRequest, corridor: Corridor) -> str | None:
        raise TypeError("planted")

    propose(store, desk, TELL)
    other = replace(TELL, action_id="a2")
    broken = CorridorDesk(BrokenCorridor("no such file"), home=desk.home)
    for rule in CHECKS:
        faulty = CorridorDesk(desk.corridor, home=desk.home, checks={**CHECKS, rule: fail})
        assert rule_of(propose(store, faulty, other)) is Rule.BROKEN
        assert rule_of(claim(store, faulty)) is Rule.BROKEN
    assert rule_of(propose(store, broken, other)) is Rule.POLICY
    assert rule_of(claim(store, broken)) is Rule.POLICY
    assert rule_of(say(store, broken, "approve")) is Rule.POLICY
    assert rule_of(propose(store, desk, other, minutes=-1)) is Rule.CLOCK
    assert rule_of(claim(store, desk, minutes=-1)) is Rule.CLOCK
    assert isinstance(claim(store, desk, minutes=-0.05), Claimed)  # within its slack


def test_a_stricter_corridor_holds_for_what_was_proposed_before(
    store: Store, desk: CorridorDesk
) -> None:
    propose(store, desk, CHEAP)
    kinds = make_corridor().model_dump()["kinds"]
    asking = {**kinds, "cheap": make_kind(needs_approval=True, on_silence="drop")}
    smaller = {**kinds, "cheap": make_kind(max_cents=10)}

    for changed, rule in ((asking, Rule.APPROVAL), (smaller, Rule.AMOUNT), (None, Rule.KIND)):
        left = changed or {"tell": kinds["tell"]}
        stricter = CorridorDesk(make_corridor(kinds=left), home=desk.home)
        assert rule_of(claim(store, stricter, minutes=11)) is rule
