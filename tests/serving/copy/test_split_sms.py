"""An SMS is cut where networks cut it."""

from hypothesis import given
from hypothesis import strategies as st

from serving.copy.sizes import SmsEncoding, sms_size, split_sms

LATIN = st.text(alphabet="ab €[]\n", max_size=400)
WIDE = st.text(alphabet="aя[😀", max_size=250)
ROOM = {SmsEncoding.GSM7: (160, 153), SmsEncoding.UCS2: (70, 67)}


@given(st.one_of(LATIN, WIDE))
def test_split_sms_agrees_with_its_size(text: str) -> None:
    size, parts = sms_size(text), split_sms(text)

    assert "".join(part.text for part in parts) == text
    assert len(parts) == size.n_segments
    assert sum(part.n_units for part in parts) == size.n_units
    room = ROOM[size.encoding][len(parts) > 1]
    assert {part.n_units_at_most for part in parts} == {room}
    assert all(part.n_units <= room for part in parts)
    # A part ends early only where a character of two units would not have fitted.
    assert all(part.n_units >= room - 1 for part in parts[:-1])


def test_split_sms_keeps_a_pair_and_an_escape_together() -> None:
    assert [part.n_units for part in split_sms("я" * 66 + "😀" + "я" * 9)] == [66, 11]
    assert [part.n_units for part in split_sms("a" * 152 + "€" + "a" * 9)] == [152, 11]
