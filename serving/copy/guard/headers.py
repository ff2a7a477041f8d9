"""The headers by which a mailbox lets its owner leave a list with one click.

Source: RFC 2369 (List-Unsubscribe), RFC 8058 (one click). Large mailboxes ask for both on
marketing e-mail; notices about an order or an account need none.
"""

import re
from collections.abc import Mapping

from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.settings import CopySettings

_ONE_CLICK = "List-Unsubscribe=One-Click"
_HTTPS = re.compile(r"<https://[^\s<>,]+>")


def make_unsubscribe_headers(settings: CopySettings) -> dict[str, str]:
    """Both headers of a marketing e-mail.

    >>> make_unsubscribe_headers(CopySettings())["List-Unsubscribe"]
    '<https://example.com/unsubscribe>'
    """
    return {
        "List-Unsubscribe": f"<{settings.email_unsubscribe_url}>",
        "List-Unsubscribe-Post": _ONE_CLICK,
    }


def check_headers(headers: Mapping[str, str], *, is_service: bool) -> tuple[Fault, ...]:
    """Whether an e-mail may go out with these headers; their names in any case.

    A service notice may hold them or not. No value may hold a line break.
    """
    by_name = {name.casefold(): value for name, value in headers.items()}
    faults = [
        _fault(name, value, "one line")
        for name, value in headers.items()
        if re.search(r"[\r\n]", value)
    ]
    if is_service:
        return tuple(faults)
    way_out = by_name.get("list-unsubscribe", "")
    if not _HTTPS.search(way_out):
        faults.append(_fault("List-Unsubscribe", way_out, "<https://...>"))
    if by_name.get("list-unsubscribe-post", "") != _ONE_CLICK:
        found = by_name.get("list-unsubscribe-post", "")
        faults.append(_fault("List-Unsubscribe-Post", found, _ONE_CLICK))
    return tuple(faults)


def _fault(name: str, found: str, expected: str) -> Fault:
    return Fault(FaultCode.UNSUBSCRIBE, f"headers.{name}", found, expected)
