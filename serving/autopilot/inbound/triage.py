"""Triage without a network: language, topic, whether it is a complaint, and how bad."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from features.language import identify_language
from serving.autopilot.inbound.lexicon import Lexicon
from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.mood import default_negations, is_question, read_mood
from serving.autopilot.inbound.neighbours import LabelledText, Neighbours
from serving.autopilot.inbound.taxonomy import OTHER, Taxonomy
from serving.autopilot.inbound.words import split_words, write_in_cyrillic

_NEAR_ENOUGH: Final = 0.45  # summed cosine of up to three examples


class Triage(Protocol):
    """Says what messages are."""

    def triage(self, message: InboundMessage, *, language: str | None) -> Triaged:
        """What one message is.

        Args:
            message: As it came in.
            language: That the customer has chosen; None where they have not. It wins over what
                the text looks like.
        """
        ...


class OfflineTriage:
    """Stems first, then labelled examples, then hints, else `other`."""

    def __init__(self, taxonomy: Taxonomy, *, labelled: Iterable[LabelledText] = ()) -> None:
        """Compile a taxonomy.

        Args:
            taxonomy: Of the business.
            labelled: More examples, such as owners have confirmed.
        """
        self._taxonomy = taxonomy
        negations = default_negations()
        topics = taxonomy.topics
        self._lexicon = Lexicon({t.name: _join(t.stems) for t in topics}, negations=negations)
        self._hints = Lexicon({t.name: _join(t.hints) for t in topics}, negations=negations)
        self.learn(labelled)

    def learn(self, labelled: Iterable[LabelledText]) -> None:
        """Go by these examples beside those of the taxonomy; earlier ones are forgotten."""
        known = [one for one in labelled if one.topic in self._taxonomy.names]
        self._said = {split_words(one.text): one.topic for one in known}
        self._neighbours = Neighbours(self._taxonomy, more=known)

    def triage(self, message: InboundMessage, *, language: str | None) -> Triaged:
        """See `Triage`."""
        text = message.text
        topic, by, confidence = self._find_topic(text)
        mood = read_mood(text)
        if by is TriagedBy.NOTHING and (written := write_in_cyrillic(text)) is not None:
            found = self._find_topic(written)
            heard = read_mood(written)
            # Else it may as well be English.
            by_words = found[1] in (TriagedBy.LEXICON, TriagedBy.HINTS)
            if by_words or heard.is_praise or heard.is_negative:
                text, (topic, by, confidence), mood = written, found, heard
        # Being like an example, or a hint, makes no question a complaint.
        is_about = by is TriagedBy.LEXICON
        return Triaged(
            topic=topic,
            # Whatever is neither praise nor a question counts, under `other`, so that a problem
            # nobody has a word for is seen by its rate. A picture without a word says nothing.
            is_complaint=bool(text.strip())
            and not mood.is_praise
            and (is_about or mood.is_negative or not is_question(text)),
            severity=mood.severity,
            language=choose_language(text, stored=language, among=self._taxonomy.languages),
            by=by,
            confidence=confidence,
        )

    def _find_topic(self, text: str) -> tuple[str, TriagedBy, float]:
        """The topic that most speaks for, who said so, and its share; of equals the first."""
        if (said := self._said.get(split_words(text))) is not None:  # a person has, of these words
            return said, TriagedBy.NEIGHBOURS, 1.0
        found = self._lexicon.read(text)
        if not found.weights and not found.is_denied:
            found = self._lexicon.hear(text)
        weights, by = found.weights, TriagedBy.LEXICON
        if not weights and not found.is_denied:  # examples know nothing of "not"
            near = self._neighbours.read(text)
            weights = {topic: c for topic, c in near.items() if c >= _NEAR_ENOUGH}
            by = TriagedBy.NEIGHBOURS
            if not weights:
                weights, by = self._hints.read(text).weights, TriagedBy.HINTS
        if not weights:
            return OTHER, TriagedBy.NOTHING, 0.0
        order = self._taxonomy.names
        best = max(weights, key=lambda topic: (weights[topic], -order.index(topic)))
        return best, by, weights[best] / sum(weights.values())


def _join(stems: Mapping[str, Iterable[str]]) -> list[str]:
    return [stem for some in stems.values() for stem in some]


def choose_language(text: str, *, stored: str | None, among: Iterable[str]) -> str | None:
    """The customer's own choice, else what the text is surely written in, else None.

    >>> choose_language("Очень жарко", stored="kk", among=("ru", "kk", "en"))
    'kk'
    >>> choose_language("👎", stored=None, among=("ru", "kk", "en")) is None
    True
    """
    if stored is not None:
        return stored
    return identify_language(text, among=among).language
