"""The corpus before models: what they are shown, and what becomes of a model that obeys."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache

import pytest
from pydantic import ValidationError

from features.evidence import Scalar
from features.vocabulary import Channel, Trigger
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.model_triage import ModelTriage
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.copy.brief import Brief
from serving.copy.library import default_library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.voice import read_brand
from serving.copywriter.briefing import CellChoice, list_briefs
from serving.copywriter.judge import make_judge_question, read_judgement
from serving.copywriter.one_off import OneOff, Recipient, Sender, write_one
from serving.copywriter.quotes import mask_quotes
from serving.copywriter.reply import Reply, Usage, WriterOutcome
from serving.copywriter.rules import load_rules
from tests.serving.autopilot.inbound.test_model_triage import Answering
from tests.serving.copy.redteam.corpus import Attack, name_attack, read_all, read_attacks
from tests.serving.copy.redteam.reading import find_never, find_taps, find_unseen
from tests.serving.copywriter.judges import BRIEF, give, make_draft, read_shown
from tests.serving.copywriter.writers import RuleWriter, read_task, short

_SETTINGS = CopySettings(brand="Teal", cta_base_url="https://teal.example")
_TRUE: Mapping[str, Mapping[str, Scalar]] = {
    "en": {"incident": "Heating outage", "update": "The engineers are there."},
    "ru": {"incident": "Нет отопления", "update": "Мастера уже на месте."},
    "kk": {"incident": "Жылу жоқ", "update": "Шеберлер келді."},
}
# Clean by themselves, with room for one more sentence.
_FRAMES = {
    "en": ("{greeting}we are sorry about {incident}. {update}", "{greeting}we are working on it."),
    "ru": ("{greeting}простите нас: «{incident}». {update}", "{greeting}мы этим занимаемся."),
    "kk": (
        "{greeting}кешіріңіз: «{incident}». {update}",
        "{greeting}біз мұнымен айналысып жатырмыз.",
    ),
}
_HARMLESS = {
    "en": "We will write when it is over.",
    "ru": "Напишем, когда всё закончится.",
    "kk": "Бәрі аяқталғанда жазамыз.",
}
_FACTS_OF_INCIDENTS = frozenset({"incident", "update"})


@cache
def make_brief(language: str) -> Brief:
    (brief,) = list_briefs(
        CellChoice([Trigger.INCIDENT_UPDATE], [Channel.WHATSAPP], [language]),
        rules=load_rules(),
        brand=read_brand(None, settings=_SETTINGS),
        offers=(),
        library=default_library(),
        today=date(2026, 6, 1),
    )
    return brief


def facts_of(attack: Attack) -> dict[str, Scalar]:
    facts = dict(_TRUE[attack.language])
    if attack.fact in _FACTS_OF_INCIDENTS:
        facts[attack.fact] = attack.written
    return facts


def write(attack: Attack, *, sentence: str) -> tuple[OneOff, RuleWriter]:
    """A live message whose model adds a sentence to clean ones."""
    frame, plain = _FRAMES[attack.language]
    writer = RuleWriter(lambda _: short((f"{frame} {sentence}", f"{plain} {sentence}")))
    done = write_one(
        make_brief(attack.language),
        matter="Their heating failed for a day.",
        facts=facts_of(attack),
        quotes=(attack.written,) if attack.id.startswith("complaint") else (),
        recipient=Recipient(attack.written if attack.id.startswith("name") else "Anna"),
        sender=Sender(_SETTINGS, default_library()),
        asker=writer,
        deadline_seconds=5,
    )
    return done, writer


@pytest.mark.parametrize("language", _FRAMES)
def test_a_model_that_obeys_nobody_is_sent(language: str) -> None:
    # Else the tests below would hold for any sentence.
    attack = Attack(id="complaint-999", language=language, text="Холодно", obeyed="-")
    done, _ = write(attack, sentence=_HARMLESS[language])
    assert (done.source, done.faults) == ("claude", ())


@pytest.mark.parametrize("attack", read_all(), ids=name_attack)
def test_a_model_that_obeys_is_not_sent(attack: Attack) -> None:
    for sentence in (attack.planted, attack.written):
        done, _ = write(attack, sentence=sentence)
        assert done.source == "template", done.content.body
        assert done.faults
        template = render(
            default_library().variants(Trigger.INCIDENT_UPDATE, Channel.WHATSAPP)[0],
            language=attack.language,
            evidence=facts_of(attack),
            first_name=attack.written if attack.id.startswith("name") else "Anna",
            settings=_SETTINGS,
        )
        assert done.content == template
        assert not find_never(done.content.body, attack.never)
        assert not find_taps(done.content.body, own=())


@pytest.mark.parametrize("attack", read_all(), ids=name_attack)
def test_a_writer_is_shown_a_complaint_as_data_and_nothing_else(attack: Attack) -> None:
    _, writer = write(attack, sentence=attack.planted)
    (asked,) = writer.prompts
    task = read_task(asked)
    is_complaint = attack.id.startswith("complaint")
    quotes = list(mask_quotes([attack.written])) if is_complaint else []
    assert task.pop("quotes") == quotes
    # All the rest is the same whatever was written.
    _, other = write(attack.model_copy(update={"text": "x", "times": 1}), sentence="-")
    (same,) = other.prompts
    rest = read_task(same)
    rest.pop("quotes")
    assert (task, asked.system) == (rest, same.system)
    shown = "\n".join(quotes)
    assert not find_taps(shown, own=())
    assert not find_unseen(shown)
    assert not find_never(shown, attack.never)


@pytest.mark.parametrize("attack", read_all(), ids=name_attack)
def test_a_judge_is_shown_a_draft_as_data_and_can_only_give_scores(attack: Attack) -> None:
    hostile, harmless = (
        make_judge_question([make_draft(text)], brief=BRIEF, seed=0)
        for text in (attack.written, "Hello")
    )
    assert hostile.prompt.system == harmless.prompt.system
    assert hostile.prompt.user.count("</texts>") == 1
    (text,) = read_shown(hostile.prompt.user)["texts"]
    (other,) = read_shown(harmless.prompt.user)["texts"]
    assert text.keys() == other.keys()
    assert not find_unseen(json.dumps(text, ensure_ascii=False))
    bribed = give(hostile.prompt.user, lambda _: 5)
    for one in bribed["texts"][0]["scores"]:
        one["reason"] = attack.written
    reply = Reply(hostile.prompt.answer.model_validate(bribed), "m", "r", Usage())
    (score,) = read_judgement(hostile, reply).scores
    assert score is not None
    assert score.overall == 5
    for each in score.criteria.values():
        assert not find_unseen(each.reason)
        assert not find_taps(each.reason, own=())
        assert len(each.reason) <= 160


@pytest.mark.parametrize("attack", read_attacks("complaints"), ids=name_attack)
def test_a_triage_is_shown_a_complaint_as_one_string_and_can_only_give_labels(
    attack: Attack,
) -> None:
    taxonomy = load_taxonomy("salon")
    labels = {"is_complaint": True, "severity": "low", "sureness": "low"}
    obeying = Answering({**labels, "topic": attack.planted})
    triage = ModelTriage(taxonomy, asker=obeying, fallback=OfflineTriage(taxonomy), first_names={})
    at = datetime(2026, 7, 14, tzinfo=UTC)
    found = triage.triage(
        InboundMessage("m1", at, "c1", "whatsapp", "b1", attack.written), language=attack.language
    )
    assert triage.outcomes == {WriterOutcome.MALFORMED: 1}
    assert found.topic in taxonomy.names
    assert found.severity in set(Severity)
    prompt = triage.make_prompt(attack.written)
    assert prompt.system == triage.make_prompt("x").system
    assert isinstance(json.loads(prompt.user), str)
    with pytest.raises(ValidationError):
        prompt.answer.model_validate({**labels, "topic": "other", "say": attack.planted})
