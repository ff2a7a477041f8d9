"""Labelled texts: drafts and final texts that are good, or have one fault planted, as data.

The schema of `tests/serving/copy/guard/labelled/*.yaml`; how to write one: the README beside them.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from features.errors import BadInputError
from features.evidence import FACTS, FactKind
from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand, Brief, Offer, SlotSpec
from serving.copy.content import Content
from serving.copy.draft import Draft
from serving.copy.guard.check import check_draft, check_text
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.grounds import Grounds
from serving.copy.letter import Letter, Link
from serving.copy.library import Library, default_library
from serving.copy.sizes import sms_size
from serving.copy.slots import Place
from serving.copy.wordings import Text

BRAND = "Teal"
HOST = "teal.example"
_PAGE = f"https://{HOST}/orders"
_WAY_OUT = f"https://{HOST}/unsubscribe"


class Half(StrEnum):
    """When a case was written: beside the checks, or after they were finished."""

    TUNED = "tuned"
    BLIND = "blind"


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


Body = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class LabelledCase(BaseModel):
    """One text and what it is.

    Attributes:
        id: Unique name.
        half: When it was written.
        kind: A draft with slots, or a final text.
        trigger: Why customers are written to.
        channel: Where it is read.
        language: The one asked for.
        written_in: The one that the text says it is in; the asked one where null.
        title: Subject or title.
        preheader: Of an e-mail's draft.
        body: Paragraphs; of a final e-mail they become its HTML and its text part.
        html: Of a final e-mail, in place of the one made of the body.
        plain_text: Of a final e-mail, in place of the one made of the body; empty for none.
        cta: Label of the button.
        cta_url: Where it leads; a page of the sender where null and there is a label.
        way_out: Whether a final marketing e-mail shows the link to leave.
        offers: What may be promised.
        forbidden: The brand's own list.
        emoji: Whether the brand allows them.
        max_segments: Parts of an SMS with the longest facts.
        facts: Of a final text: values as written in it.
        named: Of these, what it must name.
        first_name: Of a final text: the customer's.
        needs_marker: Of a final text: whether it must say that a machine helped.
        label: What it is.
        code: The planted fault; null for a good one.
        note: Why, for readers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    half: Half
    kind: Literal["draft", "text"]
    trigger: Trigger
    channel: Channel
    language: str
    written_in: str | None = None
    title: Text | None = None
    preheader: Text | None = None
    body: Body
    html: str | None = None
    plain_text: str | None = None
    cta: str = ""
    cta_url: str | None = None
    way_out: bool = True
    offers: tuple[Offer, ...] = ()
    forbidden: tuple[str, ...] = ()
    emoji: bool = False
    max_segments: int = 2
    facts: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    first_name: str | None = None
    needs_marker: bool = False
    label: Literal["good", "bad"]
    code: FaultCode | None = None
    note: str = ""

    @model_validator(mode="after")
    def _a_fault_is_named(self) -> "LabelledCase":
        if (self.code is None) != (self.label == "good"):
            raise ValueError("a bad case names the code of its fault, a good one names none")
        return self

    def check(self, library: Library | None = None) -> tuple[Fault, ...]:
        """What the checks say of it."""
        if self.kind == "draft":
            library = library or default_library()
            return check_draft(self.make_draft(), brief=self.make_brief(library))
        return check_text(self.make_content(), grounds=self.make_grounds())

    def make_brand(self) -> Brand:
        """Whose text it is."""
        return Brand(name=BRAND, allowed_hosts=(HOST,), forbidden=self.forbidden, emoji=self.emoji)

    def make_draft(self) -> Draft:
        """The draft of a case of that kind."""
        return Draft(
            trigger=self.trigger,
            channel=self.channel,
            language=self.written_in or self.language,
            title=self.title,
            preheader=self.preheader,
            body=self.body,
            cta=self.cta,
        )

    def make_brief(self, library: Library) -> Brief:
        """What was asked for: every fact of the trigger that the library has an example of."""
        return Brief(
            trigger=self.trigger,
            channel=self.channel,
            language=self.language,
            brand=self.make_brand(),
            slots=list_slots(self.trigger, self.channel, language=self.language, library=library),
            offers=self.offers,
            max_segments=self.max_segments,
        )

    def make_content(self) -> Content:
        """The final text of a case of that kind."""
        body = "\n".join(piece.facts for piece in self.body)
        is_sms = self.channel is Channel.SMS
        letter = self._make_letter() if self.channel is Channel.EMAIL else None
        html = letter.to_html() if letter else body
        text = letter.to_text() if letter else None
        return Content(
            subject=self.title.facts if self.title else None,
            body=self.html if self.html is not None else html,
            plain_text=text if self.plain_text is None else self.plain_text or None,
            cta=self._button or None,
            cta_url=self.cta_url or (_PAGE if self._button else None),
            language=self.written_in or self.language,
            n_segments=sms_size(body).n_segments if is_sms else 1,
        )

    def make_grounds(self) -> Grounds:
        """What the final text may say."""
        is_service = self.trigger.is_service
        return Grounds(
            channel=self.channel,
            language=self.language,
            brand=self.make_brand(),
            is_service=is_service,
            trigger=self.trigger,
            facts=self.facts,
            offers=self.offers,
            named=self.named,
            first_name=self.first_name,
            unsubscribe_url=None if is_service else _WAY_OUT,
            needs_marker=self.needs_marker,
            max_segments=self.max_segments,
        )

    @property
    def _button(self) -> str:
        """The label; of an e-mail without one, that of the texts that ship."""
        if self.cta or self.channel is not Channel.EMAIL:
            return self.cta
        shipped = default_library().variants(self.trigger, self.channel)[0]
        return shipped.cells[self.language].cta

    def _make_letter(self) -> Letter:
        spoken = default_library().languages[self.language]
        has_way_out = self.way_out and not self.trigger.is_service
        footer = spoken.footer
        reason = footer.service if self.trigger.is_service else footer.marketing
        return Letter(
            language=self.language,
            paragraphs=tuple(piece.facts for piece in self.body),
            button=Link(self._button, self.cta_url or _PAGE),
            sign_off=spoken.sign_off.replace("{brand}", BRAND),
            reason=reason.replace("{brand}", BRAND),
            unsubscribe=Link(footer.unsubscribe, _WAY_OUT) if has_way_out else None,
        )


