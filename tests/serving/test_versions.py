from collections.abc import Callable
from pathlib import Path

import pytest

from serving.versions import Versions


class KilledError(Exception):
    """Stands for the end of a process."""


def note(text: str, *, then_die: bool = False) -> Callable[[Path, str], None]:
    """Writes a version of one file."""

    def write(home: Path, version: str) -> None:
        (home / "note").write_text(f"{version} {text}", encoding="utf-8")
        if then_die:
            raise KilledError

    return write


def read(home: Path, version: str) -> str:
    text = (home / "note").read_text(encoding="utf-8")
    assert text.startswith(version)
    return text.split()[1]


def test_versions_count_up_and_keep_the_last_few(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "made", n_kept=2)

    assert versions.current() is None
    assert versions.load(read) is None
    assert [versions.publish(note(text)) for text in "abc"] == ["000001", "000002", "000003"]
    assert versions.load(read) == "c"
    assert sorted(p.name for p in versions.folder.iterdir() if p.is_dir()) == ["000002", "000003"]


def test_versions_that_were_not_finished_are_not_seen(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.publish(note("whole"))
    with pytest.raises(KilledError):
        versions.publish(note("half", then_die=True))

    assert versions.load(read) == "whole"
    assert versions.publish(note("next")) == "000002"
    assert versions.load(read) == "next"


def test_versions_without_their_pointer_are_not_seen_and_not_written_over(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.publish(note("first"))
    versions.publish(note("second"))
    (tmp_path / "CURRENT").write_text("000001", encoding="utf-8")  # killed before the last rename

    assert versions.load(read) == "first"
    assert versions.publish(note("third")) == "000003"
    assert versions.load(read) == "third"


def test_versions_are_looked_at_again_when_one_was_cleared_away(tmp_path: Path) -> None:
    versions = Versions(tmp_path, n_kept=1)
    versions.publish(note("old"))
    looks: list[str] = []

    def read_slowly(home: Path, version: str) -> str:
        if not looks:  # two publications between the look at the pointer and the read
            versions.publish(note("newer"))
            versions.publish(note("newest"))
        looks.append(version)
        return read(home, version)

    assert versions.load(read_slowly) == "newest"
    assert looks == ["000001", "000003"]


def test_versions_say_what_is_missing_where_one_is_damaged(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.publish(note("whole"))
    (tmp_path / "000001" / "note").unlink()

    with pytest.raises(FileNotFoundError, match="note"):
        versions.load(read)
