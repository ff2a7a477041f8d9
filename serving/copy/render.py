"""Rendering: a variant and the facts of a case become the words of one message."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.evidence import Evidence, find_evidence_faults
from features.vocabulary import Channel
from serving.copy.cleaning import clean_first_name, escape_markdown
from serving.copy.compose import Filling, compose
from serving.copy.content import Content, Unrenderable
from serving.copy.languages import choose_language
from serving.copy.settings import CopySettings
from serving.copy.slots import BRAND, Manner, write_slots
from serving.copy.variants import Variant

__all__ = ["CopySettings", "fill", "render"]


def render(
    variant: Variant,
    *,
    language: str,
    evidence: Evidence,
    first_name: str | None,
    settings: CopySettings,
    timezone: str | None = None,
) -> Content | Unrenderable:
    """The words of one message; empty evidence gives the wording that needs no facts.

    Args:
        variant: What to say and how.
        language: The customer's; see `CopySettings.language_fallbacks`.
        evidence: Facts of the case, all or none.
        first_name: The customer's; ignored unless it looks like a name.
        settings: The sender.
        timezone: The customer's (IANA); without it moments are written in UTC and say so.

    Returns:
        The content within the channel's limits, or why there is none: evidence that does not
        fit the trigger or that no calendar holds, an unknown zone, or a text over its limit.
    """
    if faults := find_evidence_faults(variant.trigger, evidence):
        return Unrenderable(f"{variant.variant_id}: evidence: {'; '.join(faults)}")
    return fill(
        variant,
        language=language,
        evidence=evidence,
        first_name=first_name,
        settings=settings,
        timezone=timezone,
    )


def fill(
    variant: Variant,
    *,
    language: str,
    evidence: Evidence,
    first_name: str | None,
    settings: CopySettings,
    timezone: str | None = None,
) -> Content | Unrenderable:
    """`render` for evidence that is known to fit the trigger, as that of a checked request is."""
    cell = variant.cells.get(language)
    if cell is None:
        fallbacks = settings.language_fallbacks
        code = choose_language(language, available=variant.cells, fallbacks=fallbacks)
        if code not in variant.cells:
            return Unrenderable(f"{variant.variant_id}: has no text in {language!r}")
        cell = variant.cells[code]
    try:
        zone = None if timezone is None else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, OSError, ValueError):  # absent, a folder, no file name at all
        return Unrenderable(f"{variant.variant_id}: {timezone!r} is no IANA time zone")
    manner = Manner(cell.language, currency=settings.currency, zone=zone)
    try:
        title = write_slots(cell.title_rules, evidence=evidence, manner=manner)
        body = write_slots(cell.body_rules, evidence=evidence, manner=manner)
    except (ValueError, ArithmeticError) as error:
        return Unrenderable(f"{variant.variant_id}: evidence: {error!r}")
    is_markdown = variant.channel is Channel.IN_APP
    filling = Filling(
        title={**title, BRAND: settings.brand},
        body={**body, BRAND: escape_markdown(settings.brand) if is_markdown else settings.brand},
        first_name=clean_first_name(first_name),
        settings=settings,
    )
    return compose(variant, cell, filling=filling)