_CASES = TypeAdapter(tuple[LabelledCase, ...])


def list_slots(
    trigger: Trigger, channel: Channel, *, language: str, library: Library
) -> tuple[SlotSpec, ...]:
    """Facts that texts of a trigger may name on a channel, with the library's examples."""
    example = library.variants(trigger, channel)[0].cells[language].example
    place = Place(channel.value)
    return tuple(
        SlotSpec(
            name=fact.name,
            kind=fact.kind,
            example=example[fact.name],
            room=library.rooms[fact.name].at(place) if fact.kind is FactKind.TEXT else None,
        )
        for fact in FACTS[trigger]
        if fact.name in example and (fact.kind is not FactKind.TEXT or fact.name in library.rooms)
    )


def read_labelled(folder: Path) -> tuple[LabelledCase, ...]:
    """Every case of a folder, by file and as they stand.

    Raises:
        BadInputError: If there is none, or a file does not fit the schema; lists everything.
    """
    faults: list[str] = []
    cases: list[LabelledCase] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            cases += _CASES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            faults.append(f"{path.name}: {' '.join(str(error).split())}")
        except ValidationError as error:
            faults += [
                f"{path.name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors(include_url=False, include_context=False)
            ]
    faults += _find_twins(cases)
    if not cases and not faults:
        faults.append("expected *.yaml files of labelled texts; a checkout of Opportune has them")
    if faults:
        lines = "\n  ".join(faults)
        raise BadInputError(f"{folder}: {len(faults)} faults:\n  {lines}")
    return tuple(cases)


def _find_twins(cases: list[LabelledCase]) -> Iterator[str]:
    ids = [case.id for case in cases]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        yield f"id {twice!r} stands twice"
