"""What is asked of a language model and what comes back: values, whatever goes wrong."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)


class WriterOutcome(StrEnum):
    """How a call ended; closed, so that it can be counted."""

    OK = "ok"
    NO_KEY = "no_key"
    REFUSED = "refused"  # the model would not
    CUT_OFF = "cut_off"  # the reply ended at its limit of tokens
    MALFORMED = "malformed"  # no JSON, another shape, no text, a page of HTML
    RATE_LIMITED = "rate_limited"  # 429 to the end
    OVERLOADED = "overloaded"  # 529 to the end
    SERVER_ERROR = "server_error"  # 5xx to the end
    REJECTED = "rejected"  # another 4xx: a fault of ours, a wrong key, a spending limit
    TIMED_OUT = "timed_out"  # the deadline came first
    UNREACHABLE = "unreachable"  # no network
    CIRCUIT_OPEN = "circuit_open"  # not even asked: it failed too often just now
    OVER_BUDGET = "over_budget"  # not asked: the spending limit of the run is reached
    EXPIRED = "expired"  # a batch ended before it was asked
    CANCELED = "canceled"


class Role(StrEnum):
    """What a model is asked for; the settings name a model for each."""

    WRITER = "writer"
    JUDGE = "judge"
    TRIAGE = "triage"


@dataclass(frozen=True)
class Usage:
    """Tokens that were paid for, whatever came of them.

    Attributes:
        input_tokens: Uncached.
        cache_read_tokens: Read from the prompt cache.
        cache_write_tokens: Written to it.
        output_tokens: Thinking included.
        cost_usd: By the price table; 0 where nothing was asked.

    >>> Usage(output_tokens=2, cost_usd=0.5) + Usage(input_tokens=3, cost_usd=0.25)
    Usage(input_tokens=3, cache_read_tokens=0, cache_write_tokens=0, output_tokens=2, cost_usd=0.75)
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True)
class Prompt(Generic[T]):
    """One question.

    Attributes:
        name: Its kind and version, such as `variants/3`: part of every record of what it made.
        system: The part that all questions of its kind share; cached.
        user: The part of this question.
        answer: The shape of the answer.
        max_tokens: Of the reply, thinking included.
        role: Which of the configured models answers.
    """

    name: str
    system: str
    user: str
    answer: type[T]
    max_tokens: int = 4_000
    role: Role = Role.WRITER


@dataclass(frozen=True)
class Reply(Generic[T]):
    """An answer in its shape.

    Attributes:
        value: The answer.
        model: Who answered.
        request_id: As the API names it.
        usage: What it cost.
    """

    value: T
    model: str
    request_id: str | None
    usage: Usage


@dataclass(frozen=True)
class Failure:
    """No answer, and why.

    Attributes:
        outcome: How it ended; never `OK`.
        detail: In words, without secrets.
        usage: What it cost all the same.
    """

    outcome: WriterOutcome
    detail: str
    usage: Usage = Usage()
