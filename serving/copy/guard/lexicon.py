"""What a language says claims, promises and marketing speak with: data, one file a language.

The files are `lexicons/<code>.yaml`. A language is added by a file. Only patterns of hours, codes,
spoken hosts and postal addresses stand in the code, for the languages that ship.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from features.errors import ConfigurationError
from features.vocabulary import Trigger
from serving.copy.brief import OfferKind
from serving.copy.guard.faults import FaultCode
from serving.copy.guard.phrases import Found, PhraseBook
from serving.copy.guard.reading import fold

_N_REMEMBERED = 8192
_SHIPPED = Path(__file__).parent / "lexicons"
Phrase = Annotated[str, Field(pattern=r"^[^\sA-Z].*\S$|^\S$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Frozen):
    """Phrases that say one kind of thing.

    Attributes:
        code: The fault that they make.
        expected: What should stand there instead.
        words: The phrases; see `phrases`.
        offers: Kinds of approved offers that make them legal.
        triggers: Triggers whose facts make them legal.
        only: Where they are a fault; null for everywhere.
    """

    code: FaultCode
    expected: str
    words: tuple[Phrase, ...]
    offers: tuple[OfferKind, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    only: Literal["service", "marketing"] | None = None


class LexiconData(_Frozen):
    """The file of one language.

    Attributes:
        script: Letters that its words are written in.
        inflects: Whether a name in running text would have to take an ending.
        letters: Letters that its texts hold and those of a neighbour do not; may be empty.
        foreign_letters: Letters of a neighbour that its texts never hold.
        foreign_words: Words of a neighbour in letters that both have; one of them is enough.
        rivals: Languages that a text in the wrong one is likely to be in.
        ai_marker: The line that says a machine helped to write a text.
        legal: Phrases that hold a word of the lists and claim nothing.
        numbers: Words by the number that they say.
        ones: Words for one, which count only before a unit.
        units: What is counted: units of time, money, goods.
        time_units: Those of them that count time: a number of them is a date or a deadline too.
        months: Words by month.
        currencies: Words by ISO code.
        percent: Words for per cent.
        loanwords: Words in another alphabet that readers know.
        names: First names; a stored text that holds one was written about a person.
        greetings: After them, a word with a capital letter is somebody's name.
        fillers: Words of an apology, and little words: alone they don't say what happened.
        calls: Calls to action by what they ask for.
        side_calls: Keys of `calls` that lead away from what a message is about.
        groups: Everything else.
    """

    script: Literal["latin", "cyrillic"]
    inflects: bool = False
    letters: str = ""
    foreign_letters: str = ""
    foreign_words: tuple[str, ...] = ()
    rivals: tuple[str, ...]
    ai_marker: str
    legal: tuple[Phrase, ...]
    numbers: Mapping[int, tuple[Phrase, ...]]
    ones: tuple[Phrase, ...]
    units: tuple[Phrase, ...]
    time_units: tuple[Phrase, ...]
    months: Mapping[int, tuple[Phrase, ...]]
    currencies: Mapping[str, tuple[Phrase, ...]]
    percent: tuple[Phrase, ...]
    loanwords: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    greetings: tuple[Phrase, ...]
    fillers: tuple[str, ...] = ()
    calls: Mapping[str, tuple[Phrase, ...]]
    side_calls: tuple[str, ...] = ()
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Findings:
    """Phrases of a sentence, by what they are; each in the order of its first word."""

    groups: tuple[Found[Group], ...]
    legal: tuple[Found[None], ...]
    numbers: tuple[Found[int], ...]
    ones: tuple[Found[None], ...]
    units: tuple[Found[None], ...]
    time_units: tuple[Found[None], ...]
    months: tuple[Found[int], ...]
    currencies: tuple[Found[str], ...]
    percent: tuple[Found[None], ...]
    calls: tuple[Found[str], ...]
    greetings: tuple[Found[None], ...]


NOTHING = Findings(*((),) * 11)


@dataclass(frozen=True, eq=False)
class Lexicon:
    """A language's file, made ready to be looked up.

    Attributes:
        code: Of the language.
        data: As read.
        names: First names in small letters.
        loanwords: In small letters.
        foreign_words: In small letters.
        fillers: Folded.
        book: All its phrases.
    """

    code: str
    data: LexiconData
    names: frozenset[str] = field(repr=False)
    loanwords: frozenset[str] = field(repr=False)
    foreign_words: frozenset[str] = field(repr=False)
    fillers: frozenset[str] = field(repr=False)
    book: PhraseBook["_Entry"] = field(repr=False)

    def find(self, words: tuple[str, ...]) -> Findings:
        """Every phrase of a sentence of folded words; all lists are looked up at once."""
        return find_phrases(self, words)


@dataclass(frozen=True)
class _Entry:
    """A phrase's list, and what it stands for there."""

    kind: str
    what: Group | int | str | None


