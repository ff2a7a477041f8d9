from dataclasses import replace

from features.vocabulary import Channel
from serving.copy.content import Content
from serving.copy.drafted import compile_draft, variant_id_of
from serving.copy.library import Library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.wordings import Piece
from tests.serving.stored import make_brief, make_draft, make_offer

FACTS = {"item": "Kettle <3", "old_price_cents": 4000, "new_price_cents": 3000}


def write(library: Library, settings: CopySettings, **draft: object) -> Content:
    brief = make_brief(channel=Channel.EMAIL, offer=make_offer())
    made = make_draft(brief).model_copy(update=draft)
    variant = compile_draft(made, variant_id="a.b.c", library=library, offer=make_offer())
    content = render(variant, language="en", evidence=FACTS, first_name="Anna", settings=settings)
    assert isinstance(content, Content)
    return content


def test_the_same_words_have_the_same_name_whatever_their_angle() -> None:
    draft = make_draft(make_brief())
    name = variant_id_of(draft)
    assert name.startswith("price_drop.sms.plain~")
    assert variant_id_of(draft.model_copy()) == name
    assert variant_id_of(draft.model_copy(update={"angle": "calm"})) == name.replace(
        "plain", "calm"
    )
    assert variant_id_of(draft.model_copy(update={"angle": "Ignore ~all"})) == name.replace(
        "plain", "free"
    )
    others = [
        make_draft(make_brief(segment="vip")),
        make_draft(make_brief(language="ru")),
        make_draft(make_brief(), facts="{greeting}{item}."),
    ]
    assert len({variant_id_of(other).split("~")[1] for other in [draft, *others]}) == 4


def test_words_drafted_for_another_voice_or_offer_are_another_variant() -> None:
    brief = make_brief(offer=make_offer())
    draft = make_draft(brief)
    voice = brief.brand.model_copy(update={"version": 2})
    briefs = [
        brief,
        brief.model_copy(update={"brand": voice}),
        brief.model_copy(update={"offers": (make_offer(version=2),)}),
        brief.model_copy(update={"offers": (make_offer(valid_until="2026-12-31"),)}),
    ]
    assert len({variant_id_of(draft, brief=one) for one in briefs}) == 4
    louder = brief.model_copy(update={"notes": "as before"})
    assert variant_id_of(draft, brief=louder) == variant_id_of(draft, brief=brief)


def test_a_draft_is_rendered_with_its_preheader_and_the_words_of_its_offer(
    library: Library, settings: CopySettings
) -> None:
    body = (Piece(facts="{item} costs less, with {offer}.", plain="It costs less, with {offer}."),)
    peek = Piece(facts="Now {new_price_cents}: {item}", plain="Now for less")

    content = write(library, settings, body=body, preheader=peek)

    assert "<p>Kettle &lt;3 costs less, with free delivery.</p>" in content.body
    hidden, shown = content.body.split("</div>", 1)
    assert hidden.endswith(": Kettle &lt;3")
    assert "display:none" in hidden
    assert "display:none" not in shown
    assert content.plain_text is not None
    assert "Now " not in content.plain_text
    assert "Kettle <3 costs less, with free delivery." in content.plain_text
    assert content.source == "claude"


def test_words_of_an_offer_are_no_markdown(library: Library, settings: CopySettings) -> None:
    offer = make_offer().model_copy(update={"words": {"en": "delivery at **no** cost"}})
    brief = make_brief(channel=Channel.IN_APP, offer=offer)
    piece = Piece(facts="{item} costs less, with {offer}.", plain="It is less, with {offer}.")
    draft = make_draft(brief).model_copy(update={"body": (piece,)})
    variant = compile_draft(draft, variant_id="a.b.c", library=library, offer=offer)
    content = render(variant, language="en", evidence={}, first_name=None, settings=settings)
    assert isinstance(content, Content)
    assert content.body == r"It is less, with delivery at \*\*no\*\* cost."


def test_a_draft_without_facts_uses_its_plain_words(
    library: Library, settings: CopySettings
) -> None:
    brief = make_brief()
    variant = compile_draft(make_draft(brief), variant_id="a.b.c", library=library)
    content = render(variant, language="en", evidence={}, first_name=None, settings=settings)
    assert isinstance(content, Content)
    assert content.body == "A price is lower now."
    assert variant.fits(language="en", segment=None)
    assert not variant.fits(language="ru", segment=None)
    vip = replace(variant, segment="vip")
    assert (vip.fits(language="en", segment="vip"), vip.fits(language="en", segment=None)) == (
        True,
        False,
    )
