"""How big a text is in its channel's own units, and how big it may be.

An SMS counts septets of the GSM-7 alphabet as long as every character is in it, else 16-bit units
(UCS-2). Texts beyond one message go out in parts, each of which gives room to a header.
Source: 3GPP TS 23.038 (alphabets), TS 23.040 (concatenation).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType

from features.vocabulary import Channel

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")
_GSM = _GSM_BASIC | _GSM_EXTENDED

_NO_BREAK_SPACES = "\u00a0\u202f\u2009"
_TYPOGRAPHY = {
    **dict.fromkeys(_NO_BREAK_SPACES, " "),
    **dict.fromkeys("\u2018\u2019\u201a\u2032\u02bc`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033«»", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    "…": "...",
    "•": "-",
}
_PLAIN = str.maketrans(_TYPOGRAPHY)


def _matcher(characters: Iterable[str]) -> Callable[[str], object]:
    """Finds whether a text is made of these characters alone."""
    return re.compile(f"[{re.escape(''.join(sorted(characters)))}]*").fullmatch


_is_basic = _matcher(_GSM_BASIC)
_is_gsm = _matcher(_GSM)
_can_be_gsm = _matcher(_GSM | _TYPOGRAPHY.keys())


class SmsEncoding(StrEnum):
    """How the characters of an SMS travel."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True)
class SmsSize:
    """Size of one SMS.

    Attributes:
        encoding: GSM-7 if every character is in its alphabet.
        n_units: Septets (GSM-7) or 16-bit units (UCS-2), headers not counted.
        n_segments: Parts that it is sent and paid in.
    """

    encoding: SmsEncoding
    n_units: int
    n_segments: int


@dataclass(frozen=True)
class _Capacity:
    """Units that fit into one message alone, and into each part of a longer one."""

    alone: int
    part: int


_CAPACITY = {SmsEncoding.GSM7: _Capacity(160, 153), SmsEncoding.UCS2: _Capacity(70, 67)}


@dataclass(frozen=True)
class Limits:
    """What a channel can show.

    Attributes:
        title: Characters of the subject or title; null where there is none.
        body: Characters of the body (HTML source in e-mail, Markdown source in in-app messages);
            null for SMS, which is limited by its segments.
        segments: Parts of an SMS.
    """

    title: int | None
    body: int | None
    segments: int = 1


LIMITS: Mapping[Channel, Limits] = MappingProxyType(
    {
        Channel.EMAIL: Limits(title=50, body=2000),
        Channel.SMS: Limits(title=None, body=None, segments=2),
        Channel.PUSH: Limits(title=40, body=100),
        Channel.IN_APP: Limits(title=40, body=200),
        Channel.WHATSAPP: Limits(title=None, body=1024),  # of a WhatsApp template's body
    }
)
MAX_CTA_CHARACTERS = 25  # of a WhatsApp template's button


def sms_size(text: str) -> SmsSize:
    r"""Encoding, units and segments of an SMS; an empty one is still sent as one.

    Neither an escape sequence of GSM-7 nor a surrogate pair is split between two parts.

    >>> sms_size("Ваш заказ задерживается")
    SmsSize(encoding=<SmsEncoding.UCS2: 'ucs2'>, n_units=23, n_segments=1)
    >>> sms_size("я" * 71).n_segments, sms_size("a" * 160).n_segments, sms_size("[" * 81).n_segments
    (2, 1, 2)
    """
    encoding = SmsEncoding.GSM7 if _is_gsm(text) else SmsEncoding.UCS2
    n_units = _count_units(text, encoding=encoding)
    capacity = _CAPACITY[encoding]
    if n_units <= capacity.alone:
        return SmsSize(encoding, n_units, 1)
    if n_units == len(text):  # nothing in it that must not be split
        return SmsSize(encoding, n_units, -(-n_units // capacity.part))
    return SmsSize(encoding, n_units, len(list(_find_part_ends(text, encoding=encoding))))


@dataclass(frozen=True)
class SmsPart:
    """One of the messages that an SMS travels in.

    Attributes:
        text: What it holds.
        n_units: Septets or 16-bit units, its header not counted.
        n_units_at_most: What it has room for.
    """

    text: str
    n_units: int
    n_units_at_most: int


def split_sms(text: str) -> tuple[SmsPart, ...]:
    """The messages that a text travels in; as many as `sms_size` counts.

    >>> [(part.text[-1], part.n_units) for part in split_sms("я" * 67 + "ю")]
    [('ю', 68)]
    >>> [(part.text[-1], part.n_units) for part in split_sms("я" * 67 + "юююю")]
    [('я', 67), ('ю', 4)]
    """
    size = sms_size(text)
    room = _CAPACITY[size.encoding]
    if size.n_segments == 1:
        return (SmsPart(text, size.n_units, room.alone),)
    ends = list(_find_part_ends(text, encoding=size.encoding))
    parts = (text[start:end] for start, end in pairwise([0, *ends]))
    return tuple(
        SmsPart(part, _count_units(part, encoding=size.encoding), room.part) for part in parts
    )


def _count_units(text: str, *, encoding: SmsEncoding) -> int:
    if encoding is SmsEncoding.GSM7:
        return len(text) if _is_basic(text) else len(text) + sum(map(text.count, _GSM_EXTENDED))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _find_part_ends(text: str, *, encoding: SmsEncoding) -> Iterator[int]:
    """Where each part of a text ends that takes more than one."""
    used = 0
    for position, character in enumerate(text):
        is_wide = (
            character in _GSM_EXTENDED if encoding is SmsEncoding.GSM7 else character > "\uffff"
        )
        width = 2 if is_wide else 1
        if used + width > _CAPACITY[encoding].part:
            yield position
            used = 0
        used += width
    yield len(text)


def normalise_sms(text: str) -> str:
    r"""The text with plain typography where that lets it travel as GSM-7.

    One curly quote or no-break space would more than halve what a Latin text may hold. Texts that
    need UCS-2 anyway keep their quotes and dashes; letters are never replaced.

    >>> normalise_sms("It’s here — «today»"), normalise_sms("Это «чай»")
    ('It\'s here - "today"', 'Это «чай»')
    """
    if _is_gsm(text):
        return text
    if _can_be_gsm(text):
        return text.translate(_PLAIN)
    for space in _NO_BREAK_SPACES:
        text = text.replace(space, " ")
    return text
