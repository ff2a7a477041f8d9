import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from features.errors import BadInputError, ConflictError
from features.vocabulary import Channel, Trigger
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.stored import CellRecord
from serving.store.store import Store
from serving.store.variants import Deed, StoredVariant, VariantShelf, VariantState
from tests.serving.stored import MADE, ids, make_offer, make_stored

FAULT = Fault(FaultCode.NUMBER, "body.0.facts", "5", "a slot")


@pytest.fixture(params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VariantShelf]:
    if request.param == "sqlite":
        store = Store(tmp_path / "store.db")
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        store = Store(new_database())
    yield store.variants
    store.close()


def decide(shelf: VariantShelf, deed: str, one: StoredVariant, **more: int) -> StoredVariant:
    decided: StoredVariant = getattr(shelf, deed)(
        one.variant_id, by="Dana", at=MADE + timedelta(days=1), note="so", **more
    )
    return decided


def test_shelf_gives_back_what_was_added_once(shelf: VariantShelf) -> None:
    faulty = replace(
        make_stored(facts="{greeting}only 5 left: {item}."),
        state=VariantState.FAULTY,
        faults=(FAULT,),
    )
    kept = [make_stored(offer=make_offer()), make_stored(language="ru"), faulty]

    assert shelf.add(kept, by="Claude") == ids(kept)
    assert shelf.add(kept[:1], by="Claude") == []

    assert {one.variant_id: one for one in shelf.find()} == {one.variant_id: one for one in kept}
    assert shelf.find(language="ru") == [kept[1]]
    assert shelf.find(state=VariantState.FAULTY, trigger=Trigger.PRICE_DROP) == [faulty]
    assert shelf.find(channel=Channel.EMAIL) == []
    assert shelf.find(segment="vip") == []
    assert [e.what for e in shelf.history(kept[0].variant_id)] == [Deed.ADDED]
    told = shelf.histories([*ids(kept), "nobody"])
    assert told == {name: shelf.history(name) for name in ids(kept)}
    shelf.score(kept[0].variant_id, score=4.5, by="judge", at=MADE)
    assert [(t.language, t.state, t.n, t.best_score) for t in shelf.list_tallies()] == [
        ("en", VariantState.DRAFT, 1, 4.5),
        ("en", VariantState.FAULTY, 1, None),
        ("ru", VariantState.DRAFT, 1, None),
    ]
    assert shelf.count(VariantState.DRAFT) == 2


def test_only_decisions_about_served_words_change_the_version(shelf: VariantShelf) -> None:
    one, other = make_stored(), make_stored(language="ru")
    shelf.add([one, other], by="Claude")
    before = shelf.version()
    decide(shelf, "reject", other)
    assert shelf.version() == before == 0

    approved = decide(shelf, "approve", one)
    after = shelf.version()
    assert (approved.state, approved.version, after > before) == (VariantState.APPROVED, 2, True)
    assert shelf.list_served() == [one.variant_id]

    decide(shelf, "retire", one)
    assert shelf.version() > after
    assert shelf.list_served() == []
    assert shelf.get(one.variant_id).draft == one.draft

    events = shelf.history(one.variant_id)
    assert [(e.by, e.what, e.note) for e in events] == [
        ("Claude", Deed.ADDED, ""),
        ("Dana", Deed.APPROVED, "so"),
        ("Dana", Deed.RETIRED, "so"),
    ]
    assert events[1].at == MADE + timedelta(days=1)


@pytest.mark.parametrize(
    ("done", "asked", "fault"),
    [
        (["approve"], "approve", "is approved; only what is draft or retired can be approved"),
        (["approve"], "reject", "is approved; only what is draft or faulty can be rejected"),
        (["reject"], "approve", "is rejected; only what is draft or retired can be approved"),
        ([], "retire", "is draft; only what is approved can be retired"),
        (["approve", "retire"], "retire", "is retired; only what is approved can be retired"),
    ],
)
def test_a_state_takes_only_what_leads_on_from_it(
    shelf: VariantShelf, done: list[str], asked: str, fault: str
) -> None:
    one = make_stored()
    shelf.add([one], by="Claude")
    for deed in done:
        decide(shelf, deed, one)
    before = shelf.history(one.variant_id)

    with pytest.raises(ConflictError, match=fault):
        decide(shelf, asked, one)
    assert shelf.history(one.variant_id) == before


