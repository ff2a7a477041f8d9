"""What tokens cost: a table that ships as data, with the day on which it was read."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from features.errors import ConfigurationError
from serving.copywriter.reply import Usage
from serving.policy.settings import read_settings_file

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_SHIPPED = Path(__file__).with_name("prices.yaml")
_MILLION = 1_000_000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LongPrompt(_Frozen):
    """All prices of a request grow by a factor when its prompt is longer than this."""

    above_tokens: Annotated[int, Field(gt=0)]
    factor: Annotated[float, Field(ge=1)]


class ModelPrices(_Frozen):
    """USD per million tokens of one model.

    Attributes:
        input: Prompt that is neither read from the cache nor written to it.
        output: Reply, thinking included.
        cache_read: Prompt read from the cache.
        cache_write: Prompt written to the cache of five minutes.
        long_prompt: Null where the length of the prompt does not matter.
    """

    input: Usd
    output: Usd
    cache_read: Usd
    cache_write: Usd
    long_prompt: LongPrompt | None = None


class PriceTable(_Frozen):
    """Prices of all models that may be asked.

    Attributes:
        as_of: Day on which they were read.
        source: Where.
        batch_factor: Of every price, in a batch.
        models: By the model's name.
    """

    as_of: date
    source: str
    batch_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    models: Annotated[dict[str, ModelPrices], Field(min_length=1)]

    def of(self, model: str) -> ModelPrices:
        """Prices of a model; ConfigurationError names those that are known."""
        if model not in self.models:
            known = ", ".join(sorted(self.models))
            raise ConfigurationError(
                f"model {model!r}: no price as of {self.as_of}; known: {known}. "
                "Another file of prices can be given (OPPORTUNE_ANTHROPIC_PRICES)"
            )
        return self.models[model]

    def cost(self, usage: Usage, *, model: str, in_batch: bool = False) -> float:
        """USD for the tokens of one request; what `usage.cost_usd` says is not looked at."""
        prices = self.of(model)
        n_prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        long_prompt = prices.long_prompt
        is_long = long_prompt is not None and n_prompt > long_prompt.above_tokens
        factor = long_prompt.factor if long_prompt is not None and is_long else 1.0
        usd = (
            usage.input_tokens * prices.input
            + usage.cache_read_tokens * prices.cache_read
            + usage.cache_write_tokens * prices.cache_write
            + usage.output_tokens * prices.output
        ) / _MILLION
        return usd * factor * (self.batch_factor if in_batch else 1.0)


def load_prices(path: Path | None = None) -> PriceTable:
    """A table of prices, the one that ships when no path is given; ConfigurationError if wrong."""
    return read_settings_file(path or _SHIPPED, PriceTable, what="prices")
