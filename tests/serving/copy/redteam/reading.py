"""How a customer's telephone and mailbox read a text: what is seen, and what can be tapped.

Written apart from the checks under test, and less forgiving than they are.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from html.parser import HTMLParser

from features.vocabulary import Channel
from serving.copy.content import Content

_TAPPED = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*"
    r"|(?<!\w)(?:javascript|vbscript|data|mailto|tel|sms):\S+"
    r"|\S+@\S+\.\S+"
    r"|(?<![\w.])(?:[\w-]+\.)+[^\W\d_]{2,}\S*"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])\S*"
    r"|\+\d[\d\s().-]{7,}\d"
    r"|(?<!\d)8[\s(-]+\d{3}[\s)-]*\d{3}[\s-]*\d{2}[\s-]*\d{2}(?!\d)",
    re.IGNORECASE,
)


@dataclass
class Page(HTMLParser):
    """An e-mail's HTML: its skeleton and its words."""

    tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        self.tags.append((f"!--{data}", ()))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read_page(html: str) -> Page:
    """Tags with their attributes, in order, and the words between them."""
    page = Page()
    page.feed(html)
    page.close()
    return page


def see(content: Content, channel: Channel) -> str:
    """Everything of a message that is read, one part a line."""
    body = content.body
    if channel is Channel.EMAIL:
        body = "\n".join(read_page(body).words)
    elif channel is Channel.IN_APP:
        body = re.sub(r"\\([^\w\s])", r"\1", body)
    parts = (content.subject, body, content.plain_text, content.cta)
    return "\n".join(part for part in parts if part is not None)


def find_taps(text: str, *, own: tuple[str, ...]) -> list[str]:
    """What a telephone or a mailbox makes a link of, but for the sender's own links.

    >>> find_taps("Go to evil\uff0ecom or https://teal.example/out", own=("https://teal.example/out",))
    ['evil.com']
    """
    for link in own:
        text = text.replace(link, " ")
    plain = unicodedata.normalize("NFKC", text).replace("\u3002", ".")
    seen = "".join(c for c in plain if c == "\n" or unicodedata.category(c) != "Cf")
    return _TAPPED.findall(seen)


def find_unseen(text: str) -> list[str]:
    """Characters that nobody sees, or that turn the text around; line ends are none."""
    return [
        f"U+{ord(c):04X}"
        for c in text
        if c != "\n" and (unicodedata.category(c)[0] == "C" or c in "\u2028\u2029")
    ]


def find_never(text: str, never: tuple[str, ...]) -> list[str]:
    """Of what no customer may read, that which is read."""
    return [one for one in never if one.casefold() in text.casefold()]
