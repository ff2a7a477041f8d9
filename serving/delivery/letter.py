"""A message as an e-mail: text first, HTML second, and headers that nobody can add lines to."""

import hashlib
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from serving.copy.guard.headers import make_unsubscribe_headers
from serving.copy.settings import CopySettings
from serving.delivery.parcel import Parcel
from serving.lines import put_on_one_line

_BOUNDARY_BYTES = 12


def write_letter(parcel: Parcel, *, sender: str, copy: CopySettings) -> EmailMessage:
    """The e-mail of a message; the same message gives the same bytes.

    Args:
        parcel: A message of the e-mail channel.
        sender: From whom, as in `Name <name@host>`.
        copy: Where one leaves the list.
    """
    content = parcel.content
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = "undisclosed-recipients:;"
    letter["Subject"] = put_on_one_line(content.subject or "")
    letter["Date"] = format_datetime(parcel.planned_at)
    letter["Message-ID"] = f"<{_digest(parcel.message_id)}@{parseaddr(sender)[1].split('@')[-1]}>"
    letter["Content-Language"] = put_on_one_line(content.language)
    letter["X-Opportune-Message"] = put_on_one_line(parcel.message_id)
    letter["X-Opportune-Customer"] = put_on_one_line(parcel.customer_id)
    letter["X-Opportune-Words"] = content.source
    if not parcel.trigger.is_service:
        for name, value in make_unsubscribe_headers(copy).items():
            letter[name] = value
    if content.plain_text is None:
        letter.set_content(content.body, subtype="html")
        return letter
    letter.set_content(content.plain_text)
    letter.add_alternative(content.body, subtype="html")
    letter.set_boundary(f"=_{_digest(parcel.message_id)}")
    return letter


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_BOUNDARY_BYTES).hexdigest()
