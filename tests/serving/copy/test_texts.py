"""Every shipped text, as customers would read it: 120 variants in three languages."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import pytest

from features.evidence import FACTS, Evidence, FactKind, Scalar
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content
from serving.copy.library import Library, Variant
from serving.copy.render import CopySettings, render
from serving.copy.sizes import LIMITS, SmsEncoding, sms_size

NAMES = {"en": "Anna", "ru": "Анна", "kk": "Анна"}  # no Kazakh letter
KAZAKH_LETTERS = set("әғқңөұүһі")
NAMING_MARKETING = {Trigger.ABANDONED_CART, Trigger.BROWSE_ABANDONMENT, Trigger.PRICE_DROP}
LONGEST: Mapping[FactKind, Scalar] = {
    FactKind.TEXT: "Шестиугольный чайник " * 40,
    FactKind.COUNT: 365,
    FactKind.CENTS: 999_999_999,
    FactKind.PERCENT: 100,
    FactKind.DATE: "2026-12-30",
    FactKind.MOMENT: "2026-12-30T22:58:00+00:00",
}


@dataclass(frozen=True)
class Sample:
    """One text as it came out."""

    variant: Variant
    code: str
    facts: str
    evidence: Evidence
    content: Content

    def __str__(self) -> str:
        return f"{self.variant.variant_id} {self.code} {self.facts}: {self.content}"

    @property
    def readable(self) -> str:
        """All that a customer reads, without markup."""
        content = self.content
        return "\n".join((content.subject or "", content.plain_text or content.body))


def longest_evidence(trigger: Trigger) -> dict[str, Scalar]:
    return {fact.name: LONGEST[fact.kind] for fact in FACTS[trigger]}


@pytest.fixture(scope="module")
def samples(library: Library, settings: CopySettings) -> list[Sample]:
    """Every variant in every language: with its example, with the longest facts, without any."""

    def make() -> Iterator[Sample]:
        for variant in library:
            for code, cell in variant.cells.items():
                for facts, evidence in (
                    ("example", cell.example),
                    ("longest", longest_evidence(variant.trigger)),
                    ("none", {}),
                ):
                    content = render(
                        variant,
                        language=code,
                        evidence=evidence,
                        first_name=NAMES[code],
                        settings=settings,
                        timezone="Asia/Almaty",
                    )
                    assert isinstance(content, Content), (variant.variant_id, code, facts, content)
                    yield Sample(variant, code, facts, evidence, content)

    return list(make())


def test_texts_stay_within_their_limits(samples: list[Sample]) -> None:
    assert len(samples) == 12 * 5 * 2 * 3 * 3
    for sample in samples:
        limits, content = LIMITS[sample.variant.channel], sample.content
        assert content.language == sample.code
        assert (content.subject is None) == (limits.title is None), str(sample)
        assert len(content.subject or "") <= (limits.title or 0), str(sample)
        if sample.variant.channel is Channel.SMS:
            assert content.n_segments == sms_size(content.body).n_segments <= 2, str(sample)
        else:
            assert content.n_segments == 1
            assert len(content.body) <= (limits.body or 0), str(sample)


def test_sms_takes_one_segment_with_typical_facts_and_without(samples: list[Sample]) -> None:
    too_long = [
        str(sample)
        for sample in samples
        if sample.variant.channel is Channel.SMS
        and sample.facts != "longest"
        and sample.content.n_segments > 1
    ]
    assert not too_long


def test_english_sms_travels_as_gsm7(samples: list[Sample]) -> None:
    for sample in samples:
        is_english_sms = sample.code == "en" and sample.variant.channel is Channel.SMS
        if is_english_sms and sample.facts != "longest":  # the longest facts are in Cyrillic
            assert sms_size(sample.content.body).encoding is SmsEncoding.GSM7, str(sample)


def test_texts_leave_no_slot_and_no_gap(samples: list[Sample]) -> None:
    for sample in samples:
        text = sample.readable
        assert not re.search(r"[{}]|\bNone\b|\bnull\b", text), str(sample)
        assert not re.search(
            r"[ \u00a0]{2}| [,.!?;:]|[,;:]\.|(?<!\.)\.\.(?!\.)|,,|\(\)|«»", text
        ), str(sample)
        assert all(unicodedata.category(c) not in {"So", "Cf", "Co"} for c in text), str(sample)
        if sample.facts == "none":
            openings = [next(c for c in line if c.isalpha()) for line in text.split("\n") if line]
            assert all(opening.isupper() for opening in openings), str(sample)


def test_texts_are_in_their_script(library: Library, samples: list[Sample]) -> None:
    """Judged without facts, which may be in any script."""
    for sample in samples:
        if sample.facts != "none":
            continue
        text = re.sub(r"https://\S+|Teal \\?& Co", "", sample.readable).lower()
        latin = set(re.findall(r"[a-z]", text))
        cyrillic = set(re.findall(r"[а-яё]", text)) | KAZAKH_LETTERS & set(text)
        kazakh = KAZAKH_LETTERS & set(text)
        if sample.code == "en":
            assert latin, str(sample)
            assert not cyrillic, str(sample)
        else:
            assert cyrillic, str(sample)
            assert not latin, str(sample)
            assert bool(kazakh) == (sample.code == "kk"), str(sample)
    for variant in library:
        labels = {code: cell.cta for code, cell in variant.cells.items()}
        assert re.fullmatch(r"[A-Za-z -]+", labels["en"]), labels
        assert re.fullmatch(r"[А-Яа-яё ]+", labels["ru"]), labels


def test_service_notices_take_two_or_three_sentences(samples: list[Sample]) -> None:
    for sample in samples:
        channel = sample.variant.channel
        if not sample.variant.trigger.is_service or sample.facts == "longest":
            continue
        text = sample.content.body
        if channel is Channel.EMAIL:
            text = " ".join(re.findall(r"<p>(.*?)</p>", text)[1:-3])  # between greeting and button
        elif channel is Channel.WHATSAPP:
            text = text.split("! ", 1)[1]
        n_sentences = len(re.findall(r"[.!?](?:\s|$)", text))
        fewest = 1 if channel is Channel.PUSH else 2  # a push has its title before it
        assert fewest <= n_sentences <= 3, str(sample)


def test_service_titles_take_at_most_50_characters(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.variant.trigger.is_service:
            assert len(sample.content.subject or "") <= 50, str(sample)


def test_marketing_names_the_item(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.variant.trigger in NAMING_MARKETING and sample.facts == "example":
            item = str(sample.evidence["item"])
            assert item in sample.content.body, str(sample)
            if sample.variant.channel is Channel.EMAIL:
                assert item in (sample.content.subject or ""), str(sample)


def test_prices_stand_in_every_price_drop_that_knows_them(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.variant.trigger is Trigger.PRICE_DROP and sample.facts == "example":
            digits = re.sub(r"(?<=\d)[\s\u00a0,](?=\d)", "", sample.readable)
            assert "11990" in digits, str(sample)
            assert "14990" in digits, str(sample)


def test_texts_without_facts_hold_no_figures(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.facts == "none":
            text = re.sub(r"https://\S+", "", sample.readable)
            assert not re.search(r"[\d%$€₸₽]", text), str(sample)


def test_styles_differ_in_every_cell(samples: list[Sample]) -> None:
    by_cell: dict[tuple[str, ...], list[tuple[str | None, str]]] = {}
    for sample in samples:
        variant, content = sample.variant, sample.content
        key = (variant.trigger, variant.channel, sample.code, sample.facts)
        by_cell.setdefault(key, []).append((content.subject, content.body))
    assert all(one != other for texts in by_cell.values() for one, other in pairwise(texts))


def test_marketing_emails_have_a_way_out_and_service_emails_need_none(
    samples: list[Sample], settings: CopySettings
) -> None:
    for sample in samples:
        content = sample.content
        if sample.variant.channel is not Channel.EMAIL:
            assert content.plain_text is None
            continue
        has_way_out = settings.email_unsubscribe_url in (content.plain_text or "")
        assert has_way_out == (not sample.variant.trigger.is_service), str(sample)
        in_html = 'href="https://shop.example/out?list=1&amp;x=2"' in content.body
        assert in_html == has_way_out, str(sample)


def test_buttons_lead_to_the_senders_site(samples: list[Sample]) -> None:
    for sample in samples:
        content = sample.content
        if sample.variant.channel is Channel.SMS:
            assert (content.cta, content.cta_url) == (None, None)
            assert "://" not in content.body
        else:
            assert content.cta == sample.variant.cells[sample.code].cta
            assert len(content.cta) <= 25
            assert content.cta_url == f"https://shop.example{sample.variant.cta_path}"


def test_churn_risk_never_mentions_risk(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.variant.trigger is Trigger.CHURN_RISK:
            assert not re.search(
                r"risk|leav|churn|cancel|риск|уход|уйти|тәуекел|кетіп|кету", sample.readable.lower()
            ), str(sample)
