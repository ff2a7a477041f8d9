"""From a cell and its values to the words of a message, within the channel's limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.vocabulary import Channel
from serving.copy.content import Content, Unrenderable
from serving.copy.languages import put_name
from serving.copy.letter import Letter, Link
from serving.copy.settings import CopySettings
from serving.copy.sizes import LIMITS, Limits, normalise_sms, sms_size
from serving.copy.variants import Cell, Line, Variant


@dataclass(frozen=True)
class Filling:
    """What goes into a cell.

    Attributes:
        title: Values of the slots in the title, the brand among them.
        body: Values of the slots in the body, the brand among them.
        first_name: Cleaned; null when it is not known.
        settings: The sender.
    """

    title: Mapping[str, str]
    body: Mapping[str, str]
    first_name: str | None
    settings: CopySettings


@dataclass(frozen=True, slots=True)
class Size:
    """What a message takes of its channel's room.

    Attributes:
        title: Characters of the subject or title.
        body: Characters of the body.
        segments: Parts of an SMS; 1 elsewhere.
    """

    title: int
    body: int
    segments: int = 1


def compose(variant: Variant, cell: Cell, *, filling: Filling) -> Content | Unrenderable:
    """The words of one message; what would be over a limit is refused, not cut.

    Only the first name gives way: a short text greets by name where there is room for it.
    """
    limits = LIMITS[variant.channel]
    openings = write_openings(variant, cell, filling=filling)
    if variant.channel is Channel.SMS:
        openings = [_as_sms(content) for content in openings]
    sizes = [_measure(content) for content in openings]
    chosen = choose_opening(sizes, limits=limits)
    excess = find_excess(sizes[chosen], limits=limits)
    return openings[chosen] if excess is None else Unrenderable(f"{variant.variant_id}: {excess}")


def write_openings(variant: Variant, cell: Cell, *, filling: Filling) -> list[Content]:
    """The same message as it may open, the first choice first; an SMS is not normalised yet."""
    match variant.channel:
        case Channel.EMAIL:
            return [_compose_email(variant, cell, filling)]
        case Channel.SMS:
            return [
                Content(body=body, language=cell.language.code, source=variant.source)
                for body in _open_inline(cell, filling)
            ]
        case Channel.WHATSAPP:
            return [_compose_whatsapp(variant, cell, filling)]
        case Channel.PUSH | Channel.IN_APP:
            return _compose_cards(variant, cell, filling)


def choose_opening(sizes: Sequence[Size], *, limits: Limits) -> int:
    """Position of the opening that is sent: the first in the fewest parts, within bounds."""
    bound = limits.body
    over = [(size.segments, bound is not None and size.body > bound) for size in sizes]
    return over.index(min(over))


def find_excess(size: Size, *, limits: Limits) -> str | None:
    """What is over the channel's limits, in words; null when all is within."""
    if size.segments > limits.segments:
        return f"{size.segments} SMS segments, at most {limits.segments}"
    if limits.title is not None and size.title > limits.title:
        return f"title of {size.title} characters, at most {limits.title}"
    if limits.body is not None and size.body > limits.body:
        return f"body of {size.body} characters, at most {limits.body}"
    return None


def _measure(content: Content) -> Size:
    return Size(len(content.subject or ""), len(content.body), content.n_segments)


def _as_sms(content: Content) -> Content:
    body = normalise_sms(content.body)
    return content.model_copy(update={"body": body, "n_segments": sms_size(body).n_segments})


def _compose_cards(variant: Variant, cell: Cell, filling: Filling) -> list[Content]:
    """A title, a text and a button: push and in-app."""
    return [
        Content(
            subject=_write_line(cell.title, filling.title),
            body=body,
            cta=cell.cta,
            cta_url=_make_url(variant, filling.settings),
            language=cell.language.code,
            source=variant.source,
        )
        for body in _open_inline(cell, filling)
    ]


def _compose_whatsapp(variant: Variant, cell: Cell, filling: Filling) -> Content:
    template = cell.body[0].choose(filling.body)
    text = template.fill(filling.body)
    if template.is_greeted:
        greeting = cell.language.greetings.whatsapp.greet(filling.first_name)
        text = f"{greeting} {_capitalise(text)}"
    return Content(
        body=text,
        cta=cell.cta,
        cta_url=_make_url(variant, filling.settings),
        language=cell.language.code,
        source=variant.source,
    )


def _compose_email(variant: Variant, cell: Cell, filling: Filling) -> Content:
    language, settings = cell.language, filling.settings
    footer = language.footer
    is_service = variant.trigger.is_service
    url = _make_url(variant, settings)
    letter = Letter(
        language=language.code,
        paragraphs=(
            language.greetings.email.greet(filling.first_name),
            *(line.choose(filling.body).fill(filling.body) for line in cell.body),
        ),
        button=Link(cell.cta, url),
        sign_off=language.sign_off.replace("{brand}", settings.brand),
        reason=(footer.service if is_service else footer.marketing).replace(
            "{brand}", settings.brand
        ),
        unsubscribe=(
            None if is_service else Link(footer.unsubscribe, settings.email_unsubscribe_url)
        ),
        preheader=_write_line(cell.preheader, filling.body),
    )
    return Content(
        subject=_write_line(cell.title, filling.title),
        body=letter.to_html(),
        plain_text=letter.to_text(),
        cta=cell.cta,
        cta_url=url,
        language=language.code,
        source=variant.source,
    )


def _open_inline(cell: Cell, filling: Filling) -> list[str]:
    """A short text opening with the name, where it is known and the text greets; then without."""
    template = cell.body[0].choose(filling.body)
    text = template.fill(filling.body)
    if not template.is_greeted:
        return [text]
    bare = _capitalise(text)
    if filling.first_name is None:
        return [bare]
    return [put_name(cell.language.greetings.inline, filling.first_name) + text, bare]


def _write_line(line: Line | None, values: Mapping[str, str]) -> str | None:
    return None if line is None else line.choose(values).fill(values)


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _make_url(variant: Variant, settings: CopySettings) -> str:
    return settings.cta_base_url.removesuffix("/") + variant.cta_path
