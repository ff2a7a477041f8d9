"""The cases that texts are looked at with are as real ones could be."""

import pytest

from features.evidence import find_evidence_faults
from features.vocabulary import Channel, Trigger
from serving.console.values import Values, make_case
from serving.copy.cleaning import MAX_NAME_CHARACTERS, clean_first_name
from serving.copy.content import Content
from serving.copy.library import default_library
from serving.copy.render import fill
from serving.copy.settings import CopySettings
from serving.copy.slots import Manner, write_slots

SETTINGS = CopySettings(brand="Teal", currency="KZT")
VARIANTS = [
    (variant.variant_id, language)
    for variant in default_library()
    for language in variant.cells
    if variant.style == "warm"
]


@pytest.mark.parametrize("values", list(Values))
@pytest.mark.parametrize("trigger", list(Trigger))
def test_make_case_gives_evidence_that_fits(trigger: Trigger, values: Values) -> None:
    for channel in Channel:
        for language, cell in default_library().variants(trigger, channel)[0].cells.items():
            manner = Manner(cell.language, currency="KZT")
            case = make_case(values, example=cell.example, cell=cell, manner=manner)
            name = case.first_name

            assert find_evidence_faults(trigger, case.evidence) == [], (channel, language)
            assert (name is None) == (values is Values.NONE)
            assert name is None or clean_first_name(name) == name


def test_make_case_longest_names_take_all_the_room_there_is() -> None:
    for trigger in Trigger:
        for cell in default_library().variants(trigger, Channel.SMS)[0].cells.values():
            manner = Manner(cell.language, currency="KZT")
            case = make_case(Values.LONGEST, example=cell.example, cell=cell, manner=manner)
            assert len(case.first_name or "") >= MAX_NAME_CHARACTERS - 1
            written = write_slots(cell.body_rules, evidence=case.evidence, manner=manner)
            for rule in cell.body_rules:
                if rule.room is not None:
                    assert rule.room - 3 <= len(written[rule.name]) <= rule.room, rule


@pytest.mark.parametrize("values", list(Values))
def test_shipped_texts_can_be_sent_with_every_case(values: Values) -> None:
    library = default_library()
    for name, language in VARIANTS:
        variant = library.variant(name)
        cell = variant.cells[language]
        manner = Manner(cell.language, currency="KZT")
        case = make_case(values, example=cell.example, cell=cell, manner=manner)

        content = fill(
            variant,
            language=language,
            evidence=case.evidence,
            first_name=case.first_name,
            settings=SETTINGS,
        )

        assert isinstance(content, Content), (name, language, content)


def test_make_case_longest_of_an_empty_example_is_empty() -> None:
    """A brief's example may say nothing; there is nothing to repeat then."""
    cell = default_library().variants(Trigger.PRICE_DROP, Channel.SMS)[0].cells["en"]
    manner = Manner(cell.language, currency="KZT")

    for nothing in ("", "  "):
        example = {**cell.example, "item": nothing}
        case = make_case(Values.LONGEST, example=example, cell=cell, manner=manner)
        assert case.evidence["item"] == ""
