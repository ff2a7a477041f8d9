"""Claude, as whoever asks sees it: an answer in its shape or a named failure, in time."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from pydantic import BaseModel

from serving.copywriter.breaker import Breaker
from serving.copywriter.claude.asking import Asking
from serving.copywriter.claude.batches import Batches
from serving.copywriter.claude.door import Door
from serving.copywriter.deadlines import Clock, Deadline
from serving.copywriter.prices import PriceTable
from serving.copywriter.reply import Failure, Prompt, Reply, Role, WriterOutcome
from serving.copywriter.settings import ClaudeSettings
from serving.copywriter.spending import Spending

T = TypeVar("T", bound=BaseModel)

_NO_KEY = Failure(WriterOutcome.NO_KEY, "OPPORTUNE_ANTHROPIC_API_KEY is not set")


class Claude:
    """An `Asker` behind which the Messages API is. Safe to share between threads; close it.

    >>> from serving.copywriter.prices import load_prices
    >>> class Greeting(BaseModel):
    ...     words: str
    >>> with Claude(ClaudeSettings(), prices=load_prices()) as claude:
    ...     claude.ask(Prompt("greeting/1", "", "Hello", Greeting), deadline_seconds=5).outcome
    <WriterOutcome.NO_KEY: 'no_key'>

    Attributes:
        settings: Models, limits and waits.
        spending: What this run has spent and may spend.
        breaker: Which stops the requests when too many fail.
    """

    def __init__(
        self,
        settings: ClaudeSettings,
        *,
        prices: PriceTable,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        seed: int | None = None,
    ) -> None:
        """Nothing is connected yet.

        Args:
            settings: Models, limits and waits.
            prices: What tokens cost; ConfigurationError if one of the models is not among them.
            clock: Seconds that only grow.
            sleep: Waits between attempts.
            seed: Of the jitter of the waits; null draws one, so that callers differ.
        """
        for role in Role:
            prices.of(settings.model_of(role))
        self.settings = settings
        self.spending = Spending(settings.max_usd)
        self.breaker = Breaker(
            failures=settings.breaker_failures,
            window=settings.breaker_window,
            share=settings.breaker_share,
            rest_seconds=settings.breaker_rest_seconds,
            clock=clock,
        )
        self._clock = clock
        self._door = Door(settings)
        self._asking = Asking(
            settings=settings,
            prices=prices,
            spending=self.spending,
            breaker=self.breaker,
            door=self._door,
            sleep=sleep,
            rng=np.random.default_rng(seed),
        )
        self._batches = Batches(self._asking)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._door.close()

    def ask(self, prompt: Prompt[T], *, deadline_seconds: float) -> Reply[T] | Failure:
        """One question; see `Asker`."""
        if not self.settings.has_key:
            return _NO_KEY
        return self._asking.ask(prompt, deadline=self._after(deadline_seconds))

    def ask_in_batch(
        self,
        prompts: Mapping[str, Prompt[T]],
        *,
        deadline_seconds: float,
        tell: Callable[[str], None] | None = None,
    ) -> Mapping[str, Reply[T] | Failure]:
        """Many questions at the price of a batch; see `Asker`."""
        if not self.settings.has_key:
            return dict.fromkeys(prompts, _NO_KEY)
        deadline = self._after(deadline_seconds)
        return self._batches.ask(prompts, deadline=deadline, tell=tell or _say_nothing)

    def collect_batch(
        self, batch_id: str, prompts: Mapping[str, Prompt[T]], *, deadline_seconds: float
    ) -> Mapping[str, Reply[T] | Failure]:
        """Answers of a batch that was made before, say by a process that died since.

        Args:
            batch_id: As `tell` was told.
            prompts: The same prompts under the same keys; others in the batch are left alone.
            deadline_seconds: When to cancel what has not been answered, and take what has.
        """
        if not self.settings.has_key:
            return dict.fromkeys(prompts, _NO_KEY)
        deadline = self._after(deadline_seconds)
        return self._batches.collect(batch_id, prompts, deadline=deadline)

    def count_tokens(self, prompt: Prompt[T], *, deadline_seconds: float) -> int | Failure:
        """Tokens of a prompt, exactly and for nothing."""
        if not self.settings.has_key:
            return _NO_KEY
        return self._asking.count_tokens(prompt, deadline=self._after(deadline_seconds))

    def _after(self, seconds: float) -> Deadline:
        return Deadline.after(seconds, clock=self._clock)


def _say_nothing(batch_id: str) -> None:
    """For callers that do not keep the ids of batches."""
