"""What is the same in all texts of one sender: data with defaults."""

from collections.abc import Mapping
from typing import Annotated

from babel.numbers import is_currency
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from serving.copy.cleaning import clean_value

MAX_BRAND_CHARACTERS = 30
MAX_URL_CHARACTERS = 160


def _is_visible(text: str) -> str:
    if clean_value(text) != text:
        raise ValueError(f"{text!r}: expected one line of visible text without links")
    return text


def _is_known_currency(code: str) -> str:
    if not is_currency(code):
        raise ValueError(f"{code!r}: expected an ISO 4217 code in capitals, such as USD")
    return code


Url = Annotated[str, Field(pattern=r"^https://[^\s<>\"'\\]+$", max_length=MAX_URL_CHARACTERS)]


class CopySettings(BaseModel):
    """The sender.

    Attributes:
        brand: Name in greetings and signatures.
        currency: ISO code of every amount in the evidence.
        cta_base_url: Where buttons lead; each trigger adds its own path.
        email_unsubscribe_url: Link at the end of marketing e-mails.
        language_fallbacks: Languages to try, in order, for a customer whose own has no texts.
            English comes last for everybody.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    brand: Annotated[
        str, Field(min_length=1, max_length=MAX_BRAND_CHARACTERS), AfterValidator(_is_visible)
    ] = "Opportune"
    currency: Annotated[str, AfterValidator(_is_known_currency)] = "USD"
    cta_base_url: Url = "https://example.com"
    email_unsubscribe_url: Url = "https://example.com/unsubscribe"
    language_fallbacks: Mapping[str, tuple[str, ...]] = {"kk": ("ru",)}
