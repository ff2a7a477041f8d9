"""The library: every variant of every trigger on every channel, read from YAML and checked."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from features.errors import BadInputError, ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.copy.checks import find_size_faults
from serving.copy.languages import LAST_RESORT, Language
from serving.copy.slots import TEXT_FACTS, SlotRoom, slots_of
from serving.copy.variants import Variant, compile_variants
from serving.copy.wordings import TriggerTexts, find_text_faults

__all__ = ["Library", "Variant", "default_library", "load_library"]

_SHIPPED = Path(__file__).parent
_T = TypeVar("_T")
_LANGUAGES = TypeAdapter(tuple[Language, ...])
_ROOMS = TypeAdapter(dict[str, SlotRoom])
_TEXTS = TypeAdapter(TriggerTexts)


class Library:
    """Variants by trigger and channel; frozen once made.

    Attributes:
        languages: What the texts of each language share, by code.
        rooms: Characters that each text fact may take.
    """

    def __init__(
        self,
        variants: Iterable[Variant],
        *,
        languages: Mapping[str, Language],
        rooms: Mapping[str, SlotRoom],
    ) -> None:
        self.languages = languages
        self.rooms = rooms
        self._by_id = {variant.variant_id: variant for variant in variants}
        self._by_place = {
            (trigger, channel): tuple(
                variant
                for variant in self._by_id.values()
                if (variant.trigger, variant.channel) == (trigger, channel)
            )
            for trigger in Trigger
            for channel in Channel
        }

    def __iter__(self) -> Iterator[Variant]:
        return iter(self._by_id.values())

    def variants(self, trigger: Trigger, channel: Channel) -> tuple[Variant, ...]:
        """The variants to choose from: those that ship by style, then the stored ones."""
        return self._by_place[trigger, channel]

    def with_stored(self, variants: Iterable[Variant]) -> "Library":
        """This library and stored variants beside what ships.

        Raises:
            BadInputError: One has the name of another.
        """
        stored = sorted(variants, key=lambda variant: variant.variant_id)
        names = [variant.variant_id for variant in stored]
        if twice := {name for name in names if name in self._by_id or names.count(name) > 1}:
            raise BadInputError(f"library: {', '.join(sorted(twice))} twice, expected once")
        return Library((*self, *stored), languages=self.languages, rooms=self.rooms)

    def variant(self, variant_id: str) -> Variant:
        """One variant.

        Raises:
            BadInputError: If the library holds no such variant.
        """
        try:
            return self._by_id[variant_id]
        except KeyError:
            raise BadInputError(
                f"variant {variant_id!r}: unknown, expected <trigger>.<channel>.<style>"
            ) from None


@cache
def default_library() -> Library:
    """The texts that ship with Opportune: English, Russian and Kazakh.

    >>> [v.variant_id for v in default_library().variants(Trigger.PRICE_DROP, Channel.SMS)]
    ['price_drop.sms.clear', 'price_drop.sms.warm']
    """
    return load_library(_SHIPPED)


def load_library(folder: Path) -> Library:
    """Read and check a folder of texts.

    Args:
        folder: Holds `languages.yaml`, `slots.yaml` and `texts/<trigger>.yaml` for every trigger.

    Raises:
        ConfigurationError: Lists everything that is wrong: missing or unreadable files, unknown
            keys, missing texts, unknown slots; in files without such faults, texts over their
            limits.
    """
    reader = _Reader(folder)
    spoken = reader.read("languages.yaml", _LANGUAGES)
    rooms = reader.read("slots.yaml", _ROOMS)
    languages = {language.code: language for language in spoken or ()}
    reader.faults += _find_shared_faults(spoken, rooms)
    variants: list[Variant] = []
    for trigger in Trigger:
        name = f"texts/{trigger}.yaml"
        texts = reader.read(name, _TEXTS)
        if texts is None:
            continue
        faults = list(
            find_text_faults(
                trigger,
                texts,
                languages=languages.keys() or texts.languages.keys(),
                slots=slots_of(trigger, with_room=TEXT_FACTS if rooms is None else rooms.keys()),
            )
        )
        if languages and rooms is not None and not faults:
            compiled = compile_variants(trigger, texts, languages=languages, rooms=rooms)
            faults = [fault for variant in compiled for fault in find_size_faults(variant)]
            variants += compiled
        reader.faults += [f"{name}: {fault}" for fault in faults]
    reader.refuse_faults()
    return Library(variants, languages=languages, rooms=rooms or {})


def _find_shared_faults(
    languages: tuple[Language, ...] | None, rooms: Mapping[str, SlotRoom] | None
) -> Iterator[str]:
    """What is wrong with languages and slots beyond their schemas."""
    for name in sorted((rooms or {}).keys() - TEXT_FACTS):
        yield f"slots.yaml: {name}: no trigger has such a text fact"
    if languages is None:
        return
    codes = [language.code for language in languages]
    if LAST_RESORT not in codes:
        yield f"languages.yaml: {LAST_RESORT} missing, the last resort of all"
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield f"languages.yaml: {code} stands twice"
    counted = {name for language in languages for name in language.plurals}
    for language in languages:
        for name in sorted(counted - language.plurals.keys()):
            yield f"languages.yaml: {language.code}: plurals.{name} missing"


class _Reader:
    """Reads YAML files of one folder and collects what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = [
            f"texts/{path.name}: no such trigger"
            for path in sorted(folder.glob("texts/*"))
            if path.name not in {f"{trigger}.yaml" for trigger in Trigger}
        ]

    def read(self, name: str, schema: TypeAdapter[_T]) -> _T | None:
        """A file in its schema; null when it has faults."""
        try:
            text = (self.folder / name).read_text(encoding="utf-8")
            return schema.validate_python(yaml.load(text, _UniqueKeyLoader))  # noqa: S506 safe
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            self.faults.append(f"{name}: {' '.join(str(error).split())}")
        except ValidationError as error:
            self.faults += [
                f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors(include_url=False, include_context=False)
            ]
        return None

    def refuse_faults(self) -> None:
        """Raise all faults at once."""
        if self.faults:
            lines = "\n  ".join(self.faults)
            raise ConfigurationError(f"{self.folder}: {len(self.faults)} faults:\n  {lines}")


class _UniqueKeyLoader(yaml.CSafeLoader):
    """Refuses a key that stands twice, which YAML loaders else take the last of."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node."""
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(sorted(twice))} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)
