"""What the judge looks at, by tone: data with a schema."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.copy.brief import Tone
from serving.policy.settings import read_settings_file

_SHIPPED = Path(__file__).with_name("rubrics.yaml")
_Sentence = Annotated[str, Field(min_length=1, max_length=200)]


class Criterion(StrEnum):
    """What a text is judged by; closed, so that scores compare."""

    EMPATHY = "empathy"
    TRANSPARENCY = "transparency"
    NEUTRALITY = "neutrality"
    NO_BLAME = "no_blame"
    NO_PROMISE = "no_promise"
    CLARITY = "clarity"
    FRIENDLINESS = "friendliness"
    NATIVE = "native"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Standard(_Frozen):
    """One criterion in words.

    Attributes:
        asks: The question.
        worst: What a 1 is.
        best: What a 5 is.
    """

    asks: _Sentence
    worst: _Sentence
    best: _Sentence


class Rubrics(_Frozen):
    """All criteria, and which of them count for a tone.

    Attributes:
        version: Part of the prompt's name.
        criteria: By name.
        tones: Criteria of each tone, in the order in which they are asked.
    """

    version: Annotated[int, Field(ge=1)]
    criteria: Mapping[Criterion, Standard]
    tones: Mapping[Tone, Annotated[tuple[Criterion, ...], Field(min_length=1)]]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        faults = [f"criteria: {name} is missing" for name in Criterion if name not in self.criteria]
        faults += [f"tones: {tone} is missing" for tone in Tone if tone not in self.tones]
        faults += [
            f"tones.{tone}: a criterion stands twice"
            for tone, names in self.tones.items()
            if len(set(names)) != len(names)
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self


@cache
def default_rubrics() -> Rubrics:
    """The rubrics that ship with Opportune."""
    return load_rubrics(_SHIPPED)


def load_rubrics(path: Path) -> Rubrics:
    """Rubrics from a YAML file.

    Raises:
        ConfigurationError: The file is not there or is none; lists everything that is wrong.
    """
    return read_settings_file(path, Rubrics, what="rubrics")
