"""Hostile facts and names, written into every shipped text that can take them."""

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from features.evidence import Evidence
from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand
from serving.copy.content import Content
from serving.copy.guard.check import check_text
from serving.copy.guard.markup import read_markdown
from serving.copy.guard.rendered import ground_variant
from serving.copy.library import default_library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.variants import Variant
from tests.serving.copy.redteam.corpus import TRIGGERS, Attack, name_attack, read_all, read_attacks
from tests.serving.copy.redteam.reading import find_never, find_taps, find_unseen, read_page, see

_OUT = "https://teal.example/out?list=1&x=2"
_SETTINGS = CopySettings(
    brand="Teal",
    currency="KZT",
    cta_base_url="https://teal.example",
    email_unsubscribe_url=_OUT,
)
_BRAND = Brand(name="Teal", allowed_hosts=("teal.example",))
_LANGUAGES = ("en", "ru", "kk")


def write(variant: Variant, language: str, evidence: Evidence, name: str | None) -> Content:
    content = render(
        variant, language=language, evidence=evidence, first_name=name, settings=_SETTINGS
    )
    assert isinstance(content, Content), content
    return content


def list_texts(attack: Attack) -> Iterator[tuple[Variant, str, Evidence, str | None]]:
    """Every shipped text that can take it, filled with it."""
    library = default_library()
    triggers = (
        TRIGGERS[attack.fact] if attack.fact else (Trigger.INACTIVITY, Trigger.INCIDENT_UPDATE)
    )
    for trigger in triggers:
        for channel in Channel:
            for variant in library.variants(trigger, channel):
                for language in _LANGUAGES:
                    example = variant.cells[language].example
                    if attack.fact is None:
                        yield variant, language, example, attack.written
                    else:
                        yield variant, language, {**example, attack.fact: attack.written}, "Anna"


def find_holes(
    attack: Attack, variant: Variant, language: str, evidence: Evidence, name: str | None
) -> list[str]:
    """What of an attack got through into one text."""
    content = write(variant, language, evidence, name)
    text = see(content, variant.channel)
    own = (_OUT, *([content.cta_url] if content.cta_url else []))
    holes = [f"reads {one!r}" for one in find_never(text, attack.never)]
    holes += [f"can tap {one!r}" for one in find_taps(text, own=own)]
    holes += [f"holds {one}" for one in find_unseen(text)]
    if "\n" in (content.subject or ""):
        holes.append("a subject of two lines")
    if variant.channel is Channel.IN_APP:
        _, links, faults = read_markdown(content.body)
        holes += [*links, *map(str, faults)]
    if variant.channel is Channel.EMAIL:
        harmless = write(variant, language, variant.cells[language].example, "Anna")
        if read_page(content.body).tags != read_page(harmless.body).tags:
            holes.append("other tags than without it")
    grounds = ground_variant(
        variant,
        language=language,
        evidence=evidence,
        first_name=name,
        settings=_SETTINGS,
        brand=_BRAND,
    )
    return [*holes, *map(str, check_text(content, grounds=grounds))]


def test_the_corpus_is_as_big_as_it_has_to_be() -> None:
    attacks = read_all()
    assert len({attack.id for attack in attacks}) == len(attacks) >= 90
    for language in _LANGUAGES:
        assert sum(attack.language == language for attack in attacks) >= 15
    assert {attack.fact for attack in read_attacks("facts")} == set(TRIGGERS)


@pytest.mark.parametrize("attack", read_attacks("facts"), ids=name_attack)
def test_no_fact_gets_more_into_a_text_than_its_words(attack: Attack) -> None:
    n = 0
    for variant, language, evidence, name in list_texts(attack):
        n += 1
        holes = find_holes(attack, variant, language, evidence, name)
        assert not holes, (variant.variant_id, language, holes)
    assert n >= 5 * 2 * 3


@pytest.mark.parametrize("attack", read_attacks("names"), ids=name_attack)
def test_no_name_gets_more_into_a_text_than_a_name(attack: Attack) -> None:
    for variant, language, evidence, name in list_texts(attack):
        holes = find_holes(attack, variant, language, evidence, name)
        assert not holes, (variant.variant_id, language, holes)
        # None of them looks like a name, so nobody is greeted.
        nameless = write(variant, language, evidence, None)
        assert write(variant, language, evidence, name) == nameless


@pytest.mark.parametrize(
    "attack", [*read_attacks("facts"), *read_attacks("names")], ids=name_attack
)
def test_no_subject_adds_a_header(attack: Attack) -> None:
    for variant, language, evidence, name in list_texts(attack):
        if variant.channel is not Channel.EMAIL:
            continue
        content = write(variant, language, evidence, name)
        letter = EmailMessage(policy=SMTP)
        letter["Subject"] = content.subject
        letter.set_content(content.plain_text)
        letter.add_alternative(content.body, subtype="html")
        sent = message_from_bytes(letter.as_bytes(), policy=SMTP)
        assert sorted(sent.keys()) == ["Content-Type", "MIME-Version", "Subject"]
        # The standard library may lose a space where it folds a line.
        assert "".join(sent["Subject"].split()) == "".join((content.subject or "").split())
