"""The checks that any piece of text goes through, stored or final, once its facts are taken out."""

from collections.abc import Iterator
from functools import lru_cache

from serving.copy.brief import Brand
from serving.copy.guard.claims import EXPECTED, find_claims
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.form import find_forbidden, find_typing_faults
from serving.copy.guard.grounds import Grounds, find_ungrounded, hold_values, read_facts
from serving.copy.guard.language import FEWEST_WORDS, find_foreign
from serving.copy.guard.lexicon import Lexicon, find_phrases
from serving.copy.guard.links import find_links, leave_out_links
from serving.copy.guard.personal import find_names, find_personal
from serving.copy.guard.reading import Sentence, read_sentences, show

_N_REMEMBERED = 8192


def find_word_faults(
    text: str, *, grounds: Grounds, lexicon: Lexicon, place: str
) -> Iterator[Fault]:
    """Everything wrong with the words of one piece.

    Args:
        text: As it is read, gaps in place of what it may say.
        grounds: What it may claim besides.
        lexicon: Of the language asked for.
        place: Where it stands.
    """
    shown = show(text)
    for claim in find_ungrounded(shown, grounds=grounds, lexicon=lexicon):
        expected = claim.group.expected if claim.group else EXPECTED.get(claim.code, "calm letters")
        yield Fault(claim.code, place, claim.text, expected)
    yield from _find_lasting(text, brand=grounds.brand, lexicon=lexicon, place=place)


@lru_cache(_N_REMEMBERED)
def _find_lasting(text: str, *, brand: Brand, lexicon: Lexicon, place: str) -> tuple[Fault, ...]:
    """What is wrong with a piece whatever the facts: learnt once for all who get its words."""
    return tuple(_find_whatever(text, brand=brand, lexicon=lexicon, place=place))


def _find_whatever(text: str, *, brand: Brand, lexicon: Lexicon, place: str) -> Iterator[Fault]:
    yield from find_typing_faults(text, brand=brand, place=place)
    yield from find_forbidden(text, brand=brand, place=place)
    shown = show(text)
    yield from find_personal(shown, place=place)
    sentences = read_sentences(leave_out_links(shown))
    for sentence in sentences:
        yield from find_names(sentence, lexicon=lexicon, place=place)
    for part in _list_parts(sentences):
        for found, expected in find_foreign(part, lexicon=lexicon):
            yield Fault(FaultCode.LANGUAGE, place, found, expected)


def _list_parts(sentences: tuple[Sentence, ...]) -> list[str]:
    """What tells the language by itself: each sentence; all together where one is too short."""
    parts = [sentence.text for sentence in sentences]
    if all(len(sentence.words) > FEWEST_WORDS for sentence in sentences) or len(parts) == 1:
        return parts
    return [*parts, " ".join(parts)]


def forget_remembered() -> None:
    """Let go of what earlier texts taught: for measuring a text that was never seen."""
    for remembered in (
        _find_lasting,
        find_claims,
        find_foreign,
        find_links,
        find_phrases,
        hold_values,
        read_facts,
        read_sentences,
        show,
    ):
        remembered.cache_clear()
