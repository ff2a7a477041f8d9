"""Every text that ships, through the checks: as a draft with slots, and as customers read it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from features.evidence import Evidence
from features.vocabulary import Channel, Trigger
from serving.benchmarks.labelled_copy import list_slots
from serving.copy.brief import Brand, Brief
from serving.copy.content import Content
from serving.copy.draft import Draft
from serving.copy.guard.check import check_draft, check_text
from serving.copy.guard.faults import FaultCode
from serving.copy.guard.rendered import ground_variant
from serving.copy.library import Library, default_library
from serving.copy.render import CopySettings, render
from serving.copy.variants import Variant
from serving.copy.wordings import Piece, TriggerTexts

_TEXTS = Path(__file__).parents[4] / "serving" / "copy" / "texts"
_NAMES = {"en": "Anna", "ru": "Анна", "kk": "Әсел"}
_SETTINGS = CopySettings(
    brand="Teal",
    currency="KZT",
    cta_base_url="https://teal.example",
    email_unsubscribe_url="https://teal.example/out?list=1&x=2",
)


def list_shipped(trigger: Trigger) -> list[Draft]:
    texts = TypeAdapter(TriggerTexts).validate_python(
        yaml.safe_load((_TEXTS / f"{trigger}.yaml").read_text(encoding="utf-8"))
    )
    return [
        Draft(
            trigger=trigger,
            channel=channel,
            language=code,
            title=wording.title_on(channel),
            body=wording.body_on(channel),
            cta="" if channel is Channel.SMS else one.cta,
        )
        for code, one in texts.languages.items()
        for wording in one.styles.values()
        for channel in Channel
    ]


def brief_for(draft: Draft, *, brand: Brand, library: Library) -> Brief:
    slots = list_slots(draft.trigger, draft.channel, language=draft.language, library=library)
    return Brief(
        trigger=draft.trigger,
        channel=draft.channel,
        language=draft.language,
        brand=brand,
        slots=slots,
    )


def write(variant: Variant, language: str, evidence: Evidence, name: str | None) -> Content:
    content = render(
        variant,
        language=language,
        evidence=evidence,
        first_name=name,
        settings=_SETTINGS,
        timezone="Asia/Almaty",
    )
    assert isinstance(content, Content), content
    return content


def find_faults(
    variant: Variant, language: str, evidence: Evidence, *, name: str | None, brand: Brand
) -> list[str]:
    grounds = ground_variant(
        variant,
        language=language,
        evidence=evidence,
        first_name=name,
        settings=_SETTINGS,
        brand=brand,
        timezone="Asia/Almaty",
    )
    content = write(variant, language, evidence, name)
    return [str(fault) for fault in check_text(content, grounds=grounds)]


@pytest.mark.parametrize("trigger", list(Trigger))
def test_no_shipped_draft_is_refused(trigger: Trigger, brand: Brand) -> None:
    library = default_library()
    drafts = list_shipped(trigger)
    assert len(drafts) >= 30
    for draft in drafts:
        faults = check_draft(draft, brief=brief_for(draft, brand=brand, library=library))
        assert not faults, (draft.channel, draft.language, [str(fault) for fault in faults])


def test_no_shipped_text_is_refused_with_its_example_or_without_facts(brand: Brand) -> None:
    n = 0
    for variant in default_library():
        for language, cell in variant.cells.items():
            for evidence in (cell.example, {}):
                n += 1
                name = _NAMES[language]
                faults = find_faults(variant, language, evidence, name=name, brand=brand)
                assert not faults, (variant.variant_id, language, faults)
    assert n == 12 * 5 * 2 * 3 * 2


@settings(max_examples=40)
@given(
    item=st.text(alphabet="ABCxyzАБвәқ0123456789 %-!«»$&<*.", min_size=3, max_size=40).filter(
        lambda text: sum(map(str.isalpha, text)) >= 2
    ),
    old=st.integers(100, 90_000_000),
    new=st.integers(100, 90_000_000),
    language=st.sampled_from(["en", "ru", "kk"]),
    channel=st.sampled_from(list(Channel)),
)
def test_whatever_an_item_is_called_its_text_passes(
    item: str, old: int, new: int, language: str, channel: Channel, brand: Brand
) -> None:
    variant = default_library().variants(Trigger.PRICE_DROP, channel)[0]
    evidence = {"item": item, "old_price_cents": old, "new_price_cents": new}
    assert not find_faults(variant, language, evidence, name=None, brand=brand)


@settings(max_examples=40)
@given(
    figure=st.sampled_from(["7", "7%", "7 ₸", "$7", "07.12", "18:00", "²", "٧", "V8", "7-го"]),
    at=st.integers(0, 200),
    language=st.sampled_from(["en", "ru", "kk"]),
    channel=st.sampled_from(list(Channel)),
)
def test_a_figure_anywhere_in_a_draft_is_refused(
    figure: str, at: int, language: str, channel: Channel, brand: Brand
) -> None:
    library = default_library()
    draft = next(
        one
        for one in list_shipped(Trigger.CHURN_RISK)
        if (one.language, one.channel) == (language, channel)
    )
    words = draft.body[0].plain.split()
    place = min(at, len(words))
    text = " ".join([*words[:place], figure, *words[place:]])
    planted = draft.model_copy(update={"body": (Piece(facts=text, plain=text), *draft.body[1:])})
    codes = {
        fault.code
        for fault in check_draft(planted, brief=brief_for(draft, brand=brand, library=library))
    }
    assert codes & {
        FaultCode.NUMBER,
        FaultCode.PERCENT,
        FaultCode.MONEY,
        FaultCode.DATE,
        FaultCode.CONTACT,
    }
