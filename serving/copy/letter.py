"""An e-mail's content, once as HTML and once as plain text, from the same paragraphs."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Link:
    """A label and where it leads."""

    label: str
    url: str


@dataclass(frozen=True)
class Letter:
    """What an e-mail says; everything in it is plain text.

    Attributes:
        language: Code, for readers that speak the letter aloud.
        paragraphs: Salutation and text.
        button: What the reader may do.
        sign_off: Who writes.
        reason: Why they are written to.
        unsubscribe: The way out of marketing; null in service notices.
        preheader: What a mailbox shows beside the subject, hidden in the letter itself; null where
            there is none.
    """

    language: str
    paragraphs: tuple[str, ...]
    button: Link
    sign_off: str
    reason: str
    unsubscribe: Link | None
    preheader: str | None = None

    def to_html(self) -> str:
        """A whole HTML document."""
        return (
            f'<!doctype html><html lang="{self.language}"><head><meta charset="utf-8"></head>'
            '<body style="font-family:sans-serif;line-height:1.5">'
            f"{self._hide_preheader()}{''.join(self._list_html_paragraphs())}</body></html>"
        )

    def _hide_preheader(self) -> str:
        if self.preheader is None:
            return ""
        hidden = "display:none;max-height:0;overflow:hidden"
        return f'<div style="{hidden}">{escape(self.preheader, quote=False)}</div>'

    def _list_html_paragraphs(self) -> Iterator[str]:
        for paragraph in self.paragraphs:
            yield f"<p>{escape(paragraph, quote=False)}</p>"
        yield f"<p>{_anchor(self.button)}</p><p>{escape(self.sign_off, quote=False)}</p>"
        way_out = f"<br>{_anchor(self.unsubscribe)}" if self.unsubscribe else ""
        yield f"<p><small>{escape(self.reason, quote=False)}{way_out}</small></p>"

    def to_text(self) -> str:
        """The text part of a multipart/alternative message."""
        lines = [
            *self.paragraphs,
            f"{self.button.label}: {self.button.url}",
            self.sign_off,
            self.reason,
        ]
        if self.unsubscribe:
            lines.append(f"{self.unsubscribe.label}: {self.unsubscribe.url}")
        return "\n\n".join(lines)


def _anchor(link: Link) -> str:
    return f'<a href="{escape(link.url)}">{escape(link.label, quote=False)}</a>'
