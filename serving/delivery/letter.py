"""A message as an e-mail: text first, HTML second, and headers that nobody can add lines to."""

import hashlib
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr

from serving.copy.guard.headers import make_unsubscribe_headers
from serving.copy.settings import CopySettings
from serving.delivery.parcel import Parcel
from serving.lines import put_on_one_line

_BOUNDARY_BYTES = 12
_TO_NOBODY = "undisclosed-recipients:;"
_AS_IT_IS = "list-unsubscribe"


class _LetterPolicy(EmailPolicy):
    """Folds two headers as the library does not.

    It loses blanks between the encoded words of a subject, and encodes a long address by which one
    leaves a list, where RFC 2047 allows no encoded words and RFC 5322 a line of 998 characters.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """The header's lines."""
        text = str(value)
        if name.lower() == _AS_IT_IS and text.isascii():
            return f"{name}: {text}{self.linesep}".encode("ascii")
        if name.lower() == "subject" and not text.isascii():
            folded = Header(text, "utf-8", header_name=name).encode(linesep=self.linesep)
            return f"{name}: {folded}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


# Seven bits: every relay carries them, and no signature breaks.
_SEVEN_BIT = _LetterPolicy(linesep="\r\n", cte_type="7bit")


def write_letter(
    parcel: Parcel, *, sender: str, copy: CopySettings, reply_to: str | None = None
) -> EmailMessage:
    """The e-mail of a message; the same message gives the same bytes.

    Args:
        parcel: A message of the e-mail channel; without an address, its `To` is left open.
        sender: From whom, as in `Name <name@host>`.
        copy: Where one leaves the list.
        reply_to: To whom answers go; to the sender if None.
    """
    content = parcel.content
    letter = start_letter(
        parcel.message_id, sender=sender, to=parcel.address, at=parcel.planned_at, reply_to=reply_to
    )
    letter["Subject"] = put_on_one_line(content.subject or "")
    letter["Content-Language"] = put_on_one_line(content.language)
    letter["X-Opportune-Message"] = put_on_one_line(parcel.message_id)
    letter["X-Opportune-Words"] = content.source
    if parcel.trigger.is_service:
        letter["Auto-Submitted"] = "auto-generated"
    else:
        for name, value in make_unsubscribe_headers(copy).items():
            letter[name] = value
    if content.plain_text is None:
        letter.set_content(content.body, subtype="html")
        return letter
    letter.set_content(content.plain_text)
    letter.add_alternative(content.body, subtype="html")
    letter.set_boundary(f"=_{_digest(parcel.message_id)}")
    return letter


def start_letter(
    key: str, *, sender: str, to: str | None, at: datetime, reply_to: str | None = None
) -> EmailMessage:
    """A letter with its sender, recipient and identity; its identity follows from the key."""
    letter = EmailMessage(policy=_SEVEN_BIT)
    letter["From"] = sender
    letter["To"] = put_on_one_line(to) if to else _TO_NOBODY
    if reply_to is not None:
        letter["Reply-To"] = reply_to
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = f"<{_digest(key)}@{parseaddr(sender)[1].split('@')[-1]}>"
    return letter


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_BOUNDARY_BYTES).hexdigest()
