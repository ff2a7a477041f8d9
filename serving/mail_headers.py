"""Headers of mails as they were written: anybody can send a mail, with anything in them."""

from email.errors import MessageError
from email.header import decode_header, make_header


def decode_words(header: str) -> str:
    """A header before it was folded and encoded; as it came where it cannot be read.

    >>> decode_words("=?utf-8?b?0JTQsA==?= 14 000")
    'Да 14 000'
    >>> decode_words("=?utf-8?b?A?=")
    '=?utf-8?b?A?='
    """
    try:
        return str(make_header(decode_header(header))).strip()
    except (MessageError, LookupError, ValueError):
        return header.strip()
