"""What a business's customers complain about: a closed list of topics, as data with a schema."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigurationError
from features.vocabulary import Trigger
from serving.faults import describe_validation

OTHER: Final = "other"
"""The topic of complaints that no other takes; its rate is watched like any other's."""

_FOLDER = Path(__file__).with_name("taxonomies")

Stems = tuple[Annotated[str, Field(min_length=2)], ...]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Topic(_Data):
    """One thing that can be wrong.

    Attributes:
        name: What it is called.
        title: How it is named to people, by language.
        stems: Beginnings of words that speak of it, by language; several words with spaces between
            them must follow each other, at most one other word apart. A word ending in `.` must
            match as a whole.
        hints: Words that go with it, written like stems, by language: asked where no stem is found.
            They say what a message is about, and not that it is a complaint.
        examples: Complaints about it, by language, in the words of customers.
        explained_by: Triggers that may be behind it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")
    title: dict[str, str]
    stems: dict[str, Stems] = {}
    hints: dict[str, Stems] = {}
    examples: dict[str, tuple[str, ...]] = {}
    explained_by: tuple[Trigger, ...] = ()

    @property
    def shown(self) -> str:
        """Its title in English, else in the first language that it has one in."""
        return self.title.get("en") or next(iter(self.title.values()))


class Taxonomy(_Data):
    """The topics of a kind of business.

    Attributes:
        business: What kind.
        version: Grows when topics change.
        languages: That customers write in.
        topics: Closed; `other` is added to them.
    """

    business: str
    version: Annotated[int, Field(ge=1)]
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    topics: tuple[Topic, ...]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        faults = [
            f"topics: {name} is there {n} times"
            for name, n in Counter(topic.name for topic in self.topics).items()
            if n > 1
        ]
        if any(topic.name == OTHER for topic in self.topics):
            faults.append(f"topics: {OTHER} is always there, it cannot be described")
        for topic in self.topics:
            for field in ("title", "stems", "examples"):
                given = set(getattr(topic, field))
                if given != set(self.languages):
                    faults.append(
                        f"topics.{topic.name}.{field}: has {sorted(given)},"
                        f" expected {sorted(self.languages)}"
                    )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every topic, `other` last."""
        return (*(topic.name for topic in self.topics), OTHER)

    def title_of(self, name: str) -> str:
        """How a topic is named to people; `other` by its name."""
        return next((topic.shown for topic in self.topics if topic.name == name), name)

    def explained_by(self, name: str) -> tuple[Trigger, ...]:
        """Triggers that may be behind complaints about a topic."""
        return next((t.explained_by for t in self.topics if t.name == name), ())


def read_taxonomy(path: Path) -> Taxonomy:
    """A taxonomy from a YAML file.

    Raises:
        ConfigurationError: It cannot be read, or is none; every fault is named.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Taxonomy.model_validate(given)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: cannot be read as YAML: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {describe_validation(error)}") from error


def shipped_taxonomies() -> tuple[str, ...]:
    """Names of the taxonomies that ship with Opportune.

    >>> shipped_taxonomies()
    ('delivery', 'salon')
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def load_taxonomy(name: str) -> Taxonomy:
    """One that ships with Opportune.

    >>> load_taxonomy("salon").names[:3]
    ('heat', 'cold', 'smell')

    Raises:
        ConfigurationError: There is none of that name.
    """
    if name not in shipped_taxonomies():
        raise ConfigurationError(
            f"taxonomy {name!r}: expected one of {', '.join(shipped_taxonomies())}, or a file"
        )
    return read_taxonomy(_FOLDER / f"{name}.yaml")


def find_taxonomy(given: str) -> Taxonomy:
    """One that ships, by its name, or the one in a `.yaml` file.

    Raises:
        ConfigurationError: There is none of that name, or the file is none.
    """
    is_file = given.endswith((".yaml", ".yml"))
    return read_taxonomy(Path(given)) if is_file else load_taxonomy(given)
