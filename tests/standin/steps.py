"""What the stand-in does with a request: one step of its script."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Everything that can happen to a request."""

    OK = "ok"
    STATUS = "status"  # an error of the API, as JSON
    HANG = "hang"  # nothing comes
    DRIP = "drip"  # a byte now and then, each before any read times out
    HEADER_DRIP = "header_drip"  # only the head comes
    DROP = "drop"  # the connection ends within the body
    HTML = "html"  # a page of a proxy, with status 200
    BROKEN_BODY = "broken_body"  # announced as JSON, and is none
    OTHER_JSON = "other_json"  # JSON, but no message
    REFUSAL = "refusal"
    MAX_TOKENS = "max_tokens"
    THINKING_ONLY = "thinking_only"  # the limit was reached before any text
    EMPTY = "empty"
    MALFORMED = "malformed"
    WRONG_SHAPE = "wrong_shape"
    TOOL_USE = "tool_use"
    ERRORED = "errored"  # items of a batch only, as the next two
    EXPIRED = "expired"
    CANCELED = "canceled"


@dataclass(frozen=True)
class Step:
    """One thing that happens.

    Attributes:
        kind: What.
        status: Of an error.
        error: Type of the error, as the API names it.
        error_code: `error.details.error_code`, where there is one.
        retry_after: The header, as it is written.
        should_retry: The header `x-should-retry`.
        text: Of the reply, where it is neither made from the schema nor asked for.
        seconds: Between two bytes of a drip, before the answer of an OK.
        category: Of a refusal.
    """

    kind: Kind
    status: int = 200
    error: str = ""
    error_code: str | None = None
    retry_after: str | None = None
    should_retry: str | None = None
    text: str | None = None
    seconds: float = 0.0
    category: str | None = None

    @classmethod
    def ok(cls, text: str | None = None, *, seconds: float = 0.0) -> "Step":
        return cls(Kind.OK, text=text, seconds=seconds)

    @classmethod
    def rate_limited(cls, retry_after: str | None = None) -> "Step":
        return cls(Kind.STATUS, status=429, error="rate_limit_error", retry_after=retry_after)

    @classmethod
    def overloaded(cls) -> "Step":
        return cls(Kind.STATUS, status=529, error="overloaded_error")

    @classmethod
    def server_error(cls, status: int = 500) -> "Step":
        return cls(Kind.STATUS, status=status, error="api_error")

    @classmethod
    def unauthorized(cls) -> "Step":
        return cls(Kind.STATUS, status=401, error="authentication_error")

    @classmethod
    def bad_request(cls) -> "Step":
        return cls(Kind.STATUS, status=400, error="invalid_request_error")

    @classmethod
    def spend_limit(cls) -> "Step":
        return cls(
            Kind.STATUS,
            status=429,
            error="rate_limit_error",
            error_code="enforced_spend_limit_reached",
        )

    @classmethod
    def hang(cls) -> "Step":
        return cls(Kind.HANG)

    @classmethod
    def drip(cls, seconds: float = 0.05) -> "Step":
        return cls(Kind.DRIP, seconds=seconds)

    @classmethod
    def refusal(cls, category: str | None = "general_harms") -> "Step":
        return cls(Kind.REFUSAL, category=category)

    @classmethod
    def of(cls, kind: Kind) -> "Step":
        """A step of a kind that needs nothing else."""
        return cls(kind)
