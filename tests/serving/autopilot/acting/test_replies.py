"""Mails that strangers may send: none keeps those after it from being read."""

import pytest

from serving.autopilot.acting.answers import VendorAnswer
from serving.autopilot.acting.replies import Reply, read_reply

_CODE = b"[BCDFGHJKL]"
_YES = VendorAnswer(is_yes=True)


@pytest.mark.parametrize(
    ("subject", "charset", "answer"),
    [
        (b"Re", b"utf-8", _YES),
        (b"Re", b"nobody-knows", None),
        (b"Re", b"hex", None),  # a codec, and not of texts
        (b"Re", b"idna", None),  # replaces nothing
        (b"Re", b'"a\0b"', None),
        (b"=?\xff?q?x?=", b"utf-8", _YES),
        (b"=?nobody-knows?q?x?=", b"utf-8", _YES),
        (b"=?utf-8?b?A?=", b"utf-8", _YES),  # no base64
    ],
)
def test_read_reply_takes_charsets_that_are_none(
    subject: bytes, charset: bytes, answer: VendorAnswer | None
) -> None:
    head = b"Subject: %s %s\nContent-Type: text/plain; charset=%s\n\n" % (subject, _CODE, charset)
    assert read_reply(head + b"yes\n") == Reply("BCDFGHJKL", answer)