@lru_cache(_N_REMEMBERED)
def find_phrases(lexicon: Lexicon, words: tuple[str, ...]) -> Findings:
    """Every phrase of a sentence of folded words; all lists are looked up at once."""
    found: dict[str, list[Any]] = {}
    for one in lexicon.book.find(words):
        found.setdefault(one.what.kind, []).append(Found(one.start, one.stop, one.what.what))
    if not found:
        return NOTHING
    return replace(NOTHING, **{kind: tuple(listed) for kind, listed in found.items()})


_DATA = TypeAdapter(LexiconData)


@cache
def default_lexicons() -> Mapping[str, Lexicon]:
    """The languages that ship with Opportune, by code.

    >>> sorted(default_lexicons())
    ['en', 'kk', 'ru']
    """
    return load_lexicons(_SHIPPED)


def load_lexicons(folder: Path) -> Mapping[str, Lexicon]:
    """Lexicons of a folder by language.

    Raises:
        ConfigurationError: Lists everything that is wrong in the files, or says that there are
            none.
    """
    lexicons, faults = {}, []
    for path in sorted(folder.glob("*.yaml")):
        try:
            data = _DATA.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            faults.append(f"{path.name}: {' '.join(str(error).split())}")
        except ValidationError as error:
            faults += list(_describe(path.name, error))
        else:
            lexicons[path.stem] = _compile(path.stem, data)
    if faults or not lexicons:
        lines = "\n  ".join(faults or ["no file <language>.yaml in it"])
        raise ConfigurationError(f"{folder}: lexicons cannot be read:\n  {lines}")
    return lexicons


def _describe(name: str, error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_context=False):
        yield f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _compile(code: str, data: LexiconData) -> Lexicon:
    return Lexicon(
        code=code,
        data=data,
        names=frozenset(name.casefold() for name in data.names),
        loanwords=frozenset(word.casefold() for word in data.loanwords),
        foreign_words=frozenset(word.casefold() for word in data.foreign_words),
        fillers=frozenset(map(fold, data.fillers)),
        book=PhraseBook(_list_entries(data)),
    )


def _list_entries(data: LexiconData) -> Iterator[tuple[str, _Entry]]:
    """Every phrase with its list."""
    lists: dict[str, tuple[str, ...]] = {
        name: getattr(data, name)
        for name in ("legal", "ones", "units", "time_units", "percent", "greetings")
    }
    for name, words in lists.items():
        yield from ((_fold(word), _Entry(name, None)) for word in words)
    meanings: dict[str, Mapping[int, tuple[str, ...]] | Mapping[str, tuple[str, ...]]] = {
        name: getattr(data, name) for name in ("numbers", "months", "currencies", "calls")
    }
    for name, by_meaning in meanings.items():
        for what, words in by_meaning.items():
            yield from ((_fold(word), _Entry(name, what)) for word in words)
    for group in data.groups:
        entry = _Entry("groups", group)
        yield from ((_fold(word), entry) for word in group.words)


def _fold(phrase: str) -> str:
    return " ".join("|".join(fold(word) for word in piece.split("|")) for piece in phrase.split())
