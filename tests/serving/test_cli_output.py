"""What commands show."""

import pytest

from serving.cli import output


def test_a_table_shows_words_of_people_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("m0", "sent, says Dana [/ops]"), ("m1", "[no contract yet]")]
    output.show_table(("message", "why"), rows, title="2 [of 2]")
    said = capsys.readouterr().out
    for words in ("2 [of 2]", "sent, says Dana [/ops]", "[no contract yet]"):
        assert words in said
