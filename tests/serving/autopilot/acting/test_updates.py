"""What customers are told: every topic, stage and language, as it is really sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from features.errors import BadInputError, ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.autopilot.acting.house_words import load_house_words
from serving.autopilot.acting.updates import (
    LANGUAGES,
    MOST_TITLE,
    MOST_UPDATE,
    Credit,
    Stage,
    Updates,
    load_updates,
    write_update,
)
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.copy.brief import Brand
from serving.copy.content import Content
from serving.copy.guard.faults import FaultCode
from serving.copy.guard.final import find_final_faults
from serving.copy.guard.grounds import Grounds
from serving.copy.guard.lexicon import default_lexicons
from serving.copy.library import default_library
from serving.copy.render import render
from serving.copy.settings import CopySettings

BUSINESSES = ("salon", "delivery")
CREDIT = Credit(cents=123_456_700, currency="KZT", code="BCDFGHJKL")
LIBRARY = default_library()


def list_words(updates: Updates) -> Iterator[tuple[str, Stage, str | None]]:
    """Topic, stage and cause of all there is to say."""
    for topic, words in updates.topics.items():
        yield from ((topic, stage, None) for stage in Stage if stage is not Stage.CAUSE)
        yield from ((topic, Stage.CAUSE, cause) for cause in words.causes)


@pytest.mark.parametrize("business", BUSINESSES)
def test_updates_have_words_for_every_topic_of_the_taxonomy(business: str) -> None:
    assert load_updates(business).topics.keys() == set(load_taxonomy(business).names)


@pytest.mark.parametrize("business", BUSINESSES)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_updates_are_shown_whole_in_every_text_and_pass_the_guard(
    business: str, language: str
) -> None:
    updates, settings = load_updates(business), CopySettings(currency="KZT")
    wrong = []
    lexicon = default_lexicons()[language]
    variants = [one for one in LIBRARY if one.trigger is Trigger.INCIDENT_UPDATE]
    assert {one.channel for one in variants} >= {Channel.SMS, Channel.PUSH, Channel.EMAIL}
    for topic, stage, cause in list_words(updates):
        evidence = write_update(
            updates,
            topic,
            stage=stage,
            language=LIBRARY.languages[language],
            cause=cause,
            credit=CREDIT if stage is Stage.CREDIT else None,
        )
        for variant in variants:
            filled = render(
                variant,
                language=language,
                evidence=evidence,
                first_name="Aigerim",
                timezone="Asia/Almaty",
                settings=settings,
            )
            assert isinstance(filled, Content), (topic, stage, variant.variant_id, filled)
            text = f"{filled.subject} {filled.plain_text or filled.body}".replace("\\", "")
            assert str(evidence["update"]) in text, (topic, stage, variant.variant_id, text)
            if stage is Stage.CREDIT:
                continue  # its amount and code are facts; what stands around them is checked below
            # Nothing counts as a fact: our words must bear what a model's must.
            grounds = Grounds(
                channel=variant.channel,
                language=language,
                brand=Brand(name="Opportune", allowed_hosts=("example.com",)),
                is_service=True,
                trigger=Trigger.INCIDENT_UPDATE,
                first_name="Aigerim",
            )
            may_say_why = stage is Stage.CAUSE  # which only a human's word lets out
            faults = [
                fault
                for fault in find_final_faults(filled, grounds=grounds, lexicon=lexicon)
                if not (may_say_why and fault.code is FaultCode.CAUSE)
            ]
            if faults:
                wrong.append((topic, stage, cause, variant.variant_id, text, faults))
    assert wrong == []


@pytest.mark.parametrize("business", BUSINESSES)
def test_no_topic_names_a_cause_until_one_is_confirmed(business: str) -> None:
    updates = load_updates(business)
    for topic, words in updates.topics.items():
        causes = {text for told in words.causes.values() for text in told.values()}
        for code in LANGUAGES:
            language = LIBRARY.languages[code]
            open_ = write_update(updates, topic, stage=Stage.CHECKING, language=language)
            assert open_["update"] == updates.stages[Stage.CHECKING][code]
            assert open_["update"] not in causes
            for cause in words.causes:
                told = write_update(
                    updates, topic, stage=Stage.CHECKING, language=language, cause=cause
                )
                assert told["update"] == words.causes[cause][code]
                assert told["incident"] == open_["incident"]


def test_write_update_refuses_a_cause_that_nobody_wrote_words_for() -> None:
    language = LIBRARY.languages["ru"]
    with pytest.raises(BadInputError, match="expected one of cooling, power"):
        write_update(
            load_updates("salon"), "heat", stage=Stage.CAUSE, language=language, cause="sabotage"
        )
    with pytest.raises(BadInputError, match="needs one"):
        write_update(load_updates("salon"), "heat", stage=Stage.CREDIT, language=language)


def test_write_update_writes_amount_and_code_within_the_room() -> None:
    for business in BUSINESSES:
        for code in LANGUAGES:
            facts = write_update(
                load_updates(business),
                "other",
                stage=Stage.CREDIT,
                language=LIBRARY.languages[code],
                credit=CREDIT,
            )
            assert "BCDFGHJKL" in str(facts["update"])
            assert "1 234 567" in str(facts["update"]).replace(",", " ")
            assert len(str(facts["update"])) <= MOST_UPDATE
            assert len(str(facts["incident"])) <= MOST_TITLE


def test_load_updates_names_every_fault_of_a_file(tmp_path: Path) -> None:
    given = {
        "business": "b",
        "version": 1,
        "approved_by": "Dana",
        "stages": {
            "checking": {"en": "We look", "ru": "Смотрим"},
            "over": {"en": "Over at 10", "ru": "Всё. Точно", "kk": "Болды"},
            "credit": {"en": "{amount}", "ru": "{amount} {code}", "kk": "{amount} {code}"},
        },
        "topics": {"heat": {"title": {"en": "x" * 33, "ru": "Жарко", "kk": "Ыстық"}}},
    }
    path = tmp_path / "words.yaml"
    path.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigurationError) as fault:
        load_updates(str(path))
    for expected in (
        "topics: other is missing",
        "stages.checking: has ['en', 'ru']",
        "stages.over.en: holds a figure",
        "stages.over.ru: holds more than one sentence",
        "stages.credit.en: names ['amount']",
        "topics.heat.title.en: 33 characters",
    ):
        assert expected in str(fault.value)


def test_house_words_say_how_often_in_every_language() -> None:
    assert load_house_words("ru").how_often.tell(0.25) == "примерно раз в 4 нед."
    assert load_house_words("kk").how_often.tell(2.0) == "аптасына 2.0 рет"
    assert load_house_words("en").how_often.tell(0.0) == "less than once in ten years"
