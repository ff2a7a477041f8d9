"""The schema of `texts/<trigger>.yaml`: what people write, and what can be wrong with it."""

from collections.abc import Iterator, Mapping, Set
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from features.evidence import Scalar, find_evidence_faults
from features.vocabulary import Channel, Trigger
from serving.copy.sizes import LIMITS, MAX_CTA_CHARACTERS
from serving.copy.slots import BRAND
from serving.copy.template import compile_template, find_template_faults

REQUIRED_STYLES = frozenset({"clear", "warm"})
_GREETED = frozenset({"sms", "push", "in_app", "whatsapp"})  # e-mails greet by themselves


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Piece(_Frozen):
    """One text twice: naming facts, and for when they are not known.

    In YAML a single string stands for both where no fact is named.
    """

    facts: str
    plain: str


def _as_piece(value: object) -> object:
    return {"facts": value, "plain": value} if isinstance(value, str) else value


Text = Annotated[Piece, BeforeValidator(_as_piece)]


class Wording(_Frozen):
    """One trigger in one language and one style.

    Attributes:
        title: Title of push and in-app messages, and subject of e-mails that have no own.
        subject: Subject of the e-mail.
        whatsapp: WhatsApp text; the in-app text where it is absent.
        email: Paragraphs.
    """

    title: str
    subject: Text | None = None
    sms: Text
    push: Text
    in_app: Text
    whatsapp: Text | None = None
    email: Annotated[tuple[Text, ...], Field(min_length=1)]

    def pieces(self) -> Iterator[tuple[str, Piece]]:
        """Every text but the title, with its key."""
        for name in ("subject", "sms", "push", "in_app", "whatsapp"):
            if (piece := getattr(self, name)) is not None:
                yield name, piece
        for position, paragraph in enumerate(self.email):
            yield f"email.{position}", paragraph

    def title_on(self, channel: Channel) -> Piece | None:
        """Title or subject; null where the channel has none."""
        if LIMITS[channel].title is None:
            return None
        title = Piece(facts=self.title, plain=self.title)
        return (self.subject or title) if channel is Channel.EMAIL else title

    def body_on(self, channel: Channel) -> tuple[Piece, ...]:
        """Paragraphs of the body; one on all channels but e-mail."""
        match channel:
            case Channel.SMS:
                return (self.sms,)
            case Channel.PUSH:
                return (self.push,)
            case Channel.IN_APP:
                return (self.in_app,)
            case Channel.WHATSAPP:
                return (self.whatsapp or self.in_app,)
            case Channel.EMAIL:
                return self.email


class LanguageTexts(BaseModel):
    """One trigger in one language; every key beside these two is a style with its wording.

    Attributes:
        cta: Label of the button.
        example: Evidence to try the texts with.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Wording]

    cta: str
    example: Mapping[str, Scalar]

    @property
    def styles(self) -> Mapping[str, Wording]:
        """Wordings by style."""
        return self.__pydantic_extra__


class TriggerTexts(BaseModel):
    """Everything that is written for one trigger; every key beside the path is a language.

    Attributes:
        cta_path: Where the button leads on the sender's site.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, LanguageTexts]

    cta_path: Annotated[str, Field(pattern=r"^/[a-z0-9/_-]*$", max_length=40)]

    @property
    def languages(self) -> Mapping[str, LanguageTexts]:
        """Texts by language."""
        return self.__pydantic_extra__


def find_text_faults(
    trigger: Trigger, texts: TriggerTexts, *, languages: Set[str], slots: Set[str]
) -> Iterator[str]:
    """Everything wrong with the texts of one trigger, in words, but for their sizes.

    Args:
        trigger: Whose texts they are.
        texts: As read.
        languages: The languages that there must be, and no others.
        slots: Facts that the texts may name.
    """
    yield from _compare("languages", texts.languages.keys(), expected=languages)
    styles = {style for one in texts.languages.values() for style in one.styles}
    for code, one in texts.languages.items():
        yield from _compare(f"{code}: styles", one.styles.keys(), expected=styles | REQUIRED_STYLES)
        for fault in find_evidence_faults(trigger, one.example):
            yield f"{code}.example: {fault}"
        for fault in find_template_faults(one.cta, slots=frozenset(), may_greet=False):
            yield f"{code}.cta: {fault}"
        if len(one.cta) > MAX_CTA_CHARACTERS:
            yield f"{code}.cta: {len(one.cta)} characters, at most {MAX_CTA_CHARACTERS}"
        for style, wording in one.styles.items():
            for fault in _find_wording_faults(wording, slots=slots):
                yield f"{code}.{style}.{fault}"


def _compare(what: str, found: Set[str], *, expected: Set[str]) -> Iterator[str]:
    if missing := expected - found:
        yield f"{what}: {', '.join(sorted(missing))} missing"
    if unknown := found - expected:
        listed = ", ".join(sorted(expected))
        yield f"{what}: {', '.join(sorted(unknown))} unknown, expected {listed}"


def _find_wording_faults(wording: Wording, *, slots: Set[str]) -> Iterator[str]:
    for fault in find_template_faults(wording.title, slots=frozenset(), may_greet=False):
        yield f"title: {fault}"
    for name, piece in wording.pieces():
        may_greet = name in _GREETED
        for version, text, allowed in (
            ("facts", piece.facts, slots | {BRAND}),
            ("plain", piece.plain, frozenset({BRAND})),
        ):
            for fault in find_template_faults(text, slots=allowed, may_greet=may_greet):
                yield f"{name}.{version}: {fault}"
    if not compile_template(wording.in_app.facts).parts[0]:
        yield "in_app.facts: starts with a slot, whose value could begin a Markdown list"
