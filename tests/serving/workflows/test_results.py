"""What effects came to, as text."""

import pytest

from serving.workflows import results
from serving.workflows.results import Flag, Kept, Raised


def test_what_reads_a_type_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wake-up asks for these hundreds of times, and each takes milliseconds to make."""
    written = Kept(Flag).or_(Raised).write(Flag(True))
    monkeypatch.setattr(results, "TypeAdapter", None)

    assert Kept(Flag).or_(Raised).read(written) == Flag(True)
