import re
from html import unescape
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serving.console.differences import cut_runs, find_own_words, find_runs, mark_html
from serving.copy.letter import Letter, Link

TEXTS = st.text(alphabet="ab <>&'\"яқ.\n", max_size=40)


def test_find_own_words_sees_no_case_and_knows_kazakh_letters() -> None:
    own = find_own_words("Қала мен Ауыл", siblings=["қала", "мен"])

    assert own == {"ауыл"}


def test_find_own_words_without_siblings_are_all() -> None:
    assert find_own_words("a b", siblings=[]) == {"a", "b"}


@given(text=TEXTS, own=st.sets(st.sampled_from(["a", "b", "ab", "я"])))
def test_find_runs_keeps_every_character(text: str, own: set[str]) -> None:
    runs = find_runs(text, own=own)

    assert "".join(run.text for run in runs) == text
    assert all(one.is_own != two.is_own for one, two in pairwise(runs))


@given(text=TEXTS, lengths=st.lists(st.integers(1, 15), max_size=4))
def test_cut_runs_cuts_where_it_is_told(text: str, lengths: list[int]) -> None:
    stretches = cut_runs(find_runs(text, own={"a", "b"}), lengths=lengths)

    words = ["".join(run.text for run in stretch) for stretch in stretches]
    assert "".join(words) == text
    assert len(words) == len(lengths) + 1
    expected, at = [], 0
    for length in lengths:
        expected.append(text[at : at + length])
        at += length
    assert words == [*expected, text[at:]]


@given(paragraph=TEXTS, url=TEXTS)
def test_mark_html_changes_nothing_but_marks(paragraph: str, url: str) -> None:
    html = Letter(
        language="en",
        paragraphs=(paragraph,),
        button=Link("ab", url),
        sign_off="b",
        reason="a",
        unsubscribe=None,
    ).to_html()

    marked = str(mark_html(html, own={"a", "b", "ab"}))

    bare = marked.replace("<mark>", "").replace("</mark>", "")
    assert unescape(bare) == unescape(html)
    assert re.findall(r"<[^>]*>", bare) == re.findall(r"<[^>]*>", html)
