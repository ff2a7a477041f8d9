"""The books and the log behind the desk."""

import pytest
from sqlalchemy import text

from features.errors import ConflictError
from serving.audit.chain import verify_chain
from serving.corridor.actions import ActionState, Rule
from serving.corridor.desk import CorridorDesk
from serving.store.store import Store
from tests.serving.corridor.small import BOOK, NOW, TELL, claim, propose, rule_of


def test_unknown_actions_are_refused_everywhere(store: Store, desk: CorridorDesk) -> None:
    with store.transaction() as session:
        answers = [
            desk.approve(session, "x", by="Dana", role="owner", now=NOW),
            desk.veto(session, "x", by="Dana", role="owner", now=NOW),
            desk.claim(session, "x", actor="w1", now=NOW),
            desk.settle(session, "x", actor="w1", actual_cents=0, now=NOW),
            desk.release(session, "x", by="w1", now=NOW, why="no"),
        ]
    assert {rule_of(answer) for answer in answers} == {Rule.UNKNOWN}


def test_books_refuse_to_move_what_has_moved(store: Store, desk: CorridorDesk) -> None:
    propose(store, desk, TELL)
    with store.reading() as session:
        waiting = session.holds.find("a1")
    assert waiting is not None
    claim(store, desk)

    with pytest.raises(ConflictError, match="not waiting any more"), store.transaction() as session:
        session.holds.claim(waiting, actor="w2")
    with pytest.raises(ConflictError), store.transaction() as session:
        session.holds.free(waiting, into=ActionState.VETOED)


def test_books_that_do_not_add_up_are_found(store: Store, desk: CorridorDesk) -> None:
    propose(store, desk, BOOK)
    with store._engine.begin() as connection:
        connection.execute(
            text("UPDATE corridor_accounts SET held_cents = 299 WHERE account = 'total/small'")
        )
        connection.execute(
            text("DELETE FROM corridor_accounts WHERE account = 'vendor/v1/2026-06'")
        )

    with store.reading() as session:
        faults = session.holds.find_faults()

    assert faults == [
        "total/small: held_cents is 299, its actions add up to 300",
        "vendor/v1/2026-06: actions take from it, and it is gone",
    ]


def test_the_log_is_kept_with_the_state_or_not_at_all(store: Store, desk: CorridorDesk) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as session:
        desk.propose(session, BOOK, now=NOW)
        raise ZeroDivisionError
    with store.reading() as session:
        assert session.audit.find_head()[0] == 0
        assert session.holds.find("a1") is None

    propose(store, desk, BOOK)
    with store.transaction() as session:
        note = "call +7 701\n123-45-\u200b67\x00"
        desk.veto(session, "a1", by="Dana", role="owner", now=NOW, note=note)
    with store.reading() as session:
        entries = list(session.audit.read(subject="incident/i1"))
    assert verify_chain(entries).fault is None
    assert [(entry.kind, entry.by, entry.words) for entry in entries] == [
        (
            "decision",
            "corridor",
            (
                "holds 3.00 KZT for book (vendor v1, branch north); a veto counts until "
                "2026-06-10 12:10 (Asia/Almaty), silence does not let it go"
            ),
        ),
        (
            "human",
            "Dana",
            'book (vendor v1, branch north): Dana (owner) says no "call [phone] "',
        ),
    ]
