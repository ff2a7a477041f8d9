"""Links and addresses in a text: anything a reader, a mailbox or a telephone makes one of."""

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from serving.copy.guard.reading import GAP, to_latin

_N_REMEMBERED = 8192
_LINK = re.compile(
    r"(?:https?|hxxps?|ftp)\s?:\s?/{0,2}[^\s<>«»\"')\]]+|www\.[^\s<>«»\"')\]]+", re.IGNORECASE
)
_SCHEME = re.compile(
    r"(?<!\w)(?:javascript|vbscript|data|mailto|tel|sms|tg|whatsapp|intent):\S", re.IGNORECASE
)
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]+\s?(?:@|\(at\)|\[at\]|\(собака\))\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE
)
_HANDLE = re.compile(r"(?<![\w@])@\w{3,}")
# A dot between letters with no space: most telephones make a link of it. The brand or a fact may
# be what stands before the dot.
_HOST = re.compile(
    rf"(?:(?<![\w@.])[\w-]+\.|(?<={GAP})\.)(?:[\w-]+\.)*[^\W\d_]{{2,}}(?![\w])(?:[/?#:][^\s<>«»\"')\]]*)?"
    r"|(?<!\w)[\w-]+\.\w+/\S+"
)
_SPOKEN_HOST = re.compile(
    r"(?<!\w)[\w-]{2,}\s?(?:"
    # Nobody puts a dot into brackets but to hide a host.
    r"[(\[{]\s?(?:\.|dot|точка|нүкте)\s?[)\]}]\s?[^\W\d_]{2,}"
    r"|\s(?:dot|точка|нүкте)\s"
    r"\s?(?:com|net|org|kz|ru|info|io|app|shop|site|online|ком|кз|ру|рф)"
    r")\b",
    re.IGNORECASE,
)
_HINT = re.compile(r"[.:(\[{/]|\s(?:dot|точка|нүкте)\s", re.IGNORECASE)
_DOTS = str.maketrans("。｡．․‧・", "......")
_NO_HOST = frozenset({"e.g", "i.e", "a.m", "p.m", "т.е", "т.д", "т.п"})


@lru_cache(_N_REMEMBERED)
def find_links(text: str) -> tuple[str, ...]:
    """Links and hosts of a shown text, as they stand.

    >>> find_links("See shop.example/sale, e.g. now, or https://x.kz")
    ('https://x.kz', 'shop.example/sale')
    """
    text = _EMAIL.sub(GAP, text.translate(_DOTS))
    if not _HINT.search(text):
        return ()
    found: list[tuple[int, int, str]] = []
    for pattern in (_LINK, _SCHEME, _SPOKEN_HOST, _HOST):
        for match in pattern.finditer(text):
            link = match.group().rstrip(".,;:!?")
            is_known = link.casefold() in _NO_HOST or GAP in link
            is_new = all(match.start() >= stop or match.end() <= start for start, stop, _ in found)
            if is_new and not is_known:
                found.append((match.start(), match.end(), link))
    return tuple(link for _, _, link in found)


def leave_out_links(text: str) -> str:
    """The text with gaps in place of its links, whose letters and figures are no words."""
    for link in find_links(text):
        text = text.replace(link, GAP)
    return text


def find_addresses(text: str) -> Iterator[str]:
    """E-mail addresses and names on social networks."""
    if "@" in text or "(" in text or "[" in text:
        for pattern in (_EMAIL, _HANDLE):
            yield from (match.group() for match in pattern.finditer(text))


def is_allowed(link: str, *, hosts: tuple[str, ...]) -> bool:
    """Whether a link leads, over https, to one of the hosts or to a part of one.

    A host in letters of another alphabet is never the one that it looks like.

    >>> links = ("https://m.shop.kz/x", "https://shop.kz.evil.com", "http://shop.kz")
    >>> [is_allowed(link, hosts=("shop.kz",)) for link in links]
    [True, False, False]
    """
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").rstrip(".")
        has_extras = parts.username is not None or parts.port not in (None, 443)
    except ValueError:
        return False
    if parts.scheme != "https" or has_extras or not host or "\\" in link:
        return False
    if host != to_latin(host) and not host.isascii():
        return False
    return any(
        host == allowed.casefold() or host.endswith(f".{allowed.casefold()}") for allowed in hosts
    )
