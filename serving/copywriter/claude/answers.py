"""Messages of the API as answers: first why it stopped, then what it cost, then what it says.

The SDK checks no types: whatever JSON came stands in the fields of its classes.
"""

from dataclasses import replace
from typing import TypeVar

from anthropic.types import Message, TextBlock
from anthropic.types import Usage as Billed
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from serving.copywriter.claude.attempts import Answered, Mishap, Remedy
from serving.copywriter.prices import PriceTable
from serving.copywriter.reply import Prompt, Usage, WriterOutcome
from serving.faults import name_place

T = TypeVar("T", bound=BaseModel)

_MAX_FAULTS = 5
_COMPLETE = frozenset({"end_turn", "stop_sequence"})


def read_message(
    reply: object, prompt: Prompt[T], *, model: str, prices: PriceTable, in_batch: bool = False
) -> Answered[T] | Mishap:
    """What a reply with status 200 says.

    Args:
        reply: As the SDK gave it: a text where a page came, a message with nulls for other JSON.
        prompt: What was asked.
        model: Who was asked, as the price table names it.
        prices: What tokens cost.
        in_batch: Whether a batch was asked.
    """
    if not isinstance(reply, Message) or not isinstance(reply.content, list):
        what = "a page instead of JSON" if isinstance(reply, str) else "JSON that is no message"
        return Mishap(WriterOutcome.MALFORMED, f"status 200 with {what}", remedy=Remedy.WAIT)
    usage = _book(reply, model=model, prices=prices, in_batch=in_batch)
    reason = str(reply.stop_reason)
    if reason == "refusal":
        category = getattr(reply.stop_details, "category", None)
        return Mishap(WriterOutcome.REFUSED, f"refused ({category or 'no category'})", usage)
    if reason in {"max_tokens", "model_context_window_exceeded"}:
        words = f"{reason} after {usage.output_tokens} tokens of {prompt.max_tokens}"
        return Mishap(WriterOutcome.CUT_OFF, words, usage)
    if reason not in _COMPLETE:
        return Mishap(WriterOutcome.MALFORMED, f"stopped with {reason[:40]!r}", usage)
    text = "".join(str(block.text) for block in reply.content if isinstance(block, TextBlock))
    return _read_text(text, prompt, request_id=getattr(reply, "_request_id", None), usage=usage)


def _read_text(
    text: str, prompt: Prompt[T], *, request_id: str | None, usage: Usage
) -> Answered[T] | Mishap:
    if not text.strip():
        return Mishap(WriterOutcome.MALFORMED, "no text", usage, Remedy.ASK_AGAIN)
    try:
        value = prompt.answer.model_validate_json(text)
    except ValidationError as fault:
        words = _describe(fault)
        return Mishap(WriterOutcome.MALFORMED, words, usage, Remedy.ASK_AGAIN)
    return Answered(value, request_id, usage)


def _describe(fault: ValidationError) -> str:
    """Places and what is wrong there; not the words, which a stranger may have led the pen of."""
    faults = fault.errors(include_url=False, include_input=False, include_context=False)
    words = [f"{_name_place(each)}: {each['msg']}" for each in faults[:_MAX_FAULTS]]
    more = len(faults) - len(words)
    return "; ".join(words) + (f"; and {more} more" if more else "")


def _name_place(fault: ErrorDetails) -> str:
    """Where it is; a field of the model's own has a name of the model's own, which is not said."""
    is_own = fault["type"] == "extra_forbidden"
    return name_place((*fault["loc"][:-1], "another field") if is_own else fault["loc"])


def _book(message: Message, *, model: str, prices: PriceTable, in_batch: bool) -> Usage:
    """Tokens and their price; none where the API did not say."""
    billed: object = message.usage
    if not isinstance(billed, Billed):
        return Usage()
    tokens = Usage(
        input_tokens=_count(billed.input_tokens),
        cache_read_tokens=_count(billed.cache_read_input_tokens),
        cache_write_tokens=_count(billed.cache_creation_input_tokens),
        output_tokens=_count(billed.output_tokens),
    )
    return replace(tokens, cost_usd=prices.cost(tokens, model=model, in_batch=in_batch))


def _count(tokens: object) -> int:
    return tokens if isinstance(tokens, int) and tokens > 0 else 0
