"""The grounds of a stored variant's text: what its slots were filled with, and nothing else."""

from zoneinfo import ZoneInfo

from features.evidence import Evidence
from serving.copy.brief import Brand, Offer
from serving.copy.cleaning import clean_first_name
from serving.copy.guard.grounds import Grounds
from serving.copy.settings import CopySettings
from serving.copy.slots import Manner, write_slots
from serving.copy.variants import Variant

_ITEM = "item"


def ground_variant(
    variant: Variant,
    *,
    language: str,
    evidence: Evidence,
    first_name: str | None,
    settings: CopySettings,
    brand: Brand,
    timezone: str | None = None,
    offers: tuple[Offer, ...] = (),
) -> Grounds:
    """What the text may say that `render` makes of the same arguments.

    Args:
        variant: What was said, and how.
        language: Of one of its cells.
        evidence: Facts of the case that fit the trigger, all or none.
        first_name: The customer's.
        settings: The sender; its name is the brand's in the text.
        brand: Hosts of links, forbidden words; its name gives way to the sender's.
        timezone: The customer's (IANA); null for UTC.
        offers: Whose words the variant holds.
    """
    cell = variant.cells[language]
    zone = None if timezone is None else ZoneInfo(timezone)
    manner = Manner(cell.language, currency=settings.currency, zone=zone)
    title = write_slots(cell.title_rules, evidence=evidence, manner=manner)
    body = write_slots(cell.body_rules, evidence=evidence, manner=manner)
    is_service = variant.trigger.is_service
    return Grounds(
        channel=variant.channel,
        language=language,
        brand=brand.model_copy(update={"name": settings.brand}),
        is_service=is_service,
        trigger=variant.trigger,
        facts=tuple(dict.fromkeys([*title.values(), *body.values()])),
        offers=offers,
        named=(body[_ITEM],) if _ITEM in body and not is_service else (),
        first_name=clean_first_name(first_name),
        unsubscribe_url=None if is_service else settings.email_unsubscribe_url,
    )
