"""Whether a judge ranks texts as people did: a golden set, and the share of pairs agreed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from features.errors import ConfigurationError
from features.evidence import FACTS, Scalar
from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand, Brief, SlotSpec, Tone
from serving.copy.draft import Draft
from serving.copy.wordings import Piece
from serving.copywriter.judge import Judgement
from serving.faults import describe_validation

_Z = 1.96


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GoldenText(_Frozen):
    """A text and its place among its siblings.

    Attributes:
        rank: 1 is the best; texts of one rank are as good as each other.
        title: Null where the channel has none.
        body: With slots.
        cta: Label of the button.
        why: What makes it good or bad; nobody is shown it.
    """

    rank: Annotated[int, Field(ge=1)]
    title: str | None = None
    body: Annotated[str, Field(min_length=1)]
    cta: str = ""
    why: Annotated[str, Field(min_length=1)]


class GoldenCell(_Frozen):
    """Texts for one purpose, in an order that people gave them.

    Attributes:
        name: Of the cell, unique.
        trigger: What the texts are about.
        channel: Where they are read.
        language: Their code.
        tone: How they should speak.
        facts: Examples of the slots.
        texts: Two or more, of two ranks or more.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    trigger: Trigger
    channel: Channel
    language: str
    tone: Tone
    facts: Mapping[str, Scalar] = {}
    texts: Annotated[tuple[GoldenText, ...], Field(min_length=2, max_length=10)]

    @model_validator(mode="after")
    def _has_an_order(self) -> Self:
        if len({text.rank for text in self.texts}) < 2:
            raise ValueError("texts of one rank only teach nothing")
        known = {fact.name for fact in FACTS[self.trigger]}
        if unknown := self.facts.keys() - known:
            raise ValueError(f"facts {sorted(unknown)}: {self.trigger} has {sorted(known)}")
        return self

    @property
    def brief(self) -> Brief:
        """What the texts were written for."""
        return Brief(
            trigger=self.trigger,
            channel=self.channel,
            language=self.language,
            tone=self.tone,
            brand=Brand(name="Opportune"),
            slots=tuple(
                SlotSpec(name=fact.name, kind=fact.kind, example=self.facts[fact.name])
                for fact in FACTS[self.trigger]
                if fact.name in self.facts
            ),
        )

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """The texts as drafts, in their order."""
        return tuple(
            Draft(
                trigger=self.trigger,
                channel=self.channel,
                language=self.language,
                title=None if text.title is None else Piece(facts=text.title, plain=text.title),
                body=(Piece(facts=text.body, plain=text.body),),
                cta=text.cta,
            )
            for text in self.texts
        )


@dataclass(frozen=True)
class Agreement:
    """How far a judge agrees with the golden order.

    Attributes:
        share: Of the pairs of siblings with different ranks, those that the judge ranks so; a tie
            counts half. Null where nothing was judged.
        low: Lower end of its 95 % interval over cells; null with the share.
        high: Upper end.
        n_pairs: Pairs compared.
        n_cells: Cells that were judged.
        n_failed: Cells without a judgement; they count neither way.
    """

    share: float | None
    low: float | None
    high: float | None
    n_pairs: int
    n_cells: int
    n_failed: int


_CELLS = TypeAdapter(tuple[GoldenCell, ...])


def load_golden(path: Path) -> tuple[GoldenCell, ...]:
    """A golden set from a YAML file.

    Raises:
        ConfigurationError: It is not there, or is none; lists everything that is wrong.
    """
    try:
        cells = _CELLS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise ConfigurationError(f"{path}: {fault}") from fault
    except ValidationError as fault:
        raise ConfigurationError(f"{path}: {describe_validation(fault)}") from fault
    names = [cell.name for cell in cells]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"{path}: cells {twice} stand there twice")
    return cells


def measure_agreement(
    cells: Sequence[GoldenCell], judgements: Mapping[str, Judgement]
) -> Agreement:
    """Compare judgements, by the names of their cells, with the golden order."""
    agreed, pairs = [], []
    for cell in cells:
        scores = [score for score in judgements[cell.name].scores if score is not None]
        if len(scores) < len(cell.texts):
            continue
        given = [score.overall for score in scores]
        ranked = [
            (one, other)
            for one, other in combinations(range(len(given)), 2)
            if cell.texts[one].rank != cell.texts[other].rank
        ]
        won = 0.0
        for one, other in ranked:
            better, worse = sorted((one, other), key=lambda at: cell.texts[at].rank)
            won += 0.5 if given[better] == given[worse] else float(given[better] > given[worse])
        agreed.append(won)
        pairs.append(len(ranked))
    n_failed = len(cells) - len(pairs)
    if not pairs:
        return Agreement(None, None, None, 0, 0, n_failed)
    share = sum(agreed) / sum(pairs)
    low, high = _wilson(share, len(pairs))
    return Agreement(share, low, high, sum(pairs), len(pairs), n_failed)


def _wilson(share: float, n: int) -> tuple[float, float]:
    """A 95 % interval of a share of n (Wilson 1927).

    A cell counts as one observation: its pairs hang together, and a set of ten cells on which all
    is agreed says less than thirty pairs would.
    """
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)
