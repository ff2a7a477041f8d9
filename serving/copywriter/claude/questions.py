"""A prompt as the parameters of a request, and the most that it can cost."""

import hashlib
import json
from functools import lru_cache
from typing import TypeVar

import anthropic
from anthropic.types import OutputConfigParam, TextBlockParam
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import BaseModel

from serving.copywriter.prices import PriceTable
from serving.copywriter.reply import Prompt, Usage
from serving.copywriter.settings import ClaudeSettings

T = TypeVar("T", bound=BaseModel)

# Words that the API puts around a question and its schema; it counts them as ours.
_ADDED_TOKENS = 1_500


def make_params(
    prompt: Prompt[T], *, settings: ClaudeSettings, note: str = ""
) -> MessageCreateParamsNonStreaming:
    """The parameters of one request.

    Args:
        prompt: The question.
        settings: Model, effort, thinking.
        note: What was wrong with the answer before; empty at the first time.
    """
    user = _spell(prompt.user if not note else f"{prompt.user}\n\n{note}")
    params: MessageCreateParamsNonStreaming = {
        "model": settings.model_of(prompt.role),
        "max_tokens": prompt.max_tokens,
        "messages": [{"role": "user", "content": user}],
        "output_config": _shape(prompt.answer, settings=settings),
    }
    if prompt.system:
        # The mark stands on the block: what comes before it is cached, the question is not.
        params["system"] = [
            TextBlockParam(
                type="text", text=_spell(prompt.system), cache_control={"type": "ephemeral"}
            )
        ]
    if settings.thinking == "disabled":
        params["thinking"] = {"type": "disabled"}
    return params


def find_most_usd(
    params: MessageCreateParamsNonStreaming, *, prices: PriceTable, in_batch: bool
) -> float:
    """The most USD that a request can cost.

    That is a token for every byte, all written to the cache, and a reply up to its limit.
    """
    n_bytes = len(json.dumps(params, ensure_ascii=False).encode())
    most = Usage(cache_write_tokens=n_bytes + _ADDED_TOKENS, output_tokens=params["max_tokens"])
    return prices.cost(most, model=params["model"], in_batch=in_batch)


def make_custom_id(key: str) -> str:
    """The name of a question in a batch: the same for the same key, whatever letters it has.

    >>> len(make_custom_id("price_drop/sms/ru"))
    64
    """
    return hashlib.sha256(key.encode()).hexdigest()


def _spell(text: str) -> str:
    """The text as it can be sent: half a pair of UTF-16, which JSON may bring, becomes a `?`."""
    return text.encode(errors="replace").decode()


@lru_cache(maxsize=64)
def _schema(answer: type[BaseModel]) -> dict[str, object]:
    """Made once: a schema that changes costs a new grammar and the prompt's cache."""
    schema: dict[str, object] = anthropic.transform_schema(answer)
    return schema


def _shape(answer: type[BaseModel], *, settings: ClaudeSettings) -> OutputConfigParam:
    shape: OutputConfigParam = {"format": {"type": "json_schema", "schema": _schema(answer)}}
    if settings.effort != "default":
        shape["effort"] = settings.effort
    return shape
