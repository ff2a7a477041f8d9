"""Whoever can be asked: the API behind `claude`, or what stands for it in a test."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from pydantic import BaseModel

from serving.copywriter.reply import Failure, Prompt, Reply

T = TypeVar("T", bound=BaseModel)


class Asker(Protocol):
    """Answers prompts; whatever goes wrong comes back as a `Failure`, never as an exception."""

    def ask(self, prompt: Prompt[T], *, deadline_seconds: float) -> Reply[T] | Failure:
        """One question, answered or given up within the deadline."""
        ...

    def ask_in_batch(
        self,
        prompts: Mapping[str, Prompt[T]],
        *,
        deadline_seconds: float,
        tell: Callable[[str], None] | None = None,
    ) -> Mapping[str, Reply[T] | Failure]:
        """Many questions at the price of a batch.

        Args:
            prompts: By a key of the caller's own.
            deadline_seconds: When to give up waiting; minutes to hours.
            tell: Is called with the id of every batch as soon as it exists: whoever keeps it can
                collect the answers after a crash.

        Returns:
            How each ended, under the same keys.
        """
        ...
