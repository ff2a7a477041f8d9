"""The red team's corpus as drafts on the review page: shown, and nothing in them can act."""

import pytest

from features.vocabulary import Channel, Trigger
from serving.copy.draft import Draft
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.stored import StoredVariant
from tests.serving.console.conftest import NOW, Console
from tests.serving.console.samples import piece, stored
from tests.serving.console.test_pages import find_active, text_of
from tests.serving.copy.redteam.corpus import Attack, read_all

_FAULT = Fault(FaultCode.MARKUP, "body.0.facts", "<b>", "plain text")


def as_variant(
    attack: Attack, channel: Channel, *, at: int, is_refused: bool = False
) -> StoredVariant:
    """A draft made of nothing else."""
    has_title = channel in (Channel.EMAIL, Channel.IN_APP)
    draft = Draft(
        trigger=Trigger.INACTIVITY,
        channel=channel,
        language=attack.language,
        title=piece(attack.written[:36].strip()) if has_title else None,
        preheader=piece(attack.written[:60].strip()) if channel is Channel.EMAIL else None,
        body=(piece(attack.written[:2_000]), piece(attack.obeyed))
        if channel is Channel.EMAIL
        else (piece(attack.written[:150].strip()),),
        cta="" if channel is Channel.SMS else attack.obeyed[:25],
        angle=attack.id,
    )
    return stored(draft, minutes=at, faults=[_FAULT] if is_refused else ())


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.IN_APP, Channel.EMAIL])
@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_no_attack_acts_on_the_review_page(
    console: Console, channel: Channel, language: str
) -> None:
    attacks = [attack for attack in read_all() if attack.language == language]
    variants = [
        as_variant(attack, channel, at=at, is_refused=at % 2 == 1)
        for at, attack in enumerate(attacks)
    ]
    console.shelf.add(variants, by="test")
    for variant, attack in zip(variants, attacks, strict=True):
        console.shelf.score(
            variant.variant_id, score=3.0, by="judge", at=NOW, note=attack.written[:160]
        )
    cell = f"/cells/inactivity/{channel}/{language}"

    page = console.read(cell)

    assert find_active(page) == []
    shown = text_of(page)
    for attack in attacks:
        assert attack.id in shown


def test_no_attack_acts_in_a_drawn_letter(console: Console) -> None:
    attacks = [
        attack for attack in read_all() if "<" in attack.written and "{" not in attack.written
    ]
    variants = [as_variant(attack, Channel.EMAIL, at=at) for at, attack in enumerate(attacks)]
    assert len(attacks) >= 8

    for attack, variant in zip(attacks, variants, strict=True):
        console.shelf.add([variant], by="test")
        cell = f"/cells/inactivity/email/{attack.language}"
        page = console.read(f"{cell}/letters/{variant.variant_id}")
        assert find_active(page) == []
        assert attack.written.split("<")[0].strip() in text_of(page)
