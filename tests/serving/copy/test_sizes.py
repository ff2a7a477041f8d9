"""Sizes of SMS, against a slow reference that encodes and cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.copy.sizes import SmsEncoding, SmsSize, normalise_sms, sms_size

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "^{}\\[~]|€\f"


def reference_size(text: str) -> SmsSize:
    """Write the units out, then cut parts off the front and step back where one would be split."""
    if all(character in GSM + EXTENDED for character in text):
        encoding, alone, part, lead = SmsEncoding.GSM7, 160, 153, {"ESC"}
        units = [u for c in text for u in (("ESC", c) if c in EXTENDED else (c,))]
    else:
        encoding, alone, part = SmsEncoding.UCS2, 70, 67
        raw = text.encode("utf-16-be")
        units = [raw[i : i + 2].hex() for i in range(0, len(raw), 2)]
        lead = {unit for unit in units if "d800" <= unit <= "dbff"}
    n_units, n_segments = len(units), 1
    if n_units > alone:
        n_segments = 0
        while units:
            cut = min(len(units), part)
            if cut < len(units) and units[cut - 1] in lead:
                cut -= 1
            units, n_segments = units[cut:], n_segments + 1
    return SmsSize(encoding, n_units, n_segments)


@pytest.mark.parametrize(
    ("text", "encoding", "n_units", "n_segments"),
    [
        ("", SmsEncoding.GSM7, 0, 1),
        ("a" * 160, SmsEncoding.GSM7, 160, 1),
        ("a" * 161, SmsEncoding.GSM7, 161, 2),
        ("a" * 306, SmsEncoding.GSM7, 306, 2),
        ("a" * 307, SmsEncoding.GSM7, 307, 3),
        ("я" * 70, SmsEncoding.UCS2, 70, 1),
        ("я" * 71, SmsEncoding.UCS2, 71, 2),
        ("я" * 134, SmsEncoding.UCS2, 134, 2),
        ("я" * 135, SmsEncoding.UCS2, 135, 3),
        ("€" * 80, SmsEncoding.GSM7, 160, 1),
        ("a" * 159 + "€", SmsEncoding.GSM7, 161, 2),
        # 152 + an escaped character do not fit 153: the escape moves on with its character.
        ("a" * 152 + "€" + "a" * 152, SmsEncoding.GSM7, 306, 3),
        ("я" * 66 + "\U0001f6d2" + "я" * 66, SmsEncoding.UCS2, 134, 3),
        ("\U0001f6d2" * 35, SmsEncoding.UCS2, 70, 1),
        ("Your order is late’", SmsEncoding.UCS2, 19, 1),
        ("5 000 ₸", SmsEncoding.UCS2, 7, 1),
    ],
)
def test_sms_size_at_the_edges(
    text: str, encoding: SmsEncoding, n_units: int, n_segments: int
) -> None:
    assert sms_size(text) == SmsSize(encoding, n_units, n_segments)


@given(
    st.one_of(
        st.text(alphabet=GSM + EXTENDED, min_size=140, max_size=320),
        st.text(alphabet="аяқ\U0001f6d2\U0001f600 a€", min_size=60, max_size=210),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80),
    )
)
def test_sms_size_equals_the_reference(text: str) -> None:
    assert sms_size(text) == reference_size(text)


def test_normalise_sms_makes_typography_plain_where_it_saves_units() -> None:
    fancy = "It\u2019s \u201cready\u201d \u2014 KZT\u00a012,990\u2026 No\u202fmore"
    assert normalise_sms(fancy) == 'It\'s "ready" - KZT 12,990... No more'
    assert sms_size(normalise_sms(fancy)).encoding is SmsEncoding.GSM7


def test_normalise_sms_keeps_the_typography_of_texts_that_need_ucs2() -> None:
    assert normalise_sms("Чай «Ассам» — 1\u00a0200\u00a0₸") == "Чай «Ассам» — 1 200 ₸"
    # One accented letter outside GSM-7: replacing quotes would gain nothing.
    assert normalise_sms("“Crème brûlée”") == "“Crème brûlée”"


@given(st.text(max_size=100))
def test_normalise_sms_never_costs_a_segment_and_changes_nothing_twice(text: str) -> None:
    normalised = normalise_sms(text)
    assert normalise_sms(normalised) == normalised
    if "…" not in text:
        assert sms_size(normalised).n_segments <= sms_size(text).n_segments
