"""The anchor of the day: once, after a pause at once, never twice, and a fault is told."""

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import ConfigurationError, SourceUnreadableError
from serving.audit.anchors import (
    Anchor,
    make_keys,
    read_anchors,
    read_public_key,
)
from serving.audit.daily_anchor import Anchored, DailyAnchor, wire_daily_anchor
from serving.audit.entries import EntryKind
from serving.store.notices import Notice
from serving.store.store import Store

MORNING = datetime(2026, 6, 10, 7, tzinfo=UTC)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make_keys(tmp_path / "keys")


def begin(store: Store, keys: tuple[Path, Path], *, folder: Path | None) -> DailyAnchor:
    """As a process that starts: it knows nothing of those before it."""
    anchor = wire_daily_anchor(store, key=keys[0], folder=folder)
    assert anchor is not None
    return anchor


def add_row(store: Store) -> None:
    with store.transaction() as session:
        session.audit.append(EntryKind.SYSTEM, "test", {}, by="test", at=MORNING, words="a row")


def read_file(path: Path, keys: tuple[Path, Path]) -> list[Anchor]:
    return read_anchors(path.read_text(), key=read_public_key(keys[1]), place=path.name)


def find_notice(store: Store, key: str) -> Notice | None:
    with store.reading() as session:
        return session.notices.find(key)


def test_a_file_is_made_once_a_day_and_at_once_after_days_without(
    store: Store, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "away"
    folder.mkdir()
    anchor = begin(store, keys, folder=folder)
    add_row(store)

    assert anchor.look(MORNING) == Anchored(
        f"the anchor of 2026-06-10, 1 rows, is kept in {folder}", is_kept=True
    )
    add_row(store)
    assert anchor.look(MORNING + 16 * _HOUR) is None
    assert begin(store, keys, folder=folder).look(MORNING + 16 * _HOUR) is None
    assert anchor.look(MORNING + 17 * _HOUR) is not None  # midnight in UTC
    add_row(store)
    assert begin(store, keys, folder=folder).look(MORNING + 5 * _DAY) is not None

    assert {path.name: [one.seq for one in read_file(path, keys)] for path in folder.iterdir()} == {
        "anchor-2026-06-10.jsonl": [1],
        "anchor-2026-06-11.jsonl": [2],
        "anchor-2026-06-15.jsonl": [3],
    }


def test_the_owner_is_told_once_a_day_however_the_log_grows(
    store: Store, keys: tuple[Path, Path]
) -> None:
    add_row(store)
    looks = [begin(store, keys, folder=None).look(MORNING)]
    add_row(store)
    looks += [begin(store, keys, folder=None).look(MORNING + _HOUR)]
    looks += [begin(store, keys, folder=None).look(MORNING + _DAY)]

    assert [look is not None for look in looks] == [True, False, True]
    told = [find_notice(store, f"anchor/2026-06-{day}/daily") for day in (10, 11)]
    public = read_public_key(keys[1])
    anchors = [read_anchors(one.body, key=public, place="mail") for one in told if one is not None]
    assert [[one.seq for one in found] for found in anchors] == [[1], [2]]


def test_a_folder_that_is_not_there_is_told_and_tried_again(
    store: Store, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "away"
    anchor = begin(store, keys, folder=folder)

    failed = anchor.look(MORNING)

    assert failed is not None
    assert not failed.is_kept
    assert f"{folder}: cannot be written to: No such file" in failed.words
    notice = find_notice(store, "anchor/2026-06-10/failed")
    assert notice is not None
    assert str(folder) in notice.body
    folder.mkdir()
    assert anchor.look(MORNING + timedelta(seconds=59)) is None
    kept = anchor.look(MORNING + timedelta(seconds=60))
    assert kept is not None
    assert kept.is_kept
    assert [path.name for path in folder.iterdir()] == ["anchor-2026-06-10.jsonl"]


def test_a_folder_without_a_key_and_a_key_that_is_none_are_refused(
    store: Store, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    assert wire_daily_anchor(store, key=None, folder=None) is None
    with pytest.raises(ConfigurationError, match="expected OPPORTUNE_ANCHOR_KEY, too"):
        wire_daily_anchor(store, key=None, folder=tmp_path)
    with pytest.raises(SourceUnreadableError, match="expected a private Ed25519 key"):
        wire_daily_anchor(store, key=keys[1], folder=tmp_path)


@pytest.mark.parametrize("has_links", [True, False])
def test_the_first_of_two_processes_that_write_one_day_is_kept(
    store: Store,
    keys: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_links: bool,
) -> None:
    """The second signs a longer log, and is done before the first gives its file a name."""
    folder = tmp_path / "away"
    folder.mkdir()
    add_row(store)
    one, other = (begin(store, keys, folder=folder) for _ in range(2))
    kept: list[Anchored | None] = []

    def sync(_: int) -> None:
        if not kept:
            kept.append(None)
            add_row(store)
            kept[0] = other.look(MORNING)

    def refuse(_: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(target))

    monkeypatch.setattr(os, "fsync", sync)
    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    kept.append(one.look(MORNING))

    assert kept == [
        Anchored(f"the anchor of 2026-06-10, 2 rows, is kept in {folder}", is_kept=True),
        None,
    ]
    [path] = folder.iterdir()
    assert [anchor.seq for anchor in read_file(path, keys)] == [2]


def test_an_anchor_that_a_person_adds_meanwhile_is_not_written_over(
    store: Store, keys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "away"
    folder.mkdir()
    path = folder / "anchor-2026-06-10.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _: path.write_text("by hand\n", encoding="utf-8"))

    assert begin(store, keys, folder=folder).look(MORNING) is None

    assert path.read_text(encoding="utf-8") == "by hand\n"
    assert list(folder.iterdir()) == [path]
