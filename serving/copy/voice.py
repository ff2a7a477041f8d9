"""Whose voice it is, and what may be promised: files of the company's own."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from features.errors import ConfigurationError
from serving.copy.brief import Brand, Offer
from serving.copy.settings import CopySettings
from serving.policy.settings import read_settings_file

_VOICE = (
    "Friendly and personal, as one person writes to another. Plain words, short sentences. "
    "Honest about what went wrong, and never pushy."
)


def _holds_a_word(phrase: str) -> str:
    if not any(map(str.isalnum, phrase)):
        raise ValueError(f"{phrase!r}: expected words; signs alone are not looked for")
    return phrase


ForbiddenPhrase = Annotated[str, AfterValidator(_holds_a_word)]


class VoiceFile(BaseModel):
    """How a brand speaks; see `Brand`. Its name and the hosts of its links are settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str = _VOICE
    version: Annotated[int, Field(ge=1)] = 1
    forbidden: tuple[ForbiddenPhrase, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    emoji: bool = False
    examples: tuple[str, ...] = ()


class OffersFile(BaseModel):
    """What may be promised, each approved by somebody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offers: tuple[Offer, ...]


def read_brand(path: Path | None, *, settings: CopySettings) -> Brand:
    """The brand of a voice file, or one that speaks plainly where there is none.

    Args:
        path: YAML of `VoiceFile`.
        settings: The sender: the name, and the hosts that links always may lead to.

    Raises:
        ConfigurationError: The file cannot be read, or says something else.
    """
    told = VoiceFile() if path is None else read_settings_file(path, VoiceFile, what="voice")
    own = [
        urlsplit(url).hostname for url in (settings.cta_base_url, settings.email_unsubscribe_url)
    ]
    hosts = dict.fromkeys([*(host for host in own if host), *told.allowed_hosts])
    return Brand(
        name=settings.brand,
        voice=told.voice,
        version=told.version,
        forbidden=told.forbidden,
        allowed_hosts=tuple(hosts),
        emoji=told.emoji,
        examples=told.examples,
    )


def read_offers(path: Path | None) -> tuple[Offer, ...]:
    """The offers of a file; none where there is no file.

    Raises:
        ConfigurationError: The file cannot be read, says something else, or names an offer twice.
    """
    if path is None:
        return ()
    offers = read_settings_file(path, OffersFile, what="offers").offers
    names = [offer.offer_id for offer in offers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"offers {path}: {', '.join(twice)} twice, expected once")
    return offers
