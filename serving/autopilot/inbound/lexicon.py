"""Stems found in a message: which topics it speaks of, and which words said so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from serving.autopilot.inbound.words import fold, is_slip, sound, split_words

_MOST_BETWEEN: Final = 1  # words that may stand between two of a phrase
_PHRASE_BONUS: Final = 1.5
_LEAST_HEARD: Final = 6  # letters: shorter stems sound like too much else
_LEAST_SLIPPED: Final = 7


@dataclass(frozen=True)
class Phrase:
    """Stems that follow each other.

    Attributes:
        parts: Folded beginnings of words, or whole words.
        is_whole: For each, whether the whole word must match.
    """

    parts: tuple[str, ...]
    is_whole: tuple[bool, ...]

    @property
    def weight(self) -> float:
        """A phrase of several words says more than its words."""
        return 1.0 if len(self.parts) == 1 else _PHRASE_BONUS * len(self.parts)

    @property
    def heard(self) -> "Phrase":
        """The same as it sounds."""
        return Phrase(tuple(sound(part) for part in self.parts), self.is_whole)

    def find(self, words: Sequence[str], *, start: int) -> bool:
        """Whether it begins at a word; at most one other word stands between two of its own."""
        at = start
        for number, (part, is_whole) in enumerate(zip(self.parts, self.is_whole, strict=True)):
            ahead = 1 if number == 0 else 1 + _MOST_BETWEEN
            for step in range(ahead):
                if at + step < len(words) and _fits(words[at + step], part, is_whole):
                    at += step + 1
                    break
            else:
                return False
        return True


@dataclass(frozen=True)
class StemIndex:
    """Phrases by the first letters that they begin with.

    Attributes:
        phrases: Each with the label it speaks for.
    """

    phrases: tuple[tuple[Phrase, str], ...]

    @cached_property
    def _by_start(self) -> Mapping[str, tuple[tuple[Phrase, str], ...]]:
        found: dict[str, list[tuple[Phrase, str]]] = {}
        for phrase, label in self.phrases:
            found.setdefault(phrase.parts[0][:2], []).append((phrase, label))
        return {start: tuple(phrases) for start, phrases in found.items()}

    def find(self, words: Sequence[str]) -> list[tuple[int, Phrase, str]]:
        """Every phrase that is there, with the word it begins at."""
        return [
            (at, phrase, label)
            for at, word in enumerate(words)
            for phrase, label in (
                *self._by_start.get(word[:2], ()),
                *self._by_start.get(word[:1], ()),
            )
            if phrase.find(words, start=at)
        ]


def compile_stems(stems: Mapping[str, Iterable[str]]) -> StemIndex:
    """An index of stems by label; see `taxonomy.Topic` for how they are written."""
    found = dict.fromkeys(
        (_read_phrase(stem), label) for label, given in stems.items() for stem in given
    )
    return StemIndex(tuple(found))


@dataclass(frozen=True)
class TopicWords:
    """What the lexicon finds in a message.

    Attributes:
        weights: By topic, what speaks for it.
        is_denied: Whether a stem is there with a negation before it: "not cold".
    """

    weights: Mapping[str, float]
    is_denied: bool


class Lexicon:
    """Stems of topics, all languages at once: people mix them."""

    def __init__(self, stems: Mapping[str, Iterable[str]], *, negations: frozenset[str]) -> None:
        """Compile them.

        Args:
            stems: By topic.
            negations: Words that turn the next word around: "not cold" is no complaint.
        """
        self._index = compile_stems(stems)
        self._heard = StemIndex(
            tuple(
                (heard, topic)
                for phrase, topic in self._index.phrases
                if len("".join((heard := phrase.heard).parts)) >= _LEAST_HEARD
            )
        )
        self._slips: dict[str, list[tuple[str, str]]] = {}
        for phrase, topic in self._heard.phrases:
            if len(phrase.parts) == 1 and len(phrase.parts[0]) >= _LEAST_SLIPPED:
                self._slips.setdefault(phrase.parts[0][0], []).append((phrase.parts[0], topic))
        denying = frozenset(fold(word) for word in negations)
        self._negations = denying | {sound(word) for word in denying}

    def read(self, text: str) -> TopicWords:
        """What a message speaks of; a phrase counts once however often it is said."""
        return self._weigh(self._index, split_words(text))

    def hear(self, text: str) -> TopicWords:
        """What it speaks of as it sounds: with slips in vowels, else with one letter wrong."""
        words = tuple(heard for word in split_words(text) if (heard := sound(word)))
        found = self._weigh(self._heard, words)
        if found.weights or found.is_denied:
            return found
        weights: dict[str, float] = {}
        for word in words:
            for topic in {t for stem, t in self._slips.get(word[0], ()) if is_slip(word, stem)}:
                weights[topic] = weights.get(topic, 0.0) + 1.0
        return TopicWords(weights, is_denied=False)

    def _weigh(self, index: StemIndex, words: Sequence[str]) -> TopicWords:
        best: dict[tuple[str, int], float] = {}
        any_denied = False
        for at, phrase, topic in index.find(words):
            is_denied = len(phrase.parts) == 1 and at > 0 and words[at - 1] in self._negations
            any_denied |= is_denied
            if not is_denied:
                best[topic, at] = max(best.get((topic, at), 0.0), phrase.weight)
        weights: dict[str, float] = {}
        for (topic, _), weight in best.items():
            weights[topic] = weights.get(topic, 0.0) + weight
        return TopicWords(weights, any_denied)


def _read_phrase(stem: str) -> Phrase:
    parts = stem.split()
    return Phrase(
        tuple(fold(part.rstrip(".")) for part in parts),
        tuple(part.endswith(".") for part in parts),
    )


def _fits(word: str, part: str, is_whole: bool) -> bool:
    return word == part if is_whole else word.startswith(part)
