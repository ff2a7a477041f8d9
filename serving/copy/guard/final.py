"""The check of a final text: what a customer is about to read, whoever wrote it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape

from features.vocabulary import Channel
from serving.copy.content import Content
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.form import find_call_faults, find_hidden_faults, find_service_faults
from serving.copy.guard.grounds import Grounds, take_out
from serving.copy.guard.lexicon import Lexicon
from serving.copy.guard.links import is_allowed
from serving.copy.guard.markup import (
    find_plain_markup,
    read_html,
    read_markdown,
    unescape_markdown,
)
from serving.copy.guard.reading import read_sentences, show
from serving.copy.guard.slot_rules import find_stand_ins
from serving.copy.guard.words import find_word_faults
from serving.copy.sizes import LIMITS, MAX_CTA_CHARACTERS, sms_size

_GREETING_WORDS = 5


@dataclass(frozen=True)
class _Read:
    """A content as it is read.

    Attributes:
        blocks: Paragraphs of its body, facts taken out; the preheader is none of them.
        message: Those of them that say what it is about: no button, signature or small print.
        extra: Lines of the text part that the body does not hold.
        links: Where the body leads, by markup.
        faults: What is wrong with its markup.
        visible: The body as it is read, facts in it.
        preheader: What a mailbox shows beside the subject, facts taken out; null for none.
    """

    blocks: tuple[str, ...]
    message: tuple[str, ...]
    extra: tuple[str, ...]
    links: tuple[str, ...]
    faults: tuple[Fault, ...]
    visible: str
    preheader: str | None = None


def find_final_faults(content: Content, *, grounds: Grounds, lexicon: Lexicon) -> Iterator[Fault]:
    """Everything wrong with a final text."""
    said = _list_said(content, grounds)
    marker = lexicon.data.ai_marker if grounds.needs_marker else ""
    read = _read(content, grounds, said, marker=marker)
    yield from read.faults
    if content.language != grounds.language:
        yield Fault(FaultCode.LANGUAGE, "language", content.language, grounds.language)
    subject = None if content.subject is None else take_out(show(content.subject), said)
    pieces: Mapping[str, str] = {
        **({} if subject is None else {"title": subject}),
        **({} if read.preheader is None else {"preheader": read.preheader}),
        **{f"body.{n}": block for n, block in enumerate(read.blocks)},
        **{f"plain_text.{n}": line for n, line in enumerate(read.extra)},
        **({} if content.cta is None else {"cta": take_out(show(content.cta), said)}),
    }
    for place, text in pieces.items():
        yield from find_word_faults(text, grounds=grounds, lexicon=lexicon, place=place)
        yield from find_stand_ins(text, place=place)
    if subject is not None:
        yield from find_plain_markup(subject, place="title")
    yield from _find_hidden(content)
    yield from _find_size_faults(content, grounds)
    yield from _find_link_faults(content, grounds, read)
    yield from find_call_faults("\n".join(read.message), cta=content.cta or "", lexicon=lexicon)
    if grounds.is_service:
        blocks = _drop_greeting(read.message, lexicon)
        fewest = 1 if content.subject is not None and grounds.channel is Channel.PUSH else 2
        yield from find_service_faults(content.subject, blocks, lexicon=lexicon, fewest=fewest)
    yield from _find_missing(content, grounds, lexicon, read)


def _list_said(content: Content, grounds: Grounds) -> tuple[str, ...]:
    """What may stand in the text as it is, links of the button and of the way out among it."""
    said = grounds.said()
    if grounds.channel is Channel.IN_APP:
        said = tuple(map(unescape_markdown, said))
    way_out = () if grounds.unsubscribe_url is None else (grounds.unsubscribe_url,)
    is_own = content.cta_url is not None and is_allowed(
        content.cta_url, hosts=grounds.brand.allowed_hosts
    )
    button = (content.cta_url,) if is_own and content.cta_url else ()
    return (*said, *way_out, *button)


def _read(content: Content, grounds: Grounds, said: tuple[str, ...], *, marker: str) -> _Read:
    """The content as it is read; the marker is none of its words."""

    def see(text: str) -> str:
        shown = show(text)
        return take_out(shown.replace(marker, "") if marker else shown, said)

    match grounds.channel:
        case Channel.EMAIL:
            return _read_email(content, see)
        case Channel.IN_APP:
            text, links, faults = read_markdown(content.body)
            blocks = (see(text),)
            return _Read(blocks, blocks, (), links, faults, show(text))
        case Channel.SMS | Channel.PUSH | Channel.WHATSAPP:
            blocks = (see(content.body),)
            faults = tuple(find_plain_markup(blocks[0], place="body"))
            return _Read(blocks, blocks, (), (), faults, show(content.body))


def _read_email(content: Content, see: Callable[[str], str]) -> _Read:
    page, faults = read_html(content.body)
    blocks = tuple(map(see, page.blocks))
    known = "\n".join(map(show, page.blocks))
    lines = [show(line.strip()) for line in (content.plain_text or "").split("\n")]
    extra = tuple(see(line) for line in lines if line and line not in known)
    markup = find_plain_markup(see(content.plain_text or ""), place="plain_text")
    button = next((n for n, block in enumerate(page.blocks) if block == content.cta), len(blocks))
    return _Read(
        blocks=blocks,
        message=blocks[:button],
        extra=extra,
        links=page.links,
        faults=(*faults, *markup),
        visible=known,
        preheader=None if page.preheader is None else see(page.preheader),
    )


def _drop_greeting(blocks: tuple[str, ...], lexicon: Lexicon) -> tuple[str, ...]:
    """The paragraphs without "Hello, Anna!" before them."""
    if not blocks:
        return blocks
    sentences = read_sentences(blocks[0])
    first = sentences[0] if sentences else None
    if first is None or len(first.words) > _GREETING_WORDS:
        return blocks
    if not any(found.start == 0 for found in lexicon.find(first.words).greetings):
        return blocks
    return (" ".join(sentence.text for sentence in sentences[1:]), *blocks[1:])


def _find_hidden(content: Content) -> Iterator[Fault]:
    typed = {
        "title": content.subject,
        "body": unescape(content.body),
        "plain_text": content.plain_text,
        "cta": content.cta,
    }
    for place, text in typed.items():
        yield from find_hidden_faults(text or "", place=place)


def _find_size_faults(content: Content, grounds: Grounds) -> Iterator[Fault]:
    limits = LIMITS[grounds.channel]
    if grounds.channel is Channel.SMS:
        size = sms_size(content.body)
        if size.n_segments > grounds.max_segments:
            found = f"{size.n_units} {size.encoding} units, {size.n_segments} segments"
            yield Fault(FaultCode.SEGMENTS, "body", found, f"at most {grounds.max_segments}")
        elif size.n_segments != content.n_segments:
            found = f"n_segments {content.n_segments}"
            yield Fault(FaultCode.SEGMENTS, "n_segments", found, str(size.n_segments))
    elif limits.body is not None and len(content.body) > limits.body:
        found = f"{len(content.body)} characters"
        yield Fault(FaultCode.LENGTH, "body", found, f"at most {limits.body}")
    title = content.subject
    if limits.title is None and title is not None:
        yield Fault(FaultCode.LENGTH, "title", title, f"no title on {grounds.channel}")
    elif limits.title is not None and len(title or "") > limits.title:
        yield Fault(FaultCode.LENGTH, "title", title or "", f"at most {limits.title} characters")
    if len(content.cta or "") > MAX_CTA_CHARACTERS:
        expected = f"at most {MAX_CTA_CHARACTERS} characters"
        yield Fault(FaultCode.LENGTH, "cta", content.cta or "", expected)


def _find_link_faults(content: Content, grounds: Grounds, read: _Read) -> Iterator[Fault]:
    """Links of markup and of the button; those typed into the text are claims."""
    hosts, way_out = grounds.brand.allowed_hosts, grounds.unsubscribe_url
    links = dict.fromkeys(link for link in read.links if link != way_out)
    asked = [*links, *([content.cta_url] if content.cta_url else [])]
    for link in dict.fromkeys(asked):
        if not is_allowed(link, hosts=hosts):
            listed = ", ".join(hosts) or "no host: the brand allows none"
            yield Fault(FaultCode.LINK, "body" if link in links else "cta_url", link, listed)
    if len(set(asked)) > 1:
        yield Fault(FaultCode.CALL_TO_ACTION, "body", ", ".join(links), "one place to go")
    if (content.cta is None) != (content.cta_url is None):
        found = content.cta or content.cta_url or ""
        yield Fault(FaultCode.CALL_TO_ACTION, "cta", found, "a label and a link, or neither")


def _find_missing(
    content: Content, grounds: Grounds, lexicon: Lexicon, read: _Read
) -> Iterator[Fault]:
    """What must be there: words, the item, the text part, the way out, the marker."""
    whole = f"{show(content.subject or '')}\n{read.visible}"
    if not any(c.isalnum() for c in read.visible):
        yield Fault(FaultCode.EMPTY, "body", content.body[:40], "words")
    if LIMITS[grounds.channel].title is not None and not (content.subject or "").strip():
        yield Fault(FaultCode.EMPTY, "title", "", "a title")
    for name in grounds.named:
        shown = show(unescape_markdown(name) if grounds.channel is Channel.IN_APP else name)
        if shown not in whole:
            yield Fault(FaultCode.SLOT, "body", f"no {shown!r}", "the item by its name")
    marker = lexicon.data.ai_marker
    is_email = grounds.channel is Channel.EMAIL
    texts = {"body": read.visible, **({"plain_text": content.plain_text or ""} if is_email else {})}
    if grounds.needs_marker:
        for place in (place for place, text in texts.items() if marker not in text):
            yield Fault(FaultCode.MARKER, place, "no marker", marker)
    if is_email:
        yield from _find_email_gaps(content, grounds, read)


def _find_email_gaps(content: Content, grounds: Grounds, read: _Read) -> Iterator[Fault]:
    if not (content.plain_text or "").strip():
        yield Fault(FaultCode.EMPTY, "plain_text", "", "the same words as plain text")
    if grounds.is_service:
        return
    way_out = grounds.unsubscribe_url
    places = {"body": read.links, "plain_text": (content.plain_text or "").split()}
    for place, links in places.items():
        if way_out is None or way_out not in links:
            yield Fault(FaultCode.UNSUBSCRIBE, place, "no way out", way_out or "a link to leave")
