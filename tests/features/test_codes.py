"""Codes of texts: the same number from SQL and from here, whatever the text."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from features.codes import CODE_DIVISOR, find_code, hash_short, write_code

_MOST = 16**3


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_the_code_is_the_same_in_sql(texts: list[str]) -> None:
    rows = duckdb.execute(f"SELECT {write_code('v')} FROM (SELECT UNNEST(?) AS v)", [texts])
    assert [code for (code,) in rows.fetchall()] == [find_code(text) for text in texts]


@given(st.text())
def test_a_code_is_the_head_of_the_short_hash(text: str) -> None:
    whole = hash_short(text)
    assert whole == int(whole) < 2**52
    assert find_code(text) == int(whole / CODE_DIVISOR) < _MOST


def test_codes_are_spread_over_their_range() -> None:
    codes = {find_code(f"segment {n}") for n in range(20_000)}
    assert 0.98 * _MOST < len(codes) <= _MOST


def test_null_has_no_code() -> None:
    found = duckdb.execute(f"SELECT {write_code('v')} FROM (SELECT CAST(NULL AS VARCHAR) AS v)")
    assert found.fetchall() == [(None,)]
