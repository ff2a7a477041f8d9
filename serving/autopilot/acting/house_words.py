"""What the owner and vendors are told, in three languages: texts as data with a schema."""

import re
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from serving.autopilot.detection.bursts import tell_how_often
from serving.copy.languages import Language
from serving.copy.library import default_library
from serving.corridor.actions import ActionState
from serving.policy.settings import read_settings_file
from serving.store.amends import AskState

_FILE = Path(__file__).with_name("house.yaml")
_SLOT = re.compile(r"\{(\w+)\}")

HouseLanguage = Literal["en", "ru", "kk"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Letter(_Data):
    """A subject and a body, with slots."""

    subject: str
    body: str


class OftenWords(_Data):
    """How often something happens."""

    often: str
    rarely: str
    hardly: str

    def tell(self, per_week: float) -> str:
        """In words that a person has a feeling for."""
        return tell_how_often(per_week, often=self.often, rarely=self.rarely, hardly=self.hardly)


class SeenWords(_Data):
    """What was seen, and what follows."""

    subject: str
    facts: str
    assumed: str
    links: str
    no_links: str
    plan: str
    stop: str
    command: str
    everything: str
    only_telling: str


class PlanWords(_Data):
    """When something is done."""

    at_once: str
    unless_vetoed: str
    after_yes: str


class WhatWords(_Data):
    """What is done, by the corridor's kinds."""

    pause_marketing: str
    message_customers: str
    tell_cause: str
    tell_over: str
    credit: str
    ask_vendor: str
    book_vendor: str
    compensate_customer: str
    not_known: str


class ReportHeads(_Data):
    """Headings of the report."""

    when: str
    who: str
    help: str
    money: str
    said: str
    unknown: str


class ReportWords(_Data):
    """The report at the end."""

    subject: str
    heads: ReportHeads
    when: str
    ended: str
    not_ended: str
    size: str
    written: str
    not_written: str
    nobody: str
    no_approver: str
    vendor: str
    offer: str
    spent: str
    action: str
    word: str
    cause: str
    no_cause: str
    no_visit: str
    unsaid: str


class HouseWords(_Data):
    """Everything that is told in one language."""

    how_often: OftenWords
    unknown_language: str
    clock: str
    seen: SeenWords
    plan: PlanWords
    what: WhatWords
    nobody_comes: Letter
    ask: Letter
    book: Letter
    cancel: Letter
    report: ReportWords
    states: dict[str, str]
    updates: dict[str, str]


class _AllHouseWords(RootModel[dict[HouseLanguage, HouseWords]]):
    """Texts by language; all have the same slots."""

    root: dict[HouseLanguage, HouseWords] = Field(min_length=3)

    @model_validator(mode="after")
    def _are_alike(self) -> Self:
        expected = _list_slots(self.root["en"])
        faults = []
        for language, words in self.root.items():
            found = _list_slots(words)
            faults += [
                f"{language}.{place}: has slots {sorted(found.get(place, ()))}, not {sorted(slots)}"
                for place, slots in expected.items()
                if found.get(place) != slots
            ]
            missing = {state.value for state in (*AskState, *ActionState)} - words.states.keys()
            faults += [f"{language}.states: {name} is missing" for name in sorted(missing)]
        if faults:
            raise ValueError("; ".join(faults))
        return self


@cache
def load_house_words(language: HouseLanguage) -> HouseWords:
    """What the owner and vendors are told in a language.

    >>> load_house_words("en").how_often.tell(0.25)
    'about once in 4 weeks'
    """
    return read_settings_file(_FILE, _AllHouseWords, what="words of the autopilot").root[language]


def find_language(code: str) -> Language:
    """How amounts are written in a language; in English where the texts have no such language."""
    languages = default_library().languages
    return languages.get(code) or languages["en"]


def _list_slots(words: BaseModel, *, place: str = "") -> dict[str, frozenset[str]]:
    """Slots of every text, by its place."""
    found: dict[str, frozenset[str]] = {}
    for name in type(words).model_fields:
        value: object = getattr(words, name)
        at = f"{place}{name}"
        if isinstance(value, BaseModel):
            found |= _list_slots(value, place=f"{at}.")
        elif isinstance(value, str):
            found[at] = frozenset(_SLOT.findall(value))
        elif isinstance(value, dict):
            found |= {f"{at}.{key}": frozenset() for key in value}
    return found
