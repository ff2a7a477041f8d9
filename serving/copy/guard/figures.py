"""Figures in a text: digits and what stands beside them decide what kind of claim they are.

Source of the kinds: what a reader takes for an amount, a share, a day, a clock time, a telephone
number or a code. What they are is decided here; whether they are true, elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from serving.copy.guard.faults import FaultCode

SYMBOLS = {"$": "USD", "€": "EUR", "₸": "KZT", "₽": "RUB", "£": "GBP", "¥": "JPY", "₴": "UAH"}
_SIGNS = "".join(map(re.escape, SYMBOLS))
_PHONE = re.compile(r"(?<![\w])\+?\d(?:[ \-().]{0,2}\d){9,14}(?!\w)|(?<!\w)\+\d[\d \-()]{6,}\d")
_CLOCK = re.compile(r"(?<!\d)([01]?\d|2[0-4]):[0-5]\d(?!\d)")
_CLOCK_12 = re.compile(r"(?<!\d)(1[0-2]|[1-9])\s?(?:a\.?m\.?|p\.?m\.?)(?!\w)", re.IGNORECASE)
_DAY = re.compile(
    r"(?<!\d)(?:\d{4}-\d\d-\d\d|\d{1,2}[./](?:0\d|1[0-2])(?:[./](?:\d{4}|\d\d))?|\d{1,2}(?:st|nd|rd|th)|"
    r"\d{1,2}-?го)(?!\w)"
)
_HOURS = re.compile(
    r"(?<![\w.,])(?:between|from|с|от)\s\d{1,2}\s(?:and|to|until|till|до|по)\s\d{1,2}(?![\w%]|[.,]\d)"
    r"(?!\s?[%$€₸₽£])|(?<!\w)(?:by|at|until|till|к|до|в)\s(?:[01]?\d|2[0-3])\.[0-5]\d(?![\d%])",
    re.IGNORECASE,
)
_NUMBER = r"\d+(?:[ '’.,\u00a0\u202f]\d{3})*(?:[.,]\d+)?"
_SHARE = re.compile(rf"{_NUMBER}\s?[%‰]")
_AMOUNT = re.compile(rf"[{_SIGNS}]\s?{_NUMBER}|{_NUMBER}\s?[{_SIGNS}]")
_CODE = re.compile(r"(?<![\w])(?=\w*\d)(?=\w*[^\W\d_])\w+(?:-\w+)*")
_PLAIN = re.compile(_NUMBER)
_SIGN = re.compile(rf"[{_SIGNS}]")
_LONE = re.compile(rf"[{_SIGNS}%‰]")
_DIGIT = re.compile(r"\d")
_KINDS: tuple[tuple[FaultCode, re.Pattern[str]], ...] = (
    (FaultCode.PERCENT, _SHARE),
    (FaultCode.MONEY, _AMOUNT),
    (FaultCode.DATE, _CLOCK),
    (FaultCode.DATE, _CLOCK_12),
    (FaultCode.DATE, _HOURS),
    (FaultCode.CONTACT, _PHONE),
    (FaultCode.DATE, _DAY),
    (FaultCode.CONTACT, _CODE),
    (FaultCode.NUMBER, _PLAIN),
)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        code: What kind of claim it is.
        text: As it stands.
        start: Where it begins.
        stop: Where it ends.
        value: Its number in digits, without what groups them; empty where it has none.
        currency: ISO code beside it; null where there is none.
    """

    code: FaultCode
    text: str
    start: int
    stop: int
    value: str
    currency: str | None = None


def find_figures(text: str) -> tuple[Figure, ...]:
    """Every figure of a shown text, each once, as the most telling kind; in the order they stand.

    >>> [(f.code.value, f.text) for f in find_figures("20% until 18:00 for 5 000 ₸, code A1")]
    [('percent', '20%'), ('date', '18:00'), ('money', '5 000 ₸'), ('contact', 'A1')]
    """
    found: list[Figure] = []
    if _DIGIT.search(text):
        for code, pattern in _KINDS:
            for match in pattern.finditer(text):
                if all(match.end() <= f.start or match.start() >= f.stop for f in found):
                    found.append(_make_figure(code, match))
    taken = [(f.start, f.stop) for f in found]
    found += _find_lone_signs(text, taken)
    return tuple(sorted(found, key=lambda figure: figure.start))


def _make_figure(code: FaultCode, match: re.Match[str]) -> Figure:
    text = match.group().strip()
    sign = _SIGN.search(text)
    return Figure(
        code=code,
        text=text,
        start=match.start(),
        stop=match.end(),
        value=read_number(text),
        currency=SYMBOLS[sign.group()] if sign else None,
    )


def read_number(text: str) -> str:
    """The digits of a number, its decimals after a point; `14 990,50` and `14,990.5` are one.

    >>> read_number("14 990,50 ₸"), read_number("$14,990.5"), read_number("11,990")
    ('14990.5', '14990.5', '11990')
    """
    kept = re.sub(r"[^\d.,]", "", text).strip(".,")
    decimals = re.search(r"[.,](\d{1,2})$", kept)
    whole = re.sub(r"[.,]", "", kept[: decimals.start()] if decimals else kept)
    rest = decimals.group(1).rstrip("0") if decimals else ""
    return f"{whole.lstrip('0') or '0'}.{rest}" if rest else whole.lstrip("0") or "0"


def _find_lone_signs(text: str, taken: list[tuple[int, int]]) -> Iterator[Figure]:
    """Signs of money and of per cent with no figure beside them, as beside a slot."""
    for match in _LONE.finditer(text):
        at, sign = match.start(), match.group()
        if not any(start <= at < stop for start, stop in taken):
            code = FaultCode.MONEY if sign in SYMBOLS else FaultCode.PERCENT
            yield Figure(code, sign, at, at + 1, "", SYMBOLS.get(sign))
