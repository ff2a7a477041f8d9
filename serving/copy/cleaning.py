"""Making values that others wrote fit for a text: a name, an item, a place, an update.

Such values come from shops' catalogues, customers' profiles and operators' hands. They may hold
links, control characters, right-to-left overrides, markup or whole novels.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

MAX_NAME_CHARACTERS = 20
_N_REMEMBERED = 8192  # values and names: many customers share them
_MAX_RAW = 600  # characters of a value that are looked at; more than any place has room for
_NAME_JOINTS = frozenset(" '’-")
_NOT_NAMES = frozenset({"null", "none", "nan", "unknown", "undefined"})
_SCHEME = re.compile(r"(?:^|\W)(?:javascript|vbscript|data|mailto|tel|sms):.", re.IGNORECASE)
_PATH = re.compile(r"[/?#]")
_IP = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?:[:/?#]\S*)?(?![\d.])")
# What a telephone dials: with a plus, or as it is written at home, in groups. A bare number of as
# many digits may be an order.
_PHONE = re.compile(
    r"(?<!\w)\+\d[\d\s().-]{7,}\d|(?<!\d)8[\s(-]+\d{3}[\s)-]+\d{3}[\s-]?\d{2}[\s-]?\d{2}(?!\d)"
)
# Tags of HTML that act, load, lead or lay out. Others, such as "<Co>", are words.
_TAG = re.compile(
    r"</?(?:!|(?:a|abbr|applet|area|audio|b|base|body|br|button|canvas|center|code|details|dialog|div|"
    r"em|embed|font|form|frame|frameset|h[1-6]|head|hr|html|i|iframe|image|img|input|label|li|link|"
    r"marquee|math|meta|object|ol|option|p|picture|pre|script|select|small|source|span|strong|style|"
    r"sub|summary|sup|svg|table|tbody|td|template|textarea|th|thead|title|tr|track|u|ul|video)"
    r"(?![\w-]))[^<>]*>",
    re.IGNORECASE,
)
_PILED = re.compile(r"([\u0300-\u036f]{2})[\u0300-\u036f]+")
# A dot between letters, as in a bare host name: with a space after it no reader makes it a link.
_HOST_DOT = re.compile(r"(?<=\w)[.\u2024\u3002\uff0e\uff61](?=[^\W\d_]{2})")
_MARKDOWN = frozenset("\\`*_{}[]<>#&~|")


@lru_cache(_N_REMEMBERED)
def clean_value(raw: str) -> str:
    r"""One line of visible text without links, telephones and tags; empty when nothing is left.

    >>> clean_value("Kettle\n<b>\u202e now at https://evil.example/x or evil.com, +7 701 555 12 12")
    'Kettle now at or evil. com,'
    """
    text = unicodedata.normalize("NFC", _drop_invisible(raw[:_MAX_RAW]))
    words = _drop_tags(_PILED.sub(r"\1", text)).split()
    # A link may also be written in full-width letters.
    visible = (
        word
        for word in words
        if not _is_link(word) and not _is_link(unicodedata.normalize("NFKC", word))
    )
    dialled = _PHONE.sub(" ", _IP.sub(" ", " ".join(visible)))
    return " ".join(_HOST_DOT.sub(". ", dialled).split())


def _drop_tags(text: str) -> str:
    """Without what a browser would take for a tag, nested ones included."""
    while "<" in text and (less := _TAG.sub(" ", text)) != text:
        text = less
    return text


def _is_link(word: str) -> bool:
    """Whether a word holds a link: `scheme://`, `www.`, `mailto:`, `a@b.c` or `host.tld/path`."""
    if "://" in word or ":\\\\" in word or "www." in word.lower() or _SCHEME.search(word):
        return True
    if "@" in word:
        return "." in word.rpartition("@")[2]
    host, *path = _PATH.split(word, maxsplit=1)
    domain = host.rpartition(".")[2].partition(":")[0] if "." in host else ""
    return bool(path) and len(domain) > 1 and domain.isalpha()


def _drop_invisible(text: str) -> str:
    """Without control, format, private and unassigned characters; separators become spaces."""
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "Z" or character in "\n\r\t\v\f":
            kept.append(" ")
        elif category[0] != "C":
            kept.append(character)
    return "".join(kept)


@lru_cache(_N_REMEMBERED)
def clean_first_name(raw: str | None) -> str | None:
    """A name to greet with, or nothing: only what looks like one gets into a greeting.

    >>> clean_first_name("  әсел "), clean_first_name("Win $100 at evil.com")
    ('Әсел', None)
    """
    if raw is None or len(raw) > _MAX_RAW:
        return None
    name = " ".join(unicodedata.normalize("NFC", raw).split())
    if not name or len(name) > MAX_NAME_CHARACTERS or name.lower() in _NOT_NAMES:
        return None
    if not name[0].isalpha() or not all(map(_is_of_a_name, name)):
        return None
    return name[0].upper() + name[1:]


def _is_of_a_name(character: str) -> bool:
    return (
        character.isalpha()
        or character in _NAME_JOINTS
        or unicodedata.category(character) in {"Mn", "Mc"}
    )


def escape_markdown(text: str) -> str:
    r"""The text as Markdown that shows it as it is, within a line.

    >>> escape_markdown("5* [hotel](x)")
    '5\\* \\[hotel\\](x)'
    """
    return "".join(f"\\{character}" if character in _MARKDOWN else character for character in text)


def shorten(text: str, *, cap: int, width: Callable[[str], int], ellipsis: str) -> str:
    """The text, or as much of its beginning as fits with an ellipsis.

    Args:
        text: A cleaned value.
        cap: Units that it may take.
        width: Units that a piece of text takes; the sum over its characters.
        ellipsis: What stands for the rest; its width is one unit a character.

    >>> shorten("Trail running shoes", cap=12, width=len, ellipsis="…")
    'Trail runni…'
    """
    if width(text) <= cap:
        return text
    room = cap - len(ellipsis)
    used = 0
    for position, character in enumerate(text):
        used += width(character)
        if used > room:
            return text[:position].rstrip() + ellipsis
    raise AssertionError(f"{text!r} is wider than the sum of its characters")
