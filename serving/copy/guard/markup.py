"""Markup of final texts: only what a mail or an app may hold, every tag closed, nothing that runs.

The grammar is narrow on purpose: what does not fit it is refused, not repaired, so that no two
readers can take it for two things. nh3 (Ammonia, MIT) is asked as well, as a second opinion.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import nh3

from serving.copy.guard.faults import Fault, FaultCode

_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+=\"[^\"<>]*\")*)\s*(/?)>")
_ATTRIBUTE = re.compile(r"([a-z-]+)=\"([^\"<>]*)\"")
_DOCTYPE = "<!doctype html>"
_VOID = frozenset({"br", "hr", "meta", "img"})
_FRAME = frozenset({"html", "head", "body", "meta", "title"})
_TEXT = frozenset(
    {
        "p",
        "br",
        "a",
        "strong",
        "b",
        "em",
        "i",
        "small",
        "ul",
        "ol",
        "li",
        "h1",
        "h2",
        "h3",
        "div",
        "span",
    }
    | {"table", "tbody", "tr", "td", "hr"}
)
_BLOCKS = frozenset({"p", "div", "li", "h1", "h2", "h3", "td"})
_ATTRIBUTES = {
    "a": {"href", "style"},
    "html": {"lang"},
    "meta": {"charset", "name", "content"},
    **{tag: {"style"} for tag in ("body", "div", "p", "span", "td", "table", "tr")},
}
_BLOCK_TAG = re.compile(rf"</?(?:{'|'.join(sorted(_BLOCKS))})(?:\s[^<>]*)?>")
_ANY_TAG = re.compile(r"<[^<>]*>")
_UNSAFE_STYLE = re.compile(r"url\s*\(|expression|@import|behavior|javascript|\\", re.IGNORECASE)
_PREHEADER = re.compile(r"\s*<div style=\"display:none[^\"<>]*\">([^<>]*)</div>")
_BODY = re.compile(r"<body[^<>]*>(.*)</body>", re.DOTALL)
_MARKDOWN = re.compile(
    r"^\s{0,3}(?:#{1,6}\s|>|```|~~~|\||[-*_]{3,}\s*$)|<[a-z!/?]", re.IGNORECASE | re.MULTILINE
)
_IMAGE = re.compile(r"!\[")
_MARKDOWN_LINK = re.compile(r"(?<!\\)\[([^\[\]]*)\]\(([^()\s]*)(?:\s[^()]*)?\)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>#&~|])")
_PLAIN_MARKUP = re.compile(
    r"<\s*/?\s*[a-z!][^<>]*>|\*\*\S|&(?:lt|gt|amp|#\d+|nbsp);|(?<!\w)__\w", re.IGNORECASE
)


_CLEANER = nh3.Cleaner(
    tags=set(_TEXT),
    attributes={tag: set(names) for tag, names in _ATTRIBUTES.items() if tag in _TEXT},
    url_schemes={"https"},
    link_rel=None,
)


@dataclass(frozen=True)
class Page:
    """An e-mail as it is read.

    Attributes:
        blocks: Texts of its paragraphs, without tags.
        links: Where it leads, by the order in the text.
        preheader: What only the mailbox shows, beside the subject; null where there is none.
    """

    blocks: tuple[str, ...]
    links: tuple[str, ...]
    preheader: str | None = None


def read_html(html: str) -> tuple[Page, tuple[Fault, ...]]:
    """An e-mail's text and links, and what is wrong with its markup."""
    faults = tuple(_find_html_faults(html))
    inner = _BODY.search(html)
    body = inner.group(1) if inner else html.removeprefix(_DOCTYPE)
    hidden = _PREHEADER.match(body)
    preheader = unescape(hidden.group(1)).strip() if hidden else None
    if hidden:
        body = body[hidden.end() :]
    blocks = []
    for chunk in _BLOCK_TAG.split(body):
        text = unescape(_ANY_TAG.sub(" ", chunk.replace("<br>", "\n"))).strip()
        if text:
            blocks.append(text)
    links = tuple(unescape(link) for link in re.findall(r"href=\"([^\"]*)\"", html))
    return Page(tuple(blocks), links, preheader), faults


