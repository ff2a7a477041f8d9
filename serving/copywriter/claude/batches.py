"""Many questions at once, at half the price, within hours: the Message Batches API."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import anthropic
from anthropic.types.messages import (
    MessageBatch,
    MessageBatchErroredResult,
    MessageBatchIndividualResponse,
    MessageBatchSucceededResult,
)
from anthropic.types.messages.batch_create_params import Request
from pydantic import BaseModel

from serving.copywriter.breaker import Verdict
from serving.copywriter.claude.answers import read_message
from serving.copywriter.claude.asking import CIRCUIT_OPEN, Asking
from serving.copywriter.claude.attempts import Answered, Mishap
from serving.copywriter.claude.door import Call
from serving.copywriter.claude.faults import name_error_type
from serving.copywriter.claude.questions import find_most_usd, make_custom_id, make_params
from serving.copywriter.deadlines import Deadline
from serving.copywriter.reply import Failure, Prompt, Reply, Usage, WriterOutcome

R = TypeVar("R")
T = TypeVar("T", bound=BaseModel)
Outcomes = dict[str, Reply[T] | Failure]

# The API takes 100,000 questions and 256 MB; some room is left for what the SDK adds.
_MAX_QUESTIONS = 100_000
_MAX_BYTES = 200_000_000
_MAX_GRACE_SHARE = 0.25
_MAX_DETAIL = 200
_NO_BATCH = Mishap(
    WriterOutcome.MALFORMED, "status 200 without the id of a batch", may_be_paid=True
)
_NO_LINE = Mishap(WriterOutcome.MALFORMED, "the results hold no line for it")


@dataclass(frozen=True)
class _Wave:
    """Questions that go into one batch together, and what was held for them."""

    requests: Sequence[Request]
    keys: Sequence[str]
    held_usd: float


@dataclass(frozen=True)
class Batches:
    """How questions are put in batches.

    Attributes:
        asking: How single requests are made; limits and prices are the same.
    """

    asking: Asking

    def ask(
        self,
        prompts: Mapping[str, Prompt[T]],
        *,
        deadline: Deadline,
        tell: Callable[[str], None],
    ) -> Outcomes[T]:
        """Put all questions, in as many batches as the run's limit needs one after the other.

        The most that they can cost is several times what they do cost. So as many are put as
        the limit bears at worst; what they leave of it bears the next ones.
        """
        done: Outcomes[T] = {}
        waiting = dict(prompts)
        while waiting:
            wave = self._fill_wave(waiting)
            if isinstance(wave, Mishap):
                return done | dict.fromkeys(waiting, wave.to_failure(Usage()))
            batch = self._make(wave, deadline=deadline)
            if isinstance(batch, Mishap):
                return done | dict.fromkeys(waiting, batch.to_failure(Usage()))
            tell(batch)
            asked = {key: waiting.pop(key) for key in wave.keys}
            done |= self._collect_wave(batch, asked, wave=wave, deadline=deadline)
        return done

    def collect(
        self, batch_id: str, prompts: Mapping[str, Prompt[T]], *, deadline: Deadline
    ) -> Outcomes[T]:
        """Answers of a batch that exists."""
        wave = _Wave((), tuple(prompts), held_usd=0.0)
        return self._collect_wave(batch_id, prompts, wave=wave, deadline=deadline)

    def _fill_wave(self, waiting: Mapping[str, Prompt[T]]) -> _Wave | Mishap:
        """The first questions that fit into a batch and into what is left to spend."""
        requests: list[Request] = []
        keys: list[str] = []
        held = most = 0.0
        n_bytes = 0
        for key, prompt in waiting.items():
            params = make_params(prompt, settings=self.asking.settings)
            most = find_most_usd(params, prices=self.asking.prices, in_batch=True)
            n_bytes += len(json.dumps(params))
            is_full = len(keys) == _MAX_QUESTIONS or (keys and n_bytes > _MAX_BYTES)
            if is_full or not self.asking.spending.hold(most):
                break
            held += most
            requests.append(Request(custom_id=make_custom_id(key), params=params))
            keys.append(key)
        return _Wave(requests, keys, held) if keys else self.asking.over_budget(most)

    def _make(self, wave: _Wave, *, deadline: Deadline) -> str | Mishap:
        """The id of a new batch. What may have been made is not made twice."""

        async def create(client: anthropic.AsyncAnthropic, patience: anthropic.Timeout) -> object:
            return await client.messages.batches.create(requests=wave.requests, timeout=patience)

        got = self._try_to_make(create, deadline=deadline)
        if isinstance(got, Mishap) and got.may_be_paid:
            self.asking.spending.lose(wave.held_usd)
        elif isinstance(got, Mishap):
            self.asking.spending.settle(wave.held_usd, spent=0.0)
        return got

    def _try_to_make(self, create: Call[object], *, deadline: Deadline) -> str | Mishap:
        n_failed, last = 0, CIRCUIT_OPEN
        while self.asking.breaker.lets_through():
            got = self.asking.reach(create, deadline=deadline)
            if isinstance(got, MessageBatch) and isinstance(got.id, str):
                self.asking.breaker.report(Verdict.WORKED)
                return got.id
            last = got if isinstance(got, Mishap) else _NO_BATCH
            self.asking.breaker.report(last.verdict)
            n_failed += 1
            if last.may_be_paid or not self.asking.waits(
                last, n_failed=n_failed, deadline=deadline
            ):
                break
        return last

    def _collect_wave(
        self, batch_id: str, prompts: Mapping[str, Prompt[T]], *, wave: _Wave, deadline: Deadline
    ) -> Outcomes[T]:
        lines = self._await_lines(batch_id, deadline=deadline)
        if isinstance(lines, Mishap):
            # It may go on, be paid and be collected later: its id is the way to it.
            self.asking.spending.lose(wave.held_usd)
            failure = Failure(lines.outcome, f"batch {batch_id}: {lines.detail}")
            return dict.fromkeys(prompts, failure)
        by_id = {str(line.custom_id): line for line in lines}
        outcomes: Outcomes[T] = {
            key: self._read_line(by_id.get(make_custom_id(key)), prompt)
            for key, prompt in prompts.items()
        }
        spent = sum(outcome.usage.cost_usd for outcome in outcomes.values())
        self.asking.spending.settle(wave.held_usd, spent=spent)
        return outcomes

    def _await_lines(
        self, batch_id: str, *, deadline: Deadline
    ) -> Sequence[MessageBatchIndividualResponse] | Mishap:
        """Wait for the end of a batch; cancel it when the deadline is near; read its results."""
        grace = min(
            self.asking.settings.cancel_grace_seconds, _MAX_GRACE_SHARE * deadline.remaining
        )
        ended = self._await_end(batch_id, until=Deadline(deadline.at - grace, deadline.clock))
        if ended is not None and ended.outcome is not WriterOutcome.REJECTED:
            self._insist(_canceling(batch_id), deadline=deadline)
            ended = self._await_end(batch_id, until=deadline)
        if ended is not None:
            return ended
        return self._insist(_reading(batch_id), deadline=deadline)

    def _await_end(self, batch_id: str, *, until: Deadline) -> Mishap | None:
        """None when it has ended; a mishap when it can't be known, or not in time."""
        settings = self.asking.settings
        seconds = settings.first_poll_seconds
        while True:
            batch = self._insist(_looking(batch_id), deadline=until)
            if isinstance(batch, Mishap):
                return batch
            if getattr(batch, "processing_status", None) == "ended":
                return None
            if until.remaining <= 0:
                return Mishap(WriterOutcome.TIMED_OUT, "has not ended within the deadline")
            self.asking.sleep(min(seconds, until.remaining))
            seconds = min(2 * seconds, settings.max_poll_seconds)

    def _insist(self, call: Call[R], *, deadline: Deadline) -> R | Mishap:
        """A call that costs nothing, again and again until it works or cannot.

        Where the deadline ends it, what went wrong before says more than that it did.
        """
        n_failed = 0
        last: Mishap | None = None
        while True:
            got = self.asking.reach(call, deadline=deadline)
            if not isinstance(got, Mishap):
                return got
            if last is None or got.outcome is not WriterOutcome.TIMED_OUT:
                last = got
            n_failed += 1
            if not self.asking.waits(got, n_failed=n_failed, deadline=deadline, for_ever=True):
                return last

    def _read_line(
        self, line: MessageBatchIndividualResponse | None, prompt: Prompt[T]
    ) -> Reply[T] | Failure:
        model = self.asking.settings.model_of(prompt.role)
        result = None if line is None else line.result
        if isinstance(result, MessageBatchSucceededResult):
            got = read_message(
                result.message, prompt, model=model, prices=self.asking.prices, in_batch=True
            )
            if isinstance(got, Answered):
                return Reply(got.value, model, got.request_id, got.usage)
            return got.to_failure(got.usage)
        if isinstance(result, MessageBatchErroredResult):
            error = getattr(result.error, "error", None)
            kind, words = (str(getattr(error, name, None)) for name in ("type", "message"))
            return Failure(name_error_type(kind), f"{kind}: {words}"[:_MAX_DETAIL])
        named = {"expired": WriterOutcome.EXPIRED, "canceled": WriterOutcome.CANCELED}
        kind = str(getattr(result, "type", None))
        if kind in named:
            return Failure(named[kind], f"the batch was {kind} before the question was put")
        return _NO_LINE.to_failure(Usage())


def _looking(batch_id: str) -> Call[object]:
    async def look(client: anthropic.AsyncAnthropic, patience: anthropic.Timeout) -> object:
        return await client.messages.batches.retrieve(batch_id, timeout=patience)

    return look


def _canceling(batch_id: str) -> Call[object]:
    async def cancel(client: anthropic.AsyncAnthropic, patience: anthropic.Timeout) -> object:
        return await client.messages.batches.cancel(batch_id, timeout=patience)

    return cancel


def _reading(batch_id: str) -> Call[Sequence[MessageBatchIndividualResponse]]:
    async def read(
        client: anthropic.AsyncAnthropic, patience: anthropic.Timeout
    ) -> Sequence[MessageBatchIndividualResponse]:
        lines = await client.messages.batches.results(batch_id, timeout=patience)
        found: list[object] = [line async for line in lines]
        return [line for line in found if isinstance(line, MessageBatchIndividualResponse)]

    return read
