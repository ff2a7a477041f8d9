"""Exceptions of the SDK as mishaps with a name; nothing that the API does is an exception to us."""

import json

import anthropic
import httpx2

from serving.copywriter.claude.attempts import Mishap, Remedy
from serving.copywriter.deadlines import read_retry_after
from serving.copywriter.reply import WriterOutcome

# What an exception can be that the API, or what stands between, brings about. Those of the
# transport come as they are while the results of a batch are read.
FAULTS = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    TimeoutError,
    json.JSONDecodeError,
    UnicodeDecodeError,
)

# Nothing was asked yet when one of these came.
_BEFORE_A_REQUEST = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)

_MAX_DETAIL = 200
_SPENT = ("spend_limit", "billing", "credit")  # waiting does not help against these
_BY_STATUS = {
    408: WriterOutcome.SERVER_ERROR,
    409: WriterOutcome.SERVER_ERROR,
    429: WriterOutcome.RATE_LIMITED,
    529: WriterOutcome.OVERLOADED,
}
_BY_TYPE = {
    "rate_limit_error": WriterOutcome.RATE_LIMITED,
    "overloaded_error": WriterOutcome.OVERLOADED,
    "api_error": WriterOutcome.SERVER_ERROR,
    "timeout_error": WriterOutcome.SERVER_ERROR,
}


def name_fault(fault: BaseException, *, secret: str) -> Mishap:
    """What an exception of the SDK means.

    Args:
        fault: One of `FAULTS`.
        secret: The key, which no words may hold.
    """
    if isinstance(fault, anthropic.APIStatusError):
        return _name_status(fault, secret=secret)
    cause = fault.__cause__ if isinstance(fault, anthropic.APIConnectionError) else fault
    if isinstance(cause, _BEFORE_A_REQUEST):
        words = f"no connection ({type(cause).__name__})"
        return Mishap(WriterOutcome.UNREACHABLE, words, remedy=Remedy.WAIT)
    if isinstance(cause, TimeoutError | httpx2.TimeoutException):
        words = "no answer within the deadline"
        return Mishap(WriterOutcome.TIMED_OUT, words, remedy=Remedy.WAIT, may_be_paid=True)
    if isinstance(fault, anthropic.APIConnectionError | httpx2.HTTPError):
        words = f"the connection ended early ({type(cause).__name__})"
        return Mishap(WriterOutcome.UNREACHABLE, words, remedy=Remedy.WAIT, may_be_paid=True)
    words = f"an answer that could not be read ({type(fault).__name__})"
    return Mishap(WriterOutcome.MALFORMED, words, remedy=Remedy.WAIT, may_be_paid=True)


def name_error_type(kind: str) -> WriterOutcome:
    """What a type of error means, as results of a batch name it.

    >>> name_error_type("overloaded_error"), name_error_type("invalid_request_error")
    (<WriterOutcome.OVERLOADED: 'overloaded'>, <WriterOutcome.REJECTED: 'rejected'>)
    """
    return _BY_TYPE.get(kind, WriterOutcome.REJECTED)


def _name_status(fault: anthropic.APIStatusError, *, secret: str) -> Mishap:
    status, code = fault.status_code, fault.error_code or ""
    outcome = _BY_STATUS.get(
        status, WriterOutcome.SERVER_ERROR if status >= 500 else WriterOutcome.REJECTED
    )
    if any(word in code for word in _SPENT):
        outcome = WriterOutcome.REJECTED
    headers = fault.response.headers
    helps = outcome is not WriterOutcome.REJECTED and headers.get("x-should-retry") != "false"
    parts = (f"status {status}", fault.type, fault.error_code, fault.api_message, fault.request_id)
    words = "; ".join(str(part) for part in parts if part)
    return Mishap(
        outcome,
        _shorten(words, secret=secret),
        remedy=Remedy.WAIT if helps else Remedy.NONE,
        retry_after=read_retry_after(headers.get("retry-after"), sent=headers.get("date")),
    )


def _shorten(words: str, *, secret: str) -> str:
    hidden = words.replace(secret, "***") if secret else words
    return hidden if len(hidden) <= _MAX_DETAIL else hidden[: _MAX_DETAIL - 1] + "…"
