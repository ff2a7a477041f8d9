"""From a cell and its values to the words of a message, within the channel's limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from features.vocabulary import Channel
from serving.copy.content import Content, Unrenderable
from serving.copy.languages import put_name
from serving.copy.letter import Letter, Link
from serving.copy.settings import CopySettings
from serving.copy.sizes import LIMITS, normalise_sms, sms_size
from serving.copy.variants import Cell, Variant


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


def compose(variant: Variant, cell: Cell, *, filling: Filling) -> Content | Unrenderable:
    """The words of one message; what would be over a limit is refused, not cut.

    Only the first name gives way: a short text greets by name where there is room for it.
    """
    match variant.channel:
        case Channel.EMAIL:
            content = _compose_email(variant, cell, filling)
        case Channel.SMS:
            content = _compose_sms(cell, filling)
        case Channel.WHATSAPP:
            content = _compose_whatsapp(variant, cell, filling)
        case Channel.PUSH | Channel.IN_APP:
            content = _compose_card(variant, cell, filling)
    excess = _find_excess(content, channel=variant.channel)
    return content if excess is None else Unrenderable(f"{variant.variant_id}: {excess}")


def _compose_sms(cell: Cell, filling: Filling) -> Content:
    contents = [
        Content(body=body, language=cell.language.code, n_segments=sms_size(body).n_segments)
        for body in map(normalise_sms, _open_inline(cell, filling))
    ]
    return min(contents, key=lambda content: content.n_segments)


def _compose_card(variant: Variant, cell: Cell, filling: Filling) -> Content:
    """A title, a text and a button: push and in-app."""
    limit = LIMITS[variant.channel].body or 0
    return Content(
        subject=_write_title(cell, filling),
        body=min(_open_inline(cell, filling), key=lambda text: len(text) > limit),
        cta=cell.cta,
        cta_url=_make_url(variant, filling.settings),
        language=cell.language.code,
    )


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
    )
    return Content(
        subject=_write_title(cell, filling),
        body=letter.to_html(),
        plain_text=letter.to_text(),
        cta=cell.cta,
        cta_url=url,
        language=language.code,
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


def _write_title(cell: Cell, filling: Filling) -> str | None:
    return None if cell.title is None else cell.title.choose(filling.title).fill(filling.title)


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _make_url(variant: Variant, settings: CopySettings) -> str:
    return settings.cta_base_url.removesuffix("/") + variant.cta_path


def _find_excess(content: Content, *, channel: Channel) -> str | None:
    """What is over the channel's limits, in words; null when all is within."""
    limits = LIMITS[channel]
    if content.n_segments > limits.segments:
        return f"{content.n_segments} SMS segments, at most {limits.segments}"
    if limits.title is not None and len(content.subject or "") > limits.title:
        return f"title of {len(content.subject or '')} characters, at most {limits.title}"
    if limits.body is not None and len(content.body) > limits.body:
        return f"body of {len(content.body)} characters, at most {limits.body}"
    return None
