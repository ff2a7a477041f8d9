from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from features.errors import BadInputError, ConflictError, SourceUnreadableError
from serving.audit.anchors import (
    Anchor,
    make_keys,
    read_anchors,
    read_private_key,
    read_public_key,
    write_anchor,
)
from serving.audit.chain import verify_chain
from serving.audit.entries import GENESIS, Entry, EntryKind, make_entry
from serving.audit.story import tell_entries
from serving.store.store import Store

AT = datetime(2026, 6, 10, 7, tzinfo=UTC)


def make_chain(n: int, *, amount: int = 5) -> list[Entry]:
    entries: list[Entry] = []
    head = GENESIS
    for seq in range(1, n + 1):
        entry = make_entry(
            EntryKind.ACTION,
            f"incident/i{seq % 2}",
            {"n": seq, "amount_cents": amount},
            by="w1",
            at=AT + timedelta(minutes=seq),
            words=f"step {seq}",
            seq=seq,
            previous=head,
        )
        entries.append(entry)
        head = entry.hash
    return entries


def anchor_of(entries: list[Entry], seq: int) -> Anchor:
    head = GENESIS if seq == 0 else entries[seq - 1].hash
    return Anchor.of(seq, head, at=AT)


def test_a_whole_chain_agrees_with_its_anchors() -> None:
    entries = make_chain(9)

    verdict = verify_chain(entries, anchors=[anchor_of(entries, n) for n in (0, 4, 9)])

    assert (verdict.fault, verdict.n, verdict.head) == (None, 9, entries[-1].hash)
    assert verdict.n_anchors == 3
    assert verify_chain([]).fault is None


@given(
    row=st.integers(0, 8),
    change=st.sampled_from(
        [
            {"body": '{"amount_cents":6}'},
            {"words": "nothing happened"},
            {"by": "somebody"},
            {"at_us": 0},
            {"kind": "thought"},
            {"subject": "incident/other"},
            {"previous": "1" * 64},
            {"hash": "1" * 64},
        ]
    ),
)
def test_a_changed_row_is_named_whatever_was_changed(row: int, change: dict[str, str]) -> None:
    entries = make_chain(9)
    entries[row] = replace(entries[row], **change)

    assert f"row {row + 1} was changed" in (verify_chain(entries).fault or "")


@given(row=st.integers(0, 7))
def test_a_removed_row_is_named_also_when_the_rest_is_numbered_anew(row: int) -> None:
    entries = make_chain(9)
    left = entries[:row] + entries[row + 1 :]
    renumbered = [replace(entry, seq=seq) for seq, entry in enumerate(left, start=1)]

    assert f"row {row + 1} is missing" in (verify_chain(left).fault or "")
    assert f"row {row + 1} was changed" in (verify_chain(renumbered).fault or "")


@given(row=st.integers(0, 7))
def test_swapped_rows_are_found(row: int) -> None:
    entries = make_chain(9)
    entries[row], entries[row + 1] = (
        replace(entries[row + 1], seq=row + 1),
        replace(entries[row], seq=row + 2),
    )

    assert f"row {row + 1} was changed" in (verify_chain(entries).fault or "")


def test_a_row_put_in_with_a_right_hash_does_not_follow() -> None:
    entries, other = make_chain(9), make_chain(9, amount=6)
    entries[4] = other[4]

    assert verify_chain(entries).fault == (
        "row 5 does not follow row 4: rows were moved, removed or put in"
    )


@given(left=st.integers(0, 8))
def test_a_cut_tail_is_seen_by_an_anchor_only(left: int) -> None:
    entries = make_chain(9)

    assert verify_chain(entries[:left]).fault is None
    fault = verify_chain(entries[:left], anchors=[anchor_of(entries, 9)]).fault
    assert fault is not None
    assert "the tail was cut" in fault
    assert f"{left + 1}" in fault


def test_a_chain_written_anew_is_seen_by_an_anchor_only() -> None:
    entries, other = make_chain(9), make_chain(9, amount=6)

    assert verify_chain(other).fault is None
    fault = verify_chain(other, anchors=[anchor_of(entries, 3)]).fault
    assert fault is not None
    assert fault.startswith("row 3 is not the one that an anchor")
    two = [anchor_of(entries, 3), anchor_of(other, 3)]
    assert verify_chain(other, anchors=two).fault is not None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"text": "x" * 201}, "more than 200 characters is a text"),
        ({"p": float("nan")}, "no JSON"),
        ({"names": ["a", "b" * 201]}, "more than 200"),
    ],
)
def test_an_entry_holds_names_and_no_texts(body: dict[str, str | float], fault: str) -> None:
    with pytest.raises(BadInputError, match=fault):
        make_entry(EntryKind.ACTION, "s", body, by="w1", at=AT, words="", seq=1, previous=GENESIS)


