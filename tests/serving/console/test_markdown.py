import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.console.markdown import render_markdown

ALLOWED = {"p", "br", "strong", "em", "ul", "ol", "li", "code", "blockquote"}


def test_render_markdown_shows_what_apps_show() -> None:
    html = str(render_markdown("**9 days**, *all* there.\n- one\n- two"))

    assert "<strong>9 days</strong>" in html
    assert "<em>all</em>" in html
    assert html.count("<li>") == 2


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[here](javascript:alert(1))",
        "![x](https://evil.example/p.png)",
        "<img src=x onerror=alert(1)>",
        "<https://evil.example>",
        '**a**<svg/onload="alert(1)">',
    ],
)
def test_render_markdown_lets_nothing_act(text: str) -> None:
    tags = re.findall(r"<\s*/?\s*(\w+)([^>]*)>", str(render_markdown(text)))

    assert {name for name, _ in tags} <= ALLOWED
    assert not [rest for _, rest in tags if rest.strip()]


@given(st.text(alphabet="ab<>*_`[]()!&;\"'=/\n -1.", max_size=60))
def test_render_markdown_never_lets_another_tag_through(text: str) -> None:
    tags = re.findall(r"<\s*/?\s*(\w+)([^>]*)>", str(render_markdown(text)))

    assert {name for name, _ in tags} <= ALLOWED