def _find_html_faults(html: str) -> Iterator[Fault]:
    rest = html.removeprefix(_DOCTYPE)
    open_tags: list[str] = []
    end = 0
    for match in _TAG.finditer(rest):
        if any(c in "<>" for c in rest[end : match.start()]):
            break
        end = match.end()
        yield from _check_tag(match, open_tags)
    if any(c in "<>" for c in rest[end:]):
        at = next(i for i in range(end, len(rest)) if rest[i] in "<>")
        yield _fault(rest[at : at + 40], "plain tags, closed, and < and > of the text escaped")
    elif open_tags:
        yield _fault(", ".join(open_tags), "every tag closed")
    elif (changed := _find_unsafe(rest)) is not None:
        yield _fault(changed, "nothing that a sanitiser takes out")


def _check_tag(match: re.Match[str], open_tags: list[str]) -> Iterator[Fault]:
    closing, name, attributes, _ = match.groups()
    if name not in _TEXT | _FRAME:
        yield _fault(match.group()[:60], f"one of {', '.join(sorted(_TEXT))}")
        return
    for attribute, value in _ATTRIBUTE.findall(attributes):
        if attribute not in _ATTRIBUTES.get(name, ()):
            yield _fault(f"{attribute} of {name}", "no such attribute")
        elif attribute == "style" and _UNSAFE_STYLE.search(unescape(value)):
            yield _fault(value[:60], "a style that loads and runs nothing")
    if name in _VOID:
        return
    if not closing:
        open_tags.append(name)
    elif open_tags and open_tags[-1] == name:
        open_tags.pop()
    else:
        yield _fault(match.group(), f"</{open_tags[-1]}>" if open_tags else "no closing tag here")


def _find_unsafe(html: str) -> str | None:
    """What nh3 would take out of the body; null where it would leave it as it is."""
    inner = _BODY.search(html)
    body = inner.group(1) if inner else html
    kept = sanitise_html(body)
    tags, kept_tags = _TAG.findall(body), _TAG.findall(kept)
    if [tag[:2] for tag in tags] == [tag[:2] for tag in kept_tags]:
        lost = set(re.findall(r"href=\"[^\"]*\"", body)) - set(re.findall(r"href=\"[^\"]*\"", kept))
        return next(iter(sorted(lost)), None)
    return "tags that are not allowed where they stand"


def sanitise_html(fragment: str) -> str:
    """The part of an e-mail's body that is safe to show: no scripts, no foreign tags, https only.

    >>> sanitise_html('<p>Hi<script>x()</script> <a href="javascript:x()">there</a></p>')
    '<p>Hi <a>there</a></p>'
    """
    return _CLEANER.clean(fragment)


def read_markdown(text: str) -> tuple[str, tuple[str, ...], tuple[Fault, ...]]:
    """An in-app text as it is read, its links, and what is wrong with its markup."""
    links = tuple(match.group(2) for match in _MARKDOWN_LINK.finditer(text))
    bare = _MARKDOWN_LINK.sub(r"\1", text)
    unescaped = _ESCAPED.sub(r"\1", bare)
    masked = _ESCAPED.sub("x", bare)
    found = [*_IMAGE.findall(_ESCAPED.sub("x", text)), *_MARKDOWN.findall(masked)]
    faults = [_fault(one.strip()[:40], "words, emphasis and links only") for one in found]
    if masked.count("**") % 2:
        faults.append(_fault("**", "every emphasis closed"))
    return unescaped.replace("**", ""), links, tuple(faults)


def find_plain_markup(text: str, *, place: str) -> Iterator[Fault]:
    """Markup in a text that shows it as it is: SMS, push, WhatsApp, titles, text parts."""
    for match in _PLAIN_MARKUP.finditer(text):
        yield Fault(FaultCode.MARKUP, place, match.group()[:40], "plain text")


def unescape_markdown(text: str) -> str:
    """A value of an in-app text as it is read."""
    return _ESCAPED.sub(r"\1", text)


def _fault(found: str, expected: str) -> Fault:
    return Fault(FaultCode.MARKUP, "body", found, expected)