# ---------------------------------------------------------------- anchors


def test_an_anchor_is_checked_with_the_public_key_alone(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "keys")
    entries = make_chain(5)
    key = read_public_key(public)
    line = write_anchor(anchor_of(entries, 5), key=read_private_key(private))

    mail = f"Good morning,\n\n  {line}\n\nYours\n"
    assert read_anchors(mail, key=key, place="mail") == [anchor_of(entries, 5)]
    assert private.stat().st_mode & 0o077 == 0
    with pytest.raises(ConflictError, match="already"):
        make_keys(tmp_path / "keys")


def test_anchors_of_another_key_or_changed_ones_are_refused_all_at_once(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "keys")
    other, _ = make_keys(tmp_path / "other")
    entries = make_chain(5)
    good = write_anchor(anchor_of(entries, 5), key=read_private_key(private))
    forged = write_anchor(anchor_of(entries, 5), key=read_private_key(other))
    changed = good.replace('"seq":5', '"seq":4')

    with pytest.raises(BadInputError) as fault:
        read_anchors(
            "\n".join([good, forged, changed, "{", '{"seq": -1}']),
            key=read_public_key(public),
            place="anchors",
        )

    said = str(fault.value)
    assert said.startswith("anchors: line 2: not signed with this key")
    assert "line 3: not signed" in said
    assert "line 4: no JSON" in said
    assert "line 5: seq: Input should be greater" in said
    assert "line 1:" not in said
    with pytest.raises(BadInputError, match="holds no anchor"):
        read_anchors("hello", key=read_public_key(public), place="anchors")


def test_files_that_hold_no_key_are_named(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path)
    for path, read in ((public, read_private_key), (private, read_public_key)):
        with pytest.raises(SourceUnreadableError, match="expected a"):
            read(path)
    with pytest.raises(SourceUnreadableError, match="No such file"):
        read_public_key(tmp_path / "nowhere")


# ---------------------------------------------------------------- in the store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        store = Store(tmp_path / "store.db")
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        store = Store(new_database())
    yield store
    store.close()


def append(store: Store, subject: str, n: int, *, quote: str = "") -> None:
    with store.transaction() as session:
        session.audit.append(
            EntryKind.OBSERVATION,
            subject,
            {"n": n, "customers": ["c1", "c2"]},
            by="detector",
            at=AT,
            words=f"complaint {n}",
            quote=quote,
        )


def test_appenders_at_once_make_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: append(store, f"incident/i{n % 2}", n), range(60)))

    with store.reading() as session:
        entries = list(session.audit.read())
        half = list(session.audit.read(subject="incident/i1"))
    assert [entry.seq for entry in entries] == list(range(1, 61))
    assert verify_chain(entries).fault is None
    assert len(half) == 30


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE audit_log SET words = 'nothing' WHERE seq = 3", "row 3 was changed"),
        ("DELETE FROM audit_log WHERE seq = 2", "row 2 is missing"),
        ("DELETE FROM audit_log WHERE seq IN (1, 2, 3)", "rows 1 to 3 are missing"),
        ("DELETE FROM audit_log WHERE seq > 3", "rows 4 to 5 are missing: the tail was cut"),
    ],
)
def test_tampering_with_the_table_is_found(store: Store, tampering: str, fault: str) -> None:
    for n in range(5):
        append(store, "incident/i1", n)
    with store.reading() as session:
        anchor = Anchor.of(*session.audit.find_head(), at=AT)
    with store._engine.begin() as connection:
        connection.execute(text(tampering))

    with store.reading() as session:
        assert fault in (verify_chain(session.audit.read(), anchors=[anchor]).fault or "")


def test_quotes_are_masked_and_the_story_is_told_by_the_clock_of_the_place(store: Store) -> None:
    append(store, "incident/i1", 1, quote="Душно! Звоните +7 701 123-45-67, a@b.kz")
    append(store, "incident/i2", 2)

    with store.reading() as session:
        lines = list(
            tell_entries(session.audit.read(subject="incident/i1"), zone=ZoneInfo("Asia/Almaty"))
        )

    assert lines == [
        "2026-06-10 (Asia/Almaty)",
        '  12:00:00  saw      complaint 1 "Душно! Звоните [phone], [email]"  [detector]',
    ]
