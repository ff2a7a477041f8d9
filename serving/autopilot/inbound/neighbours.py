"""The labelled examples nearest to a message, by the beginnings of their words.

Character n-grams tell topics of messages of two to six words apart no better than chance;
beginnings of words, weighted by how rare they are among topics, do a little.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.autopilot.inbound.words import split_words

_BEGINNING: Final = 5  # letters
_SHORTEST: Final = 3
_N_NEAREST: Final = 3


@dataclass(frozen=True)
class LabelledText:
    """A complaint whose topic a person has said.

    Attributes:
        text: In the customer's words.
        topic: Of the taxonomy.
    """

    text: str
    topic: str


class Neighbours:
    """Nearest labelled examples; those of the taxonomy and those that owners add."""

    def __init__(self, taxonomy: Taxonomy, *, more: Iterable[LabelledText] = ()) -> None:
        """Index the examples."""
        examples = [
            LabelledText(text, topic.name)
            for topic in taxonomy.topics
            for texts in topic.examples.values()
            for text in texts
        ]
        self._labels: list[str] = []
        features: list[frozenset[str]] = []
        for one in (*examples, *more):
            self._labels.append(one.topic)
            features.append(_beginnings(one.text))
        n_with = Counter(word for words in features for word in words)
        self._rarity = {word: log((1 + len(features)) / n) for word, n in n_with.items()}
        self._by_word: dict[str, list[int]] = {}
        for row, words in enumerate(features):
            for word in words:
                self._by_word.setdefault(word, []).append(row)
        self._lengths = [sqrt(sum(self._rarity[w] ** 2 for w in words)) for words in features]

    def read(self, text: str) -> Mapping[str, float]:
        """By topic the summed cosine of the nearest three examples."""
        words = _beginnings(text)
        shared: dict[int, float] = {}
        for word in words:
            for row in self._by_word.get(word, ()):
                shared[row] = shared.get(row, 0.0) + self._rarity[word] ** 2
        # Words that no example holds make everything less alike.
        unseen = log(2 + len(self._labels))
        length = sqrt(sum(self._rarity.get(word, unseen) ** 2 for word in words))
        near = sorted(
            ((s / (length * self._lengths[row]), row) for row, s in shared.items()), reverse=True
        )[:_N_NEAREST]
        found: dict[str, float] = {}
        for cosine, row in near:
            topic = self._labels[row]
            found[topic] = found.get(topic, 0.0) + cosine
        return found


def _beginnings(text: str) -> frozenset[str]:
    return frozenset(word[:_BEGINNING] for word in split_words(text) if len(word) >= _SHORTEST)
