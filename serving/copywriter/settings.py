"""Which models are asked, how long they may take and what they may cost: data with defaults."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from serving.copywriter.reply import Role


def _is_address(url: str) -> str:
    """An address that a client can be made of; a wrong one would be seen at the first question."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or any(letter.isspace() for letter in url):
        raise ValueError("expected http(s)://host, with :port and /path where there are any")
    return url


def _is_secret_address(url: SecretStr) -> SecretStr:
    _is_address(url.get_secret_value())
    return url


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    return path


Url = Annotated[str, AfterValidator(_is_address)]
SecretUrl = Annotated[SecretStr, AfterValidator(_is_secret_address)]
Model = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]  # no thread can wait for ever


class ClaudeSettings(BaseModel):
    """How the Messages API is used.

    Attributes:
        api_key: Without one nothing is asked, and templates speak.
        base_url: Where the API is.
        proxy: URL of a proxy to go through; the environment's own variables are not read.
        ca_file: Certificates to trust instead of those of the machine's library.
        writer_model: Writes variants.
        judge_model: Scores them.
        triage_model: Sorts short texts.
        effort: How much the model thinks; `default` leaves it to the model.
        thinking: `adaptive` is the models' default; not every model can do without (`disabled`).
        prices: File of prices; the one that ships when not given.
        max_usd: What one run may spend.
        max_attempts: Requests for one question, the first included, while the API fails.
        re_asks: How often a question is put again when the answer has the wrong shape.
        first_wait_seconds: Back-off before the second attempt; doubles with each. None is made
            that would have less time than this.
        max_wait_seconds: Longest wait between two attempts, whatever `retry-after` says.
        deadline_seconds: For one question, where the caller has no deadline of its own.
        batch_deadline_seconds: For a batch.
        first_poll_seconds: Wait before a batch is first looked at; doubles with each look.
        max_poll_seconds: Longest wait between two looks.
        cancel_grace_seconds: How long before its deadline a batch that has not ended is canceled,
            so that what was written can still be collected.
        breaker_failures: Requests that fail one after the other until no more are made.
        breaker_window: Or, of as many requests in the end,
        breaker_share: this share failed.
        breaker_rest_seconds: How long none is made then; afterwards one tries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr | None = None
    base_url: Url = "https://api.anthropic.com"
    proxy: SecretUrl | None = None
    ca_file: Annotated[Path, AfterValidator(_is_file)] | None = None
    writer_model: Model = "claude-sonnet-5-5"
    judge_model: Model = "claude-sonnet-5-5"
    triage_model: Model = "claude-haiku-5-5"
    effort: Literal["default", "low", "medium", "high", "xhigh", "max"] = "low"
    thinking: Literal["adaptive", "disabled"] = "adaptive"
    prices: Path | None = None
    max_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 20.0
    max_attempts: Annotated[int, Field(ge=1, le=20)] = 4
    re_asks: Annotated[int, Field(ge=0, le=3)] = 1
    first_wait_seconds: Seconds = 0.5
    max_wait_seconds: Seconds = 20.0
    deadline_seconds: Seconds = 60.0
    batch_deadline_seconds: Seconds = 4 * 3_600.0
    first_poll_seconds: Seconds = 5.0
    max_poll_seconds: Seconds = 60.0
    cancel_grace_seconds: Seconds = 120.0
    breaker_failures: Annotated[int, Field(ge=1)] = 8
    breaker_window: Annotated[int, Field(ge=2)] = 40
    breaker_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    breaker_rest_seconds: Seconds = 60.0

    @model_validator(mode="after")
    def _has_a_key_that_can_be_sent(self) -> Self:
        """A key with a line break or a letter beyond ASCII fails far from here, and in full."""
        key = "" if self.api_key is None else self.api_key.get_secret_value()
        if not key.isascii() or not key.isprintable() or key != key.strip():
            raise ValueError("api_key: expected visible ASCII characters, no space around them")
        return self

    @property
    def has_key(self) -> bool:
        """Whether anything can be asked; an empty key is none."""
        return self.api_key is not None and self.api_key.get_secret_value() != ""

    def model_of(self, role: Role) -> str:
        """Who answers what."""
        return {
            Role.WRITER: self.writer_model,
            Role.JUDGE: self.judge_model,
            Role.TRIAGE: self.triage_model,
        }[role]
