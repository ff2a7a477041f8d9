"""What a text says of facts that may be missing, and of what has not happened."""

import pytest

from features.evidence import Evidence, find_evidence_faults
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content
from serving.copy.library import default_library
from serving.copy.render import CopySettings, render

PREDICTED = {
    "order_id": "48213-07",
    "promised_on": "2026-11-23",
    "urgency": "predicted",
    "late_percent": 61,
    "expected_on": "2026-11-26",
}
MAY = {"en": ("may", "About", "Sorry about"), "ru": ("может",), "kk": ("мүмкін",)}


def read(trigger: Trigger, evidence: Evidence, *, language: str) -> list[str]:
    """All that customers would read, by variant."""
    texts = []
    for variant in default_library():
        if variant.trigger is not trigger:
            continue
        content = render(
            variant, language=language, evidence=evidence, first_name=None, settings=CopySettings()
        )
        assert isinstance(content, Content)
        subject = content.subject if variant.channel is Channel.EMAIL else ""
        texts.append(f"{subject} {content.plain_text or content.body}")
    return texts


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_an_expected_delay_is_not_told_as_a_fact(language: str) -> None:
    assert find_evidence_faults(Trigger.DELIVERY_DELAY, PREDICTED) == []
    texts = read(Trigger.DELIVERY_DELAY, PREDICTED, language=language)
    assert len(texts) == 10
    assert not any("26" in text for text in texts)  # no day is named that nobody has promised
    assert sum(any(word in text for word in MAY[language]) for text in texts) >= 8


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_a_login_at_an_odd_hour_is_not_told_as_a_new_place(language: str) -> None:
    evidence = {
        "login_at": "2026-11-23T03:05:00+05:00",
        "signs": "odd hour",
        "login_hour": 3,
        "usual_hour": 14,
        "n_logins": 45,
        "n_logins_near": 0,
    }
    assert find_evidence_faults(Trigger.ACCOUNT_ANOMALY, evidence) == []
    for text in read(Trigger.ACCOUNT_ANOMALY, evidence, language=language):
        for place in ("new place", "нового места", "жаңа жер"):
            assert place not in text
    named = read(Trigger.ACCOUNT_ANOMALY, {**evidence, "location": "Lisbon"}, language=language)
    assert sum("Lisbon" in text for text in named) >= 8
