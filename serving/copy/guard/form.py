"""The form of a text: its length, how many sentences, what it asks for, how it is typed."""

import re
from collections.abc import Iterable, Iterator

from serving.copy.brief import Brand
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.lexicon import Lexicon
from serving.copy.guard.reading import GAP, find_invisible, fold, read_sentences, split_words

MAX_SERVICE_TITLE = 50
MAX_PREHEADER = 90
_SENTENCES = range(2, 4)
_FEWEST_WORDS = 3
_MAX_MAIN_CALLS = 2
_END = re.compile(r"[.!?…](?=[\s»”\")]|$)")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\ufe0f\u20e3\u231a\u231b\u23e9-\u23fa]|[:;]-?[)(D]{1,3}(?!\\w)"
)
_SHOUT = re.compile(r"!\s?!|\?\s?!|!\s?\?|\?\?|\.{4,}")
_MAX_EXCLAMATIONS = 2


def count_sentences(text: str) -> int:
    """Sentences of a text; what does not end with a full stop is one too.

    >>> count_sentences("Заказ в пути. Ждём его завтра"), count_sentences("")
    (2, 0)
    """
    rest = text.strip()
    ends = list(_END.finditer(rest))
    tail = rest[ends[-1].end() :] if ends else rest
    return len(ends) + any(c.isalnum() or c == GAP for c in tail)


def find_service_faults(
    title: str | None,
    blocks: Iterable[str],
    *,
    lexicon: Lexicon,
    fewest: int,
    place: str = "body",
) -> Iterator[Fault]:
    """Whether a service notice says what happened, in a short title and two or three sentences."""
    if title is not None and len(title) > MAX_SERVICE_TITLE:
        expected = f"at most {MAX_SERVICE_TITLE} characters"
        yield Fault(FaultCode.SERVICE_FORM, "title", title, expected)
    texts = list(blocks)
    n = sum(map(count_sentences, texts))
    if not fewest <= n < _SENTENCES.stop:
        expected = "two or three: what happened, what we are doing, what to do if anything"
        yield Fault(FaultCode.SERVICE_FORM, place, f"{n} sentences", expected)
    elif sum(_weigh(text, lexicon) for text in texts) < _FEWEST_WORDS:
        found = " ".join(texts)[:40]
        yield Fault(FaultCode.SERVICE_FORM, place, found, "what happened, in words")


def _weigh(text: str, lexicon: Lexicon) -> int:
    """Words that say something; a fact stands for as many as it takes."""
    words = (fold(word) for word in split_words(text))
    return sum(_FEWEST_WORDS if word == GAP else word not in lexicon.fillers for word in words)


def find_typing_faults(text: str, *, brand: Brand, place: str) -> Iterator[Fault]:
    """Emoji and shouting signs."""
    if not brand.emoji and (emoji := _EMOJI.search(text)):
        yield Fault(FaultCode.TONE, place, emoji.group(), "no emoji")
    if shout := _SHOUT.search(text):
        yield Fault(FaultCode.TONE, place, shout.group(), "one sign at the end of a sentence")
    elif text.count("!") > _MAX_EXCLAMATIONS:
        yield Fault(FaultCode.TONE, place, f"{text.count('!')} exclamation marks", "a calm voice")


def find_hidden_faults(text: str, *, place: str) -> Iterator[Fault]:
    """Characters of a text as it was typed that nobody sees, or that hide others."""
    if hidden := find_invisible(text):
        yield Fault(FaultCode.MARKUP, place, ascii(hidden), "visible characters")


def find_forbidden(text: str, *, brand: Brand, place: str) -> Iterator[Fault]:
    """Words of the brand's own list, whatever their case."""
    if not brand.forbidden:
        return
    said = f" {' '.join(map(fold, split_words(text)))} "
    for phrase in brand.forbidden:
        if f" {' '.join(map(fold, split_words(phrase)))} " in said:
            yield Fault(FaultCode.FORBIDDEN, place, phrase, "none of the brand's forbidden words")


def find_call_faults(body: str, *, cta: str, lexicon: Lexicon) -> Iterator[Fault]:
    """Whether a text asks for one thing: the button's, or what the text is about.

    What leads away from it (an app, a channel, a review) is a second one.
    """
    asked = _list_calls(body, lexicon)
    button = _list_calls(cta, lexicon)
    side = sorted(call for call in asked - button if call in lexicon.data.side_calls)
    main = asked - set(side)
    if side and (cta or main or len(side) > 1):
        found = ", ".join(side)
        yield Fault(FaultCode.CALL_TO_ACTION, "body", found, "one call to action")
    elif len(main | button) > _MAX_MAIN_CALLS:
        found = ", ".join(sorted(main | button))
        yield Fault(FaultCode.CALL_TO_ACTION, "body", found, "one call to action")


def _list_calls(text: str, lexicon: Lexicon) -> set[str]:
    return {
        found.what
        for sentence in read_sentences(text)
        for found in lexicon.find(sentence.words).calls
    }
