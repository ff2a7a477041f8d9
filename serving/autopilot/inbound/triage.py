"""Triage without a network: language, topic, whether it is a complaint, and how bad."""

from collections.abc import Iterable
from typing import Final, Protocol

from features.language import identify_language
from serving.autopilot.inbound.lexicon import Lexicon
from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.mood import default_negations, is_question, read_mood
from serving.autopilot.inbound.neighbours import LabelledText, Neighbours
from serving.autopilot.inbound.taxonomy import OTHER, Taxonomy

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
    """Stems first, then labelled examples, else `other`."""

    def __init__(self, taxonomy: Taxonomy, *, labelled: Iterable[LabelledText] = ()) -> None:
        """Compile a taxonomy.

        Args:
            taxonomy: Of the business.
            labelled: More examples, such as owners have confirmed.
        """
        self._taxonomy = taxonomy
        self._lexicon = Lexicon(taxonomy, negations=default_negations())
        self._neighbours = Neighbours(taxonomy, more=labelled)

    def triage(self, message: InboundMessage, *, language: str | None) -> Triaged:
        """See `Triage`."""
        topic, by, confidence = self._find_topic(message.text)
        mood = read_mood(message.text)
        is_about = by is TriagedBy.LEXICON  # being like an example makes no question a complaint
        return Triaged(
            topic=topic,
            # Whatever is neither praise nor a question counts, under `other`, so that a problem
            # nobody has a word for is seen by its rate.
            is_complaint=not mood.is_praise
            and (is_about or mood.is_negative or not is_question(message.text)),
            severity=mood.severity,
            language=choose_language(message.text, stored=language, among=self._taxonomy.languages),
            by=by,
            confidence=confidence,
        )

    def _find_topic(self, text: str) -> tuple[str, TriagedBy, float]:
        """The topic that most speaks for, who said so, and its share; of equals the first."""
        found = self._lexicon.read(text)
        weights, by = found.weights, TriagedBy.LEXICON
        if not weights and not found.is_denied:  # examples know nothing of "not"
            near = self._neighbours.read(text)
            weights = {topic: c for topic, c in near.items() if c >= _NEAR_ENOUGH}
            by = TriagedBy.NEIGHBOURS
        if not weights:
            return OTHER, TriagedBy.NOTHING, 0.0
        order = self._taxonomy.names
        best = max(weights, key=lambda topic: (weights[topic], -order.index(topic)))
        return best, by, weights[best] / sum(weights.values())


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
