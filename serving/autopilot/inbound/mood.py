"""How bad a message is, by words alone: it colours an incident, it never starts one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from serving.autopilot.inbound.lexicon import StemIndex, compile_stems
from serving.autopilot.inbound.taxonomy import Stems
from serving.autopilot.inbound.words import fold, split_words

_FILE = Path(__file__).with_name("mood.yaml")
_SHOUTED_FROM: Final = 6  # letters


class Severity(StrEnum):
    """How bad it is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"  # very wrong, or people come to harm


def sum_up(severities: Iterable[Severity]) -> Severity:
    """The worst of two or more messages, else the most usual one; low where there is none.

    >>> sum_up([Severity.LOW, Severity.HIGH, Severity.LOW, Severity.HIGH])
    <Severity.HIGH: 'high'>
    """
    counts = Counter(severities)
    for severity in (Severity.HIGH, Severity.MEDIUM):
        if counts[severity] >= 2:
            return severity
    return counts.most_common(1)[0][0] if counts else Severity.LOW


class MoodWords(BaseModel):
    """The words of one language.

    Attributes:
        bad: Stems that say that something is wrong.
        strong: That it is very wrong.
        grave: That people come to harm.
        good: Praise.
        negations: Words that turn the next word around.
        negations_after: Words that turn the word before around.
        greetings: Words that open a message and say nothing.
        asking: Words that open a question or a wish.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bad: Stems
    strong: Stems
    grave: Stems
    good: Stems
    negations: tuple[str, ...]
    negations_after: tuple[str, ...]
    greetings: tuple[str, ...]
    asking: tuple[str, ...]


@dataclass(frozen=True)
class Mood:
    """What the words of a message weigh.

    Attributes:
        n_bad: Words that say that something is wrong.
        n_strong: That it is very wrong.
        n_grave: That people come to harm.
        n_good: Praise.
        is_loud: Capitals or rows of exclamation marks.
    """

    n_bad: int
    n_strong: int
    n_grave: int
    n_good: int
    is_loud: bool

    @property
    def is_praise(self) -> bool:
        """Whether it says good things alone."""
        return self.n_good > 0 and not self.n_bad + self.n_strong + self.n_grave

    @property
    def is_negative(self) -> bool:
        """Whether it says that something is wrong."""
        return self.n_bad + self.n_strong + self.n_grave > 0

    @property
    def severity(self) -> Severity:
        """Harm and strong words are high; two marks of anger are medium."""
        if self.n_grave or self.n_strong > 1 or (self.n_strong and self.is_loud):
            return Severity.HIGH
        if self.n_strong or self.n_bad + self.is_loud > 1:
            return Severity.MEDIUM
        return Severity.LOW


@cache
def default_mood_words() -> Mapping[str, MoodWords]:
    """Those that ship with Opportune, by language."""
    given = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {language: MoodWords.model_validate(words) for language, words in given.items()}


def default_negations() -> frozenset[str]:
    """Words that turn the next word around, of all languages."""
    return frozenset(w for words in default_mood_words().values() for w in words.negations)


def read_mood(text: str) -> Mood:
    """The mood of a message, whatever its language.

    >>> read_mood("Ужас, в зале стало плохо женщине!!!").severity
    <Severity.HIGH: 'high'>
    >>> read_mood("Спасибо, всё отлично").is_praise
    True
    """
    words = split_words(text)
    found: dict[str, set[int]] = {"bad": set(), "strong": set(), "grave": set(), "good": set()}
    before, after = _turning_words()
    for at, _, label in _index().find(words):
        is_turned = (at > 0 and words[at - 1] in before) or (
            at + 1 < len(words) and words[at + 1] in after
        )
        if label == "good" and is_turned:
            found["bad"].add(at)
        elif not (is_turned and label == "grave"):
            found[label].add(at)
    shouted = sum(char.isupper() for char in text) > max(_SHOUTED_FROM, 0.6 * len(text.strip()) - 3)
    return Mood(
        n_bad=len(found["bad"]),
        n_strong=len(found["strong"]),
        n_grave=len(found["grave"]),
        n_good=len(found["good"]),
        is_loud=shouted or "!!" in text,
    )


def is_question(text: str) -> bool:
    """Whether a message only asks for something.

    >>> is_question("Во сколько вы закрываетесь?"), is_question("Полы скользкие")
    (True, False)
    """
    greetings, asking = _opening_words()
    words = [word for word in split_words(text) if word not in greetings]
    return text.rstrip(" )").endswith("?") or (bool(words) and words[0] in asking)


@cache
def _opening_words() -> tuple[frozenset[str], frozenset[str]]:
    """Greetings and words that open a question, folded."""
    every = default_mood_words().values()
    return (
        frozenset(fold(word) for words in every for word in words.greetings),
        frozenset(fold(word) for words in every for word in words.asking),
    )


@cache
def _index() -> StemIndex:
    stems: dict[str, list[str]] = {"bad": [], "strong": [], "grave": [], "good": []}
    for words in default_mood_words().values():
        for label, given in stems.items():
            given.extend(getattr(words, label))
    return compile_stems(stems)


@cache
def _turning_words() -> tuple[frozenset[str], frozenset[str]]:
    """Words that turn the next one and the one before around, folded."""
    every = default_mood_words().values()
    return (
        frozenset(fold(word) for words in every for word in words.negations),
        frozenset(fold(word) for words in every for word in words.negations_after),
    )
