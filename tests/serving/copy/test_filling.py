from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.evidence import FACTS, Evidence, FactKind
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content
from serving.copy.filling import Filler
from serving.copy.frames import Filled
from serving.copy.library import Variant, default_library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.template import compile_template
from serving.copy.variants import Line

LIBRARY = default_library()
SETTINGS = CopySettings(brand="Tea & <Co>", currency="KZT")
FILLER = Filler(SETTINGS)
VARIANTS = [v for t in Trigger for c in Channel for v in LIBRARY.variants(t, c)]

TEXTS = st.one_of(
    st.sampled_from(
        [
            "Kettle", "Чайник «Заря» & Co <b>", "5* [hotel](x) ~ ^ {}", "It’s — a\u00a0“test” …",
            "http://evil.example/x", "{brand} {greeting}", "\ufdd0\ufdd1", "w" * 300, "Ш" * 60,
        ]
    ),
    st.text(max_size=80),
)  # fmt: skip
VALUES: dict[FactKind, st.SearchStrategy[str | int | float]] = {
    FactKind.TEXT: TEXTS.filter(lambda text: bool(text.strip())),
    FactKind.COUNT: st.integers(0, 10**7),
    FactKind.CENTS: st.integers(0, 10**9),
    FactKind.PERCENT: st.one_of(st.integers(0, 100), st.floats(0, 100)),
    FactKind.DATE: st.dates().map(lambda day: day.isoformat()),
    FactKind.MOMENT: st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
}


@st.composite
def evidences(draw: st.DrawFn, trigger: Trigger) -> Evidence:
    """Facts that fit the trigger, or none."""
    if draw(st.booleans()):
        return {}
    return {
        fact.name: draw(VALUES[fact.kind])
        for fact in FACTS[trigger]
        if not fact.optional or draw(st.booleans())
    }


def render_one(
    variant: Variant, *, language: str, evidence: Evidence, first_name: str | None, timezone: str
) -> Content:
    """The words that rendering gives, or those without facts where these cannot be shown."""
    for facts in (evidence, {}):
        found = render(
            variant,
            language=language,
            evidence=facts,
            first_name=first_name,
            timezone=timezone,
            settings=SETTINGS,
        )
        if isinstance(found, Content):
            return found
    raise AssertionError(found)


@given(data=st.data())
def test_filling_gives_the_very_words_of_rendering(data: st.DataObject) -> None:
    variant = data.draw(st.sampled_from(VARIANTS))
    case = {
        "language": data.draw(st.sampled_from(["en", "ru", "kk", "kk-KZ", "fr"])),
        "evidence": data.draw(evidences(variant.trigger)),
        "first_name": data.draw(st.one_of(st.none(), st.sampled_from(["Әсел", "O'Hara"]), TEXTS)),
        "timezone": data.draw(st.sampled_from(["UTC", "Asia/Almaty", "America/New_York"])),
    }
    assert FILLER.fill(variant, **case).to_content() == render_one(variant, **case)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.variant_id)
def test_filling_an_example_gives_the_words_of_rendering(variant: Variant) -> None:
    for language, cell in variant.cells.items():
        for evidence in (cell.example, {}):
            for first_name in ("Dana", None, "w" * 20):
                case = {
                    "language": language,
                    "evidence": evidence,
                    "first_name": first_name,
                    "timezone": "Asia/Almaty",
                }
                assert FILLER.fill(variant, **case).to_content() == render_one(variant, **case)


def test_filling_without_facts_gives_one_object_for_all_of_one_name() -> None:
    variant = LIBRARY.variants(Trigger.INACTIVITY, Channel.PUSH)[0]

    def fill(name: str | None) -> Filled:
        return FILLER.fill(variant, language="en", evidence={}, first_name=name, timezone="UTC")

    assert fill("Dana") is fill("  dana ")
    assert fill("Dana") is not fill("Aida")
    assert fill("Win $100 at evil.com") is fill(None)


def test_filling_leaves_marks_alone_that_stand_in_the_words_themselves() -> None:
    """They are no characters, and still somebody may have written them."""
    (variant, *_) = LIBRARY.variants(Trigger.BROWSE_ABANDONMENT, Channel.PUSH)
    template = compile_template("\ufdd0 waits \ufdd1 {item}")
    line = Line(facts=template, plain=template)
    odd = replace(
        variant,
        cells={"en": replace(variant.cells["en"], title=None, title_rules=(), body=(line,))},
    )
    filled = Filler(SETTINGS).fill(
        odd, language="en", evidence={"item": "Kettle"}, first_name="Dana", timezone="UTC"
    )
    assert filled.to_content().body == "\ufdd0 waits \ufdd1 Kettle"
