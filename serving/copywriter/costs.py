"""What a library of variants costs, and what a call for every message would: before it is spent.

The library is asked for once: a call per cell (trigger x channel x language x segment) writes its
variants, another judges them. Messages made of it cost nothing more, however many they are. The
other way asks once for every message.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil
from typing import TypeVar

from pydantic import BaseModel

from serving.copywriter.prices import PriceTable
from serving.copywriter.reply import Prompt, Usage

T = TypeVar("T", bound=BaseModel)

# English has about four bytes a token, Cyrillic rather more; newer models count up to a third more.
_BYTES_PER_TOKEN = 3


@dataclass(frozen=True)
class CallTokens:
    """Tokens of one call.

    Attributes:
        system: Of the part that all calls of a kind share.
        user: Of the part of this call.
        reply: Thinking included.
    """

    system: int
    user: int
    reply: int


@dataclass(frozen=True)
class TokenAssumptions:
    """Tokens that calls are made of; `measuring` finds those of real prompts and texts.

    Attributes:
        system: Rules, brand and examples.
        user: One cell's brief, or one message's facts.
        variant: One variant with its angle, as JSON; every text of it twice (facts and plain).
        message: One message, every text of it once.
        thinking: Of every call.
        judge_system: The rubric.
        judge_reply: Scores and reasons for one variant.
    """

    system: int = 1_000
    user: int = 250
    variant: int = 200
    message: int = 120
    thinking: int = 150
    judge_system: int = 600
    judge_reply: int = 250

    def draft(self, n_variants: int) -> CallTokens:
        """The call that writes a cell."""
        return CallTokens(self.system, self.user, n_variants * self.variant + self.thinking)

    def judge(self, n_variants: int) -> CallTokens:
        """The call that judges it."""
        said = self.user + n_variants * self.variant
        return CallTokens(self.judge_system, said, n_variants * self.judge_reply + self.thinking)

    def single(self) -> CallTokens:
        """The call that writes a single message: the same instructions, one text."""
        return CallTokens(self.system, self.user, self.message + self.thinking)


@dataclass(frozen=True)
class LibraryPlan:
    """What is wanted.

    Attributes:
        n_segments: Of customers.
        n_triggers: Reasons to write.
        n_channels: Channels.
        n_languages: Languages.
        n_variants: Of every cell.
        is_judged: Whether the variants are scored.
        redrafted_share: Of the cells, how many are asked for again after the checks.
        in_batch: Whether the library is made in batches.
        n_messages: Sent from it.
    """

    n_segments: int = 20
    n_triggers: int = 15
    n_channels: int = 5
    n_languages: int = 3
    n_variants: int = 3
    is_judged: bool = True
    redrafted_share: float = 0.1
    in_batch: bool = True
    n_messages: int = 1_000_000

    @property
    def n_cells(self) -> int:
        """Cells of the library."""
        return self.n_segments * self.n_triggers * self.n_channels * self.n_languages

    @property
    def n_calls(self) -> int:
        """Calls that write, or that judge."""
        return ceil(self.n_cells * (1 + self.redrafted_share))


class Way(StrEnum):
    """How calls can be made."""

    LIVE = "live"
    LIVE_CACHED = "live, prompt cached"
    BATCH = "batch"
    BATCH_CACHED = "batch, prompt cached"

    @property
    def is_cached(self) -> bool:
        """Whether all calls but the first read the shared part of the prompt from the cache."""
        return self in {Way.LIVE_CACHED, Way.BATCH_CACHED}

    @property
    def is_batch(self) -> bool:
        """Whether answers come within a day, at the price of a batch."""
        return self in {Way.BATCH, Way.BATCH_CACHED}


@dataclass(frozen=True)
class PerMessage:
    """A call for every message, made in one way.

    Attributes:
        way: How the calls are made.
        usd: What they cost.
        ratio: How many times the library; null where that costs nothing.
        n_even: Messages from which on the library is cheaper; null where a call costs nothing.
    """

    way: Way
    usd: float
    ratio: float | None
    n_even: int | None


@dataclass(frozen=True)
class LibraryUsd:
    """What a library costs: writing it and judging it."""

    draft: float
    judge: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.draft + self.judge


@dataclass(frozen=True)
class CostEstimate:
    """Both ways side by side.

    Attributes:
        plan: What is wanted.
        writer: Model that writes, in both ways.
        judge: Model that judges.
        library: The library, whatever the number of messages.
        per_message: A call for every message, in each way.
        more_messages: As many messages again:
        more_library_usd: what they cost with a library,
        more_per_message_usd: and with a call for each, live and with the prompt cached.
    """

    plan: LibraryPlan
    writer: str
    judge: str
    library: LibraryUsd
    per_message: tuple[PerMessage, ...]
    more_messages: int
    more_library_usd: float
    more_per_message_usd: float

    def of(self, way: Way) -> PerMessage:
        """A call for every message, made in that way."""
        return next(row for row in self.per_message if row.way is way)


def count_roughly(text: str) -> int:
    """Tokens of a text where nobody can be asked: one for every three bytes, rather too many.

    >>> count_roughly("Your order is late"), count_roughly("Ваш заказ опаздывает")
    (6, 13)
    """
    return ceil(len(text.encode()) / _BYTES_PER_TOKEN)


def estimate_prompts_usd(
    prompts: Iterable[Prompt[T]],
    *,
    reply_tokens: int,
    model: str,
    prices: PriceTable,
    in_batch: bool,
) -> float:
    """What these very prompts will cost, roughly counted, nothing of them cached.

    Args:
        prompts: Which are to be asked.
        reply_tokens: Of an answer, thinking included.
        model: Who is asked.
        prices: What tokens cost.
        in_batch: Whether a batch is asked.
    """
    return sum(
        prices.cost(
            Usage(
                input_tokens=count_roughly(prompt.system) + count_roughly(prompt.user),
                output_tokens=reply_tokens,
            ),
            model=model,
            in_batch=in_batch,
        )
        for prompt in prompts
    )


def find_calls_usd(
    n_calls: int, tokens: CallTokens, *, way: Way, model: str, prices: PriceTable
) -> float:
    """What many equal calls cost.

    Cached, the first writes the shared part and all others read it: the least that can be. The
    cache lasts five minutes from its last use; calls that are rarer pay more.
    """
    plain = Usage(input_tokens=tokens.system + tokens.user, output_tokens=tokens.reply)
    if not way.is_cached or n_calls == 0:
        return n_calls * prices.cost(plain, model=model, in_batch=way.is_batch)
    writing = Usage(
        input_tokens=tokens.user, cache_write_tokens=tokens.system, output_tokens=tokens.reply
    )
    reading = Usage(
        input_tokens=tokens.user, cache_read_tokens=tokens.system, output_tokens=tokens.reply
    )
    first = prices.cost(writing, model=model, in_batch=way.is_batch)
    return first + (n_calls - 1) * prices.cost(reading, model=model, in_batch=way.is_batch)


def find_library_usd(
    plan: LibraryPlan, *, writer: str, judge: str, prices: PriceTable, tokens: TokenAssumptions
) -> LibraryUsd:
    """What a library costs; see `estimate_costs` for the arguments."""
    way = Way.BATCH if plan.in_batch else Way.LIVE_CACHED
    n_judged = plan.n_calls if plan.is_judged else 0
    draft, scores = tokens.draft(plan.n_variants), tokens.judge(plan.n_variants)
    return LibraryUsd(
        draft=find_calls_usd(plan.n_calls, draft, way=way, model=writer, prices=prices),
        judge=find_calls_usd(n_judged, scores, way=way, model=judge, prices=prices),
    )


def estimate_costs(
    plan: LibraryPlan,
    *,
    writer: str,
    judge: str,
    prices: PriceTable,
    tokens: TokenAssumptions | None = None,
) -> CostEstimate:
    """The library once beside a call for every message, at the same model's prices.

    In a batch nothing is said to be cached, since its calls may run at the same time: the library
    is rather estimated too dear. Judging is counted for the library alone.

    Args:
        plan: What is wanted.
        writer: Model that writes, in both ways.
        judge: Model that judges.
        prices: What tokens cost; ConfigurationError for a model that is not among them.
        tokens: Of the calls; assumptions when not given.
    """
    tokens = tokens or TokenAssumptions()
    library = find_library_usd(plan, writer=writer, judge=judge, prices=prices, tokens=tokens)
    more = replace(plan, n_messages=2 * plan.n_messages)
    after = find_library_usd(more, writer=writer, judge=judge, prices=prices, tokens=tokens)

    def by_message(n_messages: int, way: Way) -> float:
        return find_calls_usd(n_messages, tokens.single(), way=way, model=writer, prices=prices)

    rows = []
    for way in Way:
        usd, single = by_message(plan.n_messages, way), by_message(2, way) - by_message(1, way)
        even = _divide(library.total, single)
        ratio = _divide(usd, library.total)
        rows.append(PerMessage(way, usd, ratio, None if even is None else ceil(even)))
    live = Way.LIVE_CACHED
    return CostEstimate(
        plan=plan,
        writer=writer,
        judge=judge,
        library=library,
        per_message=tuple(rows),
        more_messages=plan.n_messages,
        more_library_usd=after.total - library.total,
        more_per_message_usd=by_message(more.n_messages, live) - by_message(plan.n_messages, live),
    )


def _divide(usd: float, by: float) -> float | None:
    return usd / by if by > 0 else None