def test_a_faulty_draft_is_never_approved(shelf: VariantShelf) -> None:
    faulty = replace(make_stored(), state=VariantState.FAULTY, faults=(FAULT,))
    shelf.add([faulty], by="Claude")
    with pytest.raises(ConflictError, match="is faulty"):
        decide(shelf, "approve", faulty)
    with pytest.raises(BadInputError, match="comes as approved, expected draft or faulty"):
        shelf.add([replace(make_stored(language="ru"), state=VariantState.APPROVED)], by="Claude")


def test_a_verdict_on_what_has_changed_is_refused(shelf: VariantShelf) -> None:
    one = make_stored()
    shelf.add([one], by="Claude")
    shelf.score(one.variant_id, score=4.5, by="judge", at=MADE, note="clear")
    with pytest.raises(ConflictError, match="has changed since it was seen: version 2, seen 1"):
        decide(shelf, "approve", one, seen=1)
    assert shelf.get(one.variant_id).score == 4.5
    assert decide(shelf, "approve", one, seen=2).state is VariantState.APPROVED


def test_of_several_who_decide_at_once_one_does(shelf: VariantShelf) -> None:
    one = make_stored()
    shelf.add([one], by="Claude")
    together, done = threading.Barrier(6), []

    def try_it(deed: str) -> None:
        together.wait()
        try:
            decide(shelf, deed, one)
        except ConflictError:
            return
        done.append(deed)

    threads = [threading.Thread(target=try_it, args=(d,)) for d in ["approve", "reject"] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(done) == 1
    assert len(shelf.history(one.variant_id)) == 2
    assert shelf.get(one.variant_id).version == 2


def test_of_several_all_are_approved_or_none(shelf: VariantShelf) -> None:
    drafts = [make_stored(), make_stored(language="ru"), make_stored(language="kk")]
    shelf.add(drafts, by="Claude")
    decide(shelf, "reject", drafts[2])

    with pytest.raises(ConflictError, match="is rejected"):
        shelf.approve_all(ids(drafts), by="Dana", at=MADE)
    with pytest.raises(BadInputError, match="'nope'"):
        shelf.approve_all([drafts[0].variant_id, "nope"], by="Dana", at=MADE)
    assert shelf.list_served() == []

    twice = [*ids(drafts[:2]), drafts[0].variant_id]
    approved = shelf.approve_all(twice, by="Dana", at=MADE, note="all read")
    assert ids(approved) == ids(drafts[:2])
    assert {one.state for one in approved} == {VariantState.APPROVED}
    assert shelf.history(drafts[0].variant_id)[-1].note == "all read"


def test_what_is_unknown_or_unnamed_is_refused(shelf: VariantShelf) -> None:
    with pytest.raises(BadInputError, match="'nobody': the store has none of that name"):
        shelf.get("nobody")
    with pytest.raises(BadInputError, match="the store has none"):
        shelf.history("nobody")
    shelf.add([make_stored()], by="Claude")
    with pytest.raises(BadInputError, match="expected a name"):
        shelf.approve(make_stored().variant_id, by=" ", at=MADE)
    with pytest.raises(BadInputError, match="expected 1 to 5"):
        shelf.score(make_stored().variant_id, score=7.0, by="judge", at=MADE)


def test_askings_are_booked_and_only_answered_cells_count_as_drafted(shelf: VariantShelf) -> None:
    for key, outcome, usd in (("a", "ok", 0.5), ("b", "refused", 0.25), ("a", "timed_out", 0.0)):
        shelf.note_cell(CellRecord(key, MADE, outcome, "", "claude-x", "variants/1", usd, 3))
    assert shelf.find_drafted(["a", "b", "c"]) == {"a"}
    assert shelf.spent_usd() == 0.75


def test_a_store_of_an_earlier_version_gets_a_shelf(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        for table in ("copy_events", "copy_variants", "copy_briefs", "copy_cells"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()

    store = Store(path)
    store.variants.add([make_stored()], by="Claude")

    assert ids(store.variants.find()) == ids([make_stored()])
    store.close()
