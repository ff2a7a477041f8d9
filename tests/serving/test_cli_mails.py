"""Folders of mails, while other programs work in them."""

from pathlib import Path

import pytest

from features.errors import SourceUnreadableError
from serving.cli.mails import read_mails


def test_read_mails_reads_a_maildir_out_of_which_somebody_moves_mails(tmp_path: Path) -> None:
    for place in ("new", "cur", "tmp"):
        (tmp_path / place).mkdir()
    for number in range(3):
        (tmp_path / "new" / str(number)).write_bytes(b"mail %d" % number)
    (tmp_path / "tmp" / "9").write_bytes(b"not whole yet")

    reading = read_mails(tmp_path, given="FOLDER")
    seen = [next(reading)]
    (tmp_path / "new" / "1").rename(tmp_path / "cur" / "1:2,S")
    (tmp_path / "new" / "2").unlink()
    seen += reading

    assert [(path.name, content) for path, content in seen] == [
        ("0", b"mail 0"),
        ("1:2,S", b"mail 1"),
    ]


def test_read_mails_says_which_folder_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadableError, match=r"FOLDER .*gone: expected a folder of mails"):
        list(read_mails(tmp_path / "gone", given="FOLDER"))
