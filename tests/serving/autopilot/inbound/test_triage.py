"""What messages are: topic, complaint or not, severity, language."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import ConfigurationError
from serving.autopilot.detection.baseline import Stream
from serving.autopilot.inbound.desk import InboundDesk, KnownCustomers
from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.mood import Severity, read_mood
from serving.autopilot.inbound.neighbours import LabelledText, Neighbours
from serving.autopilot.inbound.taxonomy import (
    OTHER,
    Taxonomy,
    load_taxonomy,
    read_taxonomy,
    shipped_taxonomies,
)
from serving.autopilot.inbound.triage import OfflineTriage
from serving.masking import mask_personal_data

SALON = OfflineTriage(load_taxonomy("salon"))
LABELLED = Path(__file__).parents[1] / "labelled"


class Labelled(NamedTuple):
    taxonomy: str
    language: str
    topic: str
    is_complaint: bool
    text: str


def read_labelled(name: str) -> list[Labelled]:
    lines = yaml.safe_load((LABELLED / f"{name}.yaml").read_text(encoding="utf-8"))
    return [Labelled(*line) for line in lines]


def message(text: str, *, customer: str | None = "c1", branch: str | None = "b1") -> InboundMessage:
    at = datetime(2026, 7, 14, 13, 0, tzinfo=UTC)
    return InboundMessage("m1", at, customer, "whatsapp", branch, text)


def triage_all(labelled: Sequence[Labelled]) -> list[Triaged]:
    by_name = {name: OfflineTriage(load_taxonomy(name)) for name in shipped_taxonomies()}
    return [by_name[one.taxonomy].triage(message(one.text), language=None) for one in labelled]


def share(found: Sequence[bool]) -> float:
    return sum(found) / len(found)


def test_labelled_messages_are_enough_and_of_known_topics() -> None:
    labelled = [one for name in ("tuned", "blind", "blind2") for one in read_labelled(name)]
    assert len(labelled) >= 150
    assert {one.language for one in labelled} == {"ru", "kk", "en"}
    assert all(one.topic in load_taxonomy(one.taxonomy).names for one in labelled)
    assert len({one.text for one in labelled}) == len(labelled)


def test_triage_of_tuned_messages() -> None:
    labelled = read_labelled("tuned")
    found = triage_all(labelled)
    pairs = list(zip(labelled, found, strict=True))
    assert share([one.topic == it.topic for one, it in pairs]) >= 0.97
    assert share([one.is_complaint == it.is_complaint for one, it in pairs]) >= 0.97
    assert share([one.language == it.language for one, it in pairs]) >= 0.97


@pytest.mark.parametrize(
    ("name", "right", "named_right", "n_named"),
    [("blind", 0.585, 0.695, 82), ("blind2", 0.784, 0.842, 76)],
)
def test_triage_of_blind_messages_is_as_good_as_the_docs_say(
    name: str, right: float, named_right: float, n_named: int
) -> None:
    labelled = read_labelled(name)
    pairs = list(zip(labelled, triage_all(labelled), strict=True))
    assert share([one.topic == it.topic for one, it in pairs]) == pytest.approx(right, abs=0.015)
    named = [one.topic == it.topic for one, it in pairs if it.topic != OTHER]
    assert share(named) == pytest.approx(named_right, abs=0.015)
    assert len(named) == n_named
    assert share([one.is_complaint == it.is_complaint for one, it in pairs]) >= 0.95
    assert share([one.language == it.language for one, it in pairs]) >= 0.96


def test_messages_in_latin_letters_are_read() -> None:
    latin = [one for one in read_labelled("blind2") if one.language != "en" and one.text.isascii()]
    found = [one.topic == it.topic for one, it in zip(latin, triage_all(latin), strict=True)]
    assert (sum(found), len(found)) == (20, 23)


@hypothesis_settings(max_examples=150)
@given(text=st.text(max_size=60) | st.from_regex(r"[a-zа-яә0-9 !?@.+-]{0,60}", fullmatch=True))
def test_whatever_is_written_has_a_topic(text: str) -> None:
    """One message that cannot be read would hold up all that come after it."""
    found = SALON.triage(message(text), language="ru")
    assert found.topic in load_taxonomy("salon").names
    assert 0.0 <= found.confidence <= 1.0
    assert isinstance(mask_personal_data(text, names=["Айгуль", text[:5]]), str)


def test_a_message_without_words_is_no_complaint() -> None:
    assert (
        not OfflineTriage(load_taxonomy("salon")).triage(message(" "), language="ru").is_complaint
    )


def test_what_a_person_has_said_of_the_same_words_counts_before_stems() -> None:
    text = "в зале жарко спорят у кассы"
    salon = load_taxonomy("salon")
    assert OfflineTriage(salon).triage(message(text), language=None).topic == "heat"
    triage = OfflineTriage(salon, labelled=[LabelledText(text, "queue")])
    again = triage.triage(message("В зале ЖАРКО спорят у кассы!"), language=None)
    assert (again.topic, again.by) == ("queue", TriagedBy.NEIGHBOURS)
    triage.learn([LabelledText(text, "no such topic")])
    assert triage.triage(message(text), language=None).topic == "heat"


def test_blind_complaints_about_heat_are_found_three_times_in_four() -> None:
    heat = [one for one in read_labelled("blind") if one.topic == "heat"]
    found = [it.topic == "heat" for it in triage_all(heat)]
    assert len(found) == 17
    assert share(found) == pytest.approx(13 / 17)


@pytest.mark.parametrize(
    "text",
    [
        "как в бане",
        "моншадай болып тур",
        "дышать нечем",
        "задыхаюсь тут",
        "ЖАААРКО",
        "like a sauna",
    ],
)
def test_triage_knows_indirect_heat(text: str) -> None:
    triaged = OfflineTriage(load_taxonomy("salon")).triage(message(text), language=None)
    assert (triaged.topic, triaged.is_complaint, triaged.by) == ("heat", True, TriagedBy.LEXICON)
    assert triaged.confidence == 1.0


@pytest.mark.parametrize(
    ("text", "is_complaint"),
    [
        ("не холодно, спасибо", False),
        ("спасибо, очень вежливый персонал", False),
        ("во сколько закрываетесь?", False),
        ("непонятная ситуация у входа", True),
    ],
)
def test_triage_tells_complaints_from_praise_and_questions(text: str, is_complaint: bool) -> None:
    triaged = OfflineTriage(load_taxonomy("salon")).triage(message(text), language=None)
    assert triaged.is_complaint is is_complaint
    assert triaged.by is not TriagedBy.LEXICON


def test_triage_takes_the_stored_language() -> None:
    triage = OfflineTriage(load_taxonomy("salon"))
    assert triage.triage(message("очень жарко"), language="kk").language == "kk"
    assert triage.triage(message("очень жарко"), language=None).language == "ru"
    assert triage.triage(message("👎"), language=None).language is None


def test_triage_learns_from_confirmed_examples() -> None:
    salon = load_taxonomy("salon")
    text = message("воздух стоит колом у окна")
    assert OfflineTriage(salon).triage(text, language=None).topic == OTHER
    labelled = [LabelledText("воздух стоит колом", "heat")]
    learned = OfflineTriage(salon, labelled=labelled).triage(text, language=None)
    assert (learned.topic, learned.by) == ("heat", TriagedBy.NEIGHBOURS)


def test_a_hint_names_a_topic_where_no_stem_does_and_makes_no_question_a_complaint() -> None:
    told = SALON.triage(message("абонемент какой-то мутный"), language=None)
    asked = SALON.triage(message("сколько стоит абонемент?"), language=None)
    heard = SALON.triage(message("абонемент продают, а в зале жарко"), language=None)
    assert (told.topic, told.by, told.is_complaint) == ("billing", TriagedBy.HINTS, True)
    assert (asked.topic, asked.by, asked.is_complaint) == ("billing", TriagedBy.HINTS, False)
    assert (heard.topic, heard.by) == ("heat", TriagedBy.LEXICON)  # what is wrong counts first


def test_neighbours_of_unlike_words_are_none() -> None:
    assert Neighbours(load_taxonomy("salon")).read("зюзя мымра") == {}


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("жарко", Severity.LOW),
        ("опять жарко, сколько можно", Severity.MEDIUM),
        ("УЖАСНО ЖАРКО!!! КОШМАР", Severity.HIGH),
        ("девушка упала в обморок", Severity.HIGH),
        ("есінен танып қалды", Severity.HIGH),
        ("a kid fainted in the sauna", Severity.HIGH),
    ],
)
def test_severity_follows_words(text: str, severity: Severity) -> None:
    assert read_mood(text).severity is severity


def test_praise_turned_around_is_none() -> None:
    assert not read_mood("совсем не понравилось").is_praise
    assert read_mood("совсем не понравилось").is_negative
    assert read_mood("таза емес").is_negative


def test_desk_counts_known_customers_and_named_branches() -> None:
    customers = KnownCustomers({"c1": "kk"}, {})
    desk = InboundDesk(OfflineTriage(load_taxonomy("salon")), customers=customers)
    known = desk.read(message("очень жарко"))
    assert known.sighting is not None
    assert known.sighting.stream == Stream("b1", "heat")
    assert known.sighting.customer_id == "c1"
    assert known.triaged.language == "kk"
    stranger = desk.read(message("очень жарко", customer="c9"))
    assert stranger.sighting is not None
    assert stranger.sighting.customer_id is None
    assert desk.read(message("очень жарко", branch=None)).sighting is None
    assert desk.read(message("спасибо, отлично")).sighting is None


def test_taxonomies_that_ship_have_examples_that_find_their_topic() -> None:
    for name in shipped_taxonomies():
        taxonomy = load_taxonomy(name)
        triage = OfflineTriage(taxonomy)
        found = [
            triage.triage(message(text), language=None).topic == topic.name
            for topic in taxonomy.topics
            for texts in topic.examples.values()
            for text in texts
        ]
        assert share(found) >= 0.9


def test_taxonomy_names_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    topic = {"name": "heat", "title": {"ru": "жара"}, "stems": {"ru": ["жарк"]}, "examples": {}}
    given = {
        "business": "x", "version": 1, "languages": ["ru"],
        "topics": [topic, topic, {**topic, "name": "other"}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_taxonomy(path)
    for words in (str(path), "heat is there 2 times", "other is always there", "examples: has []"):
        assert words in str(error.value)


@pytest.mark.parametrize("text", ["- [", "business: 3"])
def test_taxonomy_refuses_what_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml"):
        read_taxonomy(tmp_path / "mine.yaml")


def test_topics_are_named_in_english_where_they_are() -> None:
    topic = {"name": "heat", "stems": {"ru": ["жарк"]}, "examples": {"ru": []}}
    given = {"business": "x", "version": 1, "languages": ["ru"]}
    russian = Taxonomy.model_validate({**given, "topics": [{**topic, "title": {"ru": "жара"}}]})
    titles = [one.title_of("heat") for one in (russian, load_taxonomy("salon"))]
    assert titles == ["жара", "heat"]
    assert russian.title_of(OTHER) == OTHER


def test_taxonomy_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'spa': expected one of delivery, salon"):
        load_taxonomy("spa")


def test_taxonomy_knows_what_may_explain_a_topic() -> None:
    delivery: Taxonomy = load_taxonomy("delivery")
    assert [trigger.value for trigger in delivery.explained_by("late")] == ["delivery_delay"]
    assert delivery.explained_by(OTHER) == ()
