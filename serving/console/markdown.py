"""In-app Markdown as a phone would show it, with nothing in it that could act."""

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {"p", "br", "strong", "em", "ul", "ol", "li", "code", "blockquote"}
# What an app shows of Markdown; links and pictures stay text, since the button is the only link.
_MARKDOWN = MarkdownIt("zero", {"html": False, "breaks": True}).enable(
    ["emphasis", "list", "newline", "escape", "backticks", "blockquote", "entity"]
)


def render_markdown(text: str) -> Markup:
    """The Markdown of an in-app message as HTML; tags written in the text show as they are.

    >>> str(render_markdown("**Teal** <script>alert(1)</script>")).strip()
    '<p><strong>Teal</strong> &lt;script&gt;alert(1)&lt;/script&gt;</p>'
    """
    html = nh3.clean(_MARKDOWN.render(text), tags=_TAGS, attributes={}, url_schemes=set())
    return Markup(html)  # noqa: S704  # cleaned in the line above
