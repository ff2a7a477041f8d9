"""What those affected are told: titles, stages and confirmed causes, as data with a schema.

A customer's message is a text of the library for the trigger `incident_update` whose two facts come
from here. A title names what was felt; why it was so stays open until a human confirms a cause, and
then only the words of that cause are said.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.errors import BadInputError, ConfigurationError
from features.evidence import Scalar
from serving.copy.languages import LAST_RESORT, Language
from serving.policy.settings import read_settings_file

_FOLDER = Path(__file__).with_name("updates")

LANGUAGES: Final = frozenset({"en", "ru", "kk"})

MOST_TITLE: Final = 32
"""Characters that the slot `incident` has in the narrowest place (`serving/copy/slots.yaml`)."""

MOST_UPDATE: Final = 54
"""Likewise of the slot `update`."""

_CREDIT_SLOTS: Final = frozenset({"amount", "code"})
_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCES = re.compile(r"[.!?…]\s+\S")
_LITERAL = re.compile(r"\d|https?:|www\.|@")

Words = Mapping[str, str]
"""A text by language."""


class Stage(StrEnum):
    """What is said beside the title."""

    CHECKING = "checking"
    CAUSE = "cause"  # said in the words of the cause
    OVER = "over"
    CREDIT = "credit"


_WORDED: Final = tuple(stage for stage in Stage if stage is not Stage.CAUSE)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TopicWords(_Data):
    """What is said about one topic.

    Attributes:
        title: What was felt.
        causes: What a human may confirm, by name, and how it is told.
    """

    title: dict[str, str]
    causes: dict[str, dict[str, str]] = {}


class Updates(_Data):
    """Words of a kind of business, each in every language.

    Attributes:
        business: What kind.
        version: Grows when words change.
        approved_by: Who approved them.
        stages: By stage.
        topics: By topic; `other` must be there.
    """

    business: str
    version: Annotated[int, Field(ge=1)]
    approved_by: Annotated[str, Field(min_length=1, max_length=100)]
    stages: dict[Stage, dict[str, str]]
    topics: dict[str, TopicWords]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        faults = [f"stages: {stage} is missing" for stage in _WORDED if stage not in self.stages]
        if "other" not in self.topics:
            faults.append("topics: other is missing")
        for place, words, most, slots in self._list_words():
            if words.keys() != LANGUAGES:
                faults.append(f"{place}: has {sorted(words)}, expected {sorted(LANGUAGES)}")
            for language, text in words.items():
                faults += _find_faults(f"{place}.{language}", text, most=most, slots=slots)
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _list_words(self) -> Iterator[tuple[str, Words, int, frozenset[str]]]:
        for stage, words in self.stages.items():
            slots = _CREDIT_SLOTS if stage is Stage.CREDIT else frozenset()
            yield f"stages.{stage}", words, MOST_UPDATE, slots
        for name, topic in self.topics.items():
            yield f"topics.{name}.title", topic.title, MOST_TITLE, frozenset()
            for cause, words in topic.causes.items():
                yield f"topics.{name}.causes.{cause}", words, MOST_UPDATE, frozenset()

    def of_topic(self, topic: str) -> TopicWords:
        """Words of a topic; of one without words those of `other`."""
        return self.topics.get(topic, self.topics["other"])


@dataclass(frozen=True, slots=True)
class Credit:
    """What a customer is given, as it is said.

    Attributes:
        cents: How much.
        currency: ISO code.
        code: By which the company's system knows it.
    """

    cents: int
    currency: str
    code: str


def write_update(
    updates: Updates,
    topic: str,
    *,
    stage: Stage,
    language: Language,
    cause: str | None = None,
    credit: Credit | None = None,
) -> dict[str, Scalar]:
    """The facts of an `incident_update`, in the customer's language.

    Args:
        updates: Words of the business.
        topic: What customers complain about.
        stage: What there is to say.
        language: Of the customer; English where the words have no other.
        cause: Confirmed by a human; said in place of `checking`. None: nobody knows why.
        credit: Of the stage `credit`.

    Raises:
        BadInputError: The topic knows no such cause; the stages `cause` and `credit` come without.
    """
    code = language.code if language.code in LANGUAGES else LAST_RESORT
    words = updates.of_topic(topic)
    if cause is not None and stage in (Stage.CHECKING, Stage.CAUSE):
        said = find_cause(updates, topic, cause=cause)[code]
    elif stage is Stage.CAUSE:
        raise BadInputError(f"words about {topic}: the stage cause needs one")
    else:
        said = updates.stages[stage][code]
    if stage is Stage.CREDIT:
        if credit is None:
            raise BadInputError(f"words about {topic}: the stage credit needs one")
        amount = language.write_money(credit.cents, currency=credit.currency)
        amount = " ".join(amount.split())  # no spaces that a channel has no letter for
        said = said.replace("{amount}", amount).replace("{code}", credit.code)
    return {"incident": words.title[code], "update": said}


def find_cause(updates: Updates, topic: str, *, cause: str) -> Words:
    """How a cause is told, by language.

    Raises:
        BadInputError: The topic knows no such cause.
    """
    known = updates.of_topic(topic).causes
    if cause not in known:
        names = ", ".join(sorted(known)) or "none: its words must be written first"
        raise BadInputError(f"cause {cause!r} of {topic}: expected one of {names}")
    return known[cause]


@cache
def load_updates(name: str) -> Updates:
    """Words that ship under a name, or those in a file.

    >>> load_updates("salon").of_topic("heat").title["en"]
    'It was hot'

    Raises:
        ConfigurationError: There are none of that name; or everything that is wrong with the file.
    """
    is_file = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_file else _FOLDER / f"{name}.yaml"
    if not is_file and not path.exists():
        shipped = ", ".join(sorted(one.stem for one in _FOLDER.glob("*.yaml")))
        raise ConfigurationError(f"words of incidents {name!r}: expected {shipped}, or a file")
    return read_settings_file(path, Updates, what="words of incidents")


def _find_faults(place: str, text: str, *, most: int, slots: frozenset[str]) -> Iterator[str]:
    found = set(_SLOT.findall(text))
    if found != slots:
        yield f"{place}: names {sorted(found) or 'no slot'}, expected {sorted(slots) or 'none'}"
    if _SENTENCES.search(text):
        yield f"{place}: holds more than one sentence"
    if _LITERAL.search(text):
        yield f"{place}: holds a figure, a link or an address"
    if not slots and not 1 <= len(text.strip()) <= most:
        yield f"{place}: {len(text.strip())} characters, expected 1 to {most}"
