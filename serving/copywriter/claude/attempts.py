"""What one request came to, before anybody decides whether to make another."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel

from serving.copywriter.breaker import Verdict
from serving.copywriter.reply import Failure, Usage, WriterOutcome

T = TypeVar("T", bound=BaseModel)


class Remedy(StrEnum):
    """What may help."""

    NONE = "none"
    WAIT = "wait"  # the same again, later
    ASK_AGAIN = "ask_again"  # the same with what was wrong


@dataclass(frozen=True)
class Answered(Generic[T]):
    """An answer in its shape."""

    value: T
    request_id: str | None
    usage: Usage


@dataclass(frozen=True)
class Mishap:
    """A request without an answer that can be used.

    Attributes:
        outcome: How it ended.
        detail: In words, without secrets and without the question.
        usage: What was paid.
        remedy: What may help.
        retry_after: Seconds that the server asks for; null where it did not.
        may_be_paid: Whether the API may have worked, and charged, for an answer that never came.
        was_asked: Whether a request was made at all.
    """

    outcome: WriterOutcome
    detail: str
    usage: Usage = field(default_factory=Usage)
    remedy: Remedy = Remedy.NONE
    retry_after: float | None = None
    may_be_paid: bool = False
    was_asked: bool = True

    @property
    def verdict(self) -> Verdict:
        """What it says about the API's health: a refusal is an answer, if not the one wanted."""
        if not self.was_asked:
            return Verdict.UNKNOWN
        return Verdict.WORKED if self.outcome in _HEALTHY else Verdict.FAILED

    def to_failure(self, usage: Usage) -> Failure:
        """As callers see it, with all that was paid on the way."""
        return Failure(self.outcome, self.detail, usage)


_HEALTHY = frozenset({WriterOutcome.REFUSED, WriterOutcome.CUT_OFF})
