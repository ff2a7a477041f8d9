"""Messages drawn as the customer would see them, channel by channel."""

from collections.abc import Collection
from dataclasses import dataclass

from markupsafe import Markup

from features.vocabulary import Channel
from serving.console.differences import Run, cut_runs, find_runs, mark_html
from serving.console.markdown import render_markdown
from serving.copy.content import Content
from serving.copy.sizes import LIMITS, SmsSize, sms_size, split_sms

# What lock screens show of a notification before they cut it.
ANDROID_SHOWS = 49
IOS_SHOWS = 110

Runs = tuple[Run, ...]


@dataclass(frozen=True)
class DrawnPart:
    """One part of an SMS: its words, and how full it is."""

    runs: Runs
    n_units: int
    n_units_at_most: int


@dataclass(frozen=True)
class SmsDrawing:
    """An SMS in the parts it travels in."""

    parts: tuple[DrawnPart, ...]
    size: SmsSize


@dataclass(frozen=True)
class LockScreen:
    """A notification on one system: the words that are shown, and those that are cut off."""

    system: str
    n_shown: int
    shown: Runs
    cut: Runs


@dataclass(frozen=True)
class PushDrawing:
    """A push notification."""

    title: Runs
    screens: tuple[LockScreen, ...]


@dataclass(frozen=True)
class InAppDrawing:
    """A card in the app; its Markdown as cleaned HTML."""

    title: Runs
    html: Markup


@dataclass(frozen=True)
class WhatsAppDrawing:
    """A WhatsApp message."""

    runs: Runs


@dataclass(frozen=True)
class EmailDrawing:
    """What a mailbox lists of an e-mail, and its text part; the HTML is a document of its own.

    Attributes:
        subject: As listed.
        preheader: What stands beside it; empty where the e-mail has none of its own.
        text: The text part.
    """

    subject: Runs
    preheader: Runs
    text: Runs


Drawing = SmsDrawing | PushDrawing | InAppDrawing | WhatsAppDrawing | EmailDrawing


def draw(
    content: Content, *, channel: Channel, preheader: str | None, own: Collection[str]
) -> Drawing:
    """The message on its channel.

    Args:
        content: The words.
        channel: Where they are read.
        preheader: Of an e-mail; null elsewhere.
        own: Words to mark, in lower case.
    """
    title = find_runs(content.subject or "", own=own)
    match channel:
        case Channel.SMS:
            return _draw_sms(content.body, own=own)
        case Channel.PUSH:
            return PushDrawing(title, screens=_draw_screens(content.body, own=own))
        case Channel.IN_APP:
            return InAppDrawing(title, html=mark_html(render_markdown(content.body), own=own))
        case Channel.WHATSAPP:
            return WhatsAppDrawing(find_runs(content.body, own=own))
        case Channel.EMAIL:
            return EmailDrawing(
                subject=title,
                preheader=find_runs(preheader or "", own=own),
                text=find_runs(content.plain_text or "", own=own),
            )


def describe_size(content: Content, *, channel: Channel) -> str:
    """How much of its channel's room the message takes, in words."""
    if channel is Channel.SMS:
        size = sms_size(content.body)
        parts = "1 part" if size.n_segments == 1 else f"{size.n_segments} parts"
        name = {"gsm7": "GSM-7", "ucs2": "UCS-2"}[size.encoding]
        return f"{parts}, {size.n_units} units of {name}"
    limits = LIMITS[channel]
    sizes = (
        [] if limits.title is None else [f"title {len(content.subject or '')} of {limits.title}"]
    )
    unit = " characters of HTML" if channel is Channel.EMAIL else " characters"
    return ", ".join([*sizes, f"body {len(content.body)} of {limits.body}{unit}"])


def _draw_sms(body: str, *, own: Collection[str]) -> SmsDrawing:
    parts = split_sms(body)
    lengths = [len(part.text) for part in parts[:-1]]
    stretches = cut_runs(find_runs(body, own=own), lengths=lengths)
    drawn = (
        DrawnPart(runs, part.n_units, part.n_units_at_most)
        for runs, part in zip(stretches, parts, strict=True)
    )
    return SmsDrawing(tuple(drawn), size=sms_size(body))


def _draw_screens(body: str, *, own: Collection[str]) -> tuple[LockScreen, ...]:
    runs = find_runs(body, own=own)
    screens = []
    for system, n_shown in (("Android", ANDROID_SHOWS), ("iOS", IOS_SHOWS)):
        shown, cut = cut_runs(runs, lengths=[n_shown])
        screens.append(LockScreen(system, n_shown, shown=shown, cut=cut))
    return tuple(screens)
