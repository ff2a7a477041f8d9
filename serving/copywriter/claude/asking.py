"""One question: attempts, waits, and the sum of what they cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import anthropic
import numpy as np
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import BaseModel

from serving.copywriter.breaker import Breaker, Verdict
from serving.copywriter.claude.answers import read_message
from serving.copywriter.claude.attempts import Answered, Mishap, Remedy
from serving.copywriter.claude.door import Call, Door
from serving.copywriter.claude.faults import FAULTS, name_fault
from serving.copywriter.claude.questions import find_most_usd, make_params
from serving.copywriter.deadlines import Backoff, Deadline
from serving.copywriter.prices import PriceTable
from serving.copywriter.reply import Failure, Prompt, Reply, Usage, WriterOutcome
from serving.copywriter.settings import ClaudeSettings
from serving.copywriter.spending import Spending

R = TypeVar("R")
T = TypeVar("T", bound=BaseModel)

CIRCUIT_OPEN = Mishap(
    WriterOutcome.CIRCUIT_OPEN, "the API failed too often just now; not asked", was_asked=False
)
_TOO_LATE = Mishap(
    WriterOutcome.TIMED_OUT, "the deadline came before a request was made", was_asked=False
)
_NO_COUNT = Mishap(WriterOutcome.MALFORMED, "status 200 without a count of tokens")


@dataclass(frozen=True)
class Asking:
    """How questions are put one by one.

    Attributes:
        settings: Models, limits and waits.
        prices: What tokens cost.
        spending: What the run may spend.
        breaker: Which stops the requests when too many fail.
        door: To the API.
        sleep: Waits between attempts.
        rng: Of the jitter of the waits.
    """

    settings: ClaudeSettings
    prices: PriceTable
    spending: Spending
    breaker: Breaker
    door: Door
    sleep: Callable[[float], None]
    rng: np.random.Generator

    def ask(self, prompt: Prompt[T], *, deadline: Deadline) -> Reply[T] | Failure:
        """An answer, or how the last attempt that was made ended; all attempts are summed."""
        usage, note, last = Usage(), "", _TOO_LATE
        n_failed = n_misread = 0
        while deadline.remaining > 0:
            got = self._attempt(prompt, note=note, deadline=deadline)
            if isinstance(got, Answered):
                model = self.settings.model_of(prompt.role)
                return Reply(got.value, model, got.request_id, usage + got.usage)
            usage = usage + got.usage
            if not got.was_asked and (n_failed or n_misread):
                return _name_stop(last, got).to_failure(usage)
            last = got
            if got.remedy is Remedy.ASK_AGAIN and n_misread < self.settings.re_asks:
                n_misread += 1
                note = _make_note(got)
                continue
            n_failed += 1
            if not self.waits(got, n_failed=n_failed, deadline=deadline):
                break
        return last.to_failure(usage)

    def waits(
        self, mishap: Mishap, *, n_failed: int, deadline: Deadline, for_ever: bool = False
    ) -> bool:
        """Wait for the next attempt, if one may help and there is time for it.

        Args:
            mishap: What went wrong.
            n_failed: Attempts so far.
            deadline: A wait that would leave no time for an attempt is not begun: nothing would
                come of either, and a request that is given up may have to be paid.
            for_ever: Whether attempts are counted at all; looking at a batch costs nothing.
        """
        is_enough = not for_ever and n_failed >= self.settings.max_attempts
        if mishap.remedy is not Remedy.WAIT or is_enough:
            return False
        backoff = Backoff(self.settings.first_wait_seconds, self.settings.max_wait_seconds)
        seconds = backoff.wait(n_failed, asked=mishap.retry_after, rng=self.rng)
        if seconds + self.settings.first_wait_seconds >= deadline.remaining:
            return False
        self.sleep(seconds)
        return True

    def reach(self, call: Call[R], *, deadline: Deadline) -> R | Mishap:
        """One call of the API, ended by the deadline at the latest."""
        seconds = deadline.remaining
        if seconds <= 0:
            return _TOO_LATE
        key = self.settings.api_key
        try:
            return self.door.run(call, seconds=seconds)
        except FAULTS as fault:
            return name_fault(fault, secret="" if key is None else key.get_secret_value())

    def count_tokens(self, prompt: Prompt[T], *, deadline: Deadline) -> int | Failure:
        """Tokens of a prompt, as the API counts them."""
        params = make_params(prompt, settings=self.settings)

        async def count(client: anthropic.AsyncAnthropic, patience: anthropic.Timeout) -> object:
            return await client.messages.count_tokens(
                model=params["model"],
                messages=params["messages"],
                system=params.get("system", anthropic.omit),
                output_config=params["output_config"],
                timeout=patience,
            )

        n_failed = 0
        while True:
            got = self.reach(count, deadline=deadline)
            n_tokens = getattr(got, "input_tokens", None)
            if isinstance(n_tokens, int):
                return n_tokens
            n_failed += 1
            mishap = got if isinstance(got, Mishap) else _NO_COUNT
            if not self.waits(mishap, n_failed=n_failed, deadline=deadline):
                return mishap.to_failure(Usage())

    def _attempt(self, prompt: Prompt[T], *, note: str, deadline: Deadline) -> Answered[T] | Mishap:
        """One request, if the limit of the run and the breaker let it be made."""
        params = make_params(prompt, settings=self.settings, note=note)
        most = find_most_usd(params, prices=self.prices, in_batch=False)
        if not self.spending.hold(most):
            return self.over_budget(most)
        if not self.breaker.lets_through():
            self.spending.settle(most, spent=0.0)
            return CIRCUIT_OPEN
        reply = self.reach(_creating(params), deadline=deadline)
        got = (
            reply
            if isinstance(reply, Mishap)
            else read_message(reply, prompt, model=params["model"], prices=self.prices)
        )
        self.breaker.report(Verdict.WORKED if isinstance(got, Answered) else got.verdict)
        if isinstance(got, Mishap) and got.may_be_paid:
            self.spending.lose(most)
        else:
            self.spending.settle(most, spent=got.usage.cost_usd)
        return got

    def over_budget(self, usd: float) -> Mishap:
        """That the run's limit does not bear something."""
        words = (
            f"the question may cost ${usd:.4f}, and ${self.spending.left_usd:.4f} is left "
            f"of OPPORTUNE_ANTHROPIC_MAX_USD={self.settings.max_usd:g}"
        )
        return Mishap(WriterOutcome.OVER_BUDGET, words, was_asked=False)


def _creating(params: MessageCreateParamsNonStreaming) -> Call[object]:
    async def create(client: anthropic.AsyncAnthropic, patience: anthropic.Timeout) -> object:
        return await client.messages.create(**params, timeout=patience)

    return create


def _make_note(mishap: Mishap) -> str:
    return (
        f"An answer to this was given before and could not be used: {mishap.detail}. "
        "Answer again, as one JSON object of the shape that is asked for and nothing else."
    )


def _name_stop(last: Mishap, stop: Mishap) -> Mishap:
    """The mishap before, with why there was no further attempt."""
    return replace(last, detail=f"{last.detail}; no further attempt: {stop.detail}")
