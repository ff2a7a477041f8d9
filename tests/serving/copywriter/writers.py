"""Askers that write variants by a rule."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from serving.copywriter.reply import Failure, Prompt, Reply, Usage, WriterOutcome

T = TypeVar("T", bound=BaseModel)
PAID = Usage(input_tokens=900, output_tokens=300, cost_usd=0.006)

Write = Callable[[dict[str, Any]], dict[str, Any] | Failure]
"""From a task to an answer."""

GOOD = {
    "en": (
        "{greeting}good news about {item}: it now costs {new_price_cents}.",
        "{greeting}an item you looked at costs less now.",
    ),
    "ru": (
        "{greeting}товар «{item}» теперь стоит {new_price_cents}.",
        "{greeting}товар, который вы смотрели, стал дешевле.",
    ),
}


def read_task(prompt: Prompt[Any]) -> dict[str, Any]:
    task: dict[str, Any] = json.loads(prompt.user.removeprefix("The task:\n"))
    return task


def short(*bodies: tuple[str, str], angle: str = "plain") -> dict[str, Any]:
    """An answer for a channel without titles."""
    return {
        "variants": [
            {"angle": angle, "body": {"facts": facts, "plain": plain}} for facts, plain in bodies
        ]
    }


def write_good(task: dict[str, Any]) -> dict[str, Any]:
    """One clean variant of a price drop by SMS."""
    return short(GOOD[task["language"]])


class InTurn(ABC):
    """An `Asker` whose batches are questions asked one after the other."""

    n_batches = 0

    @abstractmethod
    def ask(self, prompt: Prompt[T], *, deadline_seconds: float) -> Reply[T] | Failure: ...

    def ask_in_batch(
        self,
        prompts: Mapping[str, Prompt[T]],
        *,
        deadline_seconds: float,
        tell: Callable[[str], None] | None = None,
    ) -> Mapping[str, Reply[T] | Failure]:
        self.n_batches += 1
        if tell is not None:
            tell(f"batch_{self.n_batches}")
        return {
            key: self.ask(prompt, deadline_seconds=deadline_seconds)
            for key, prompt in prompts.items()
        }


class RuleWriter(InTurn):
    """An `Asker` that answers at once, and remembers what it was asked."""

    def __init__(self, write: Write = write_good) -> None:
        self.write = write
        self.prompts: list[Prompt[Any]] = []

    def ask(self, prompt: Prompt[T], *, deadline_seconds: float) -> Reply[T] | Failure:
        assert deadline_seconds > 0
        self.prompts.append(prompt)
        answer = self.write(read_task(prompt))
        if isinstance(answer, Failure):
            return answer
        return Reply(prompt.answer.model_validate(answer), "claude-x-1", "r1", PAID)


def fail_with(outcome: WriterOutcome, usage: Usage | None = None) -> Write:
    return lambda _: Failure(outcome, f"it was {outcome}", usage or Usage())
