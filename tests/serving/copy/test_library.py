"""The library is complete and in a fixed order, and a broken one is refused with every fault."""

import shutil
from itertools import product
from pathlib import Path

import pytest

import serving.copy
from features.errors import BadInputError, ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.copy.library import Library, load_library

SHIPPED = Path(serving.copy.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped texts to break."""
    for name in ("languages.yaml", "slots.yaml"):
        shutil.copy(SHIPPED / name, tmp_path)
    shutil.copytree(SHIPPED / "texts", tmp_path / "texts")
    return tmp_path


def break_text(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refusal:
        load_library(folder)
    return [line.strip() for line in str(refusal.value).splitlines()[1:]]


def test_library_has_clear_and_warm_for_every_trigger_and_channel(library: Library) -> None:
    for trigger, channel in product(Trigger, Channel):
        variants = library.variants(trigger, channel)
        assert [variant.variant_id for variant in variants] == [
            f"{trigger}.{channel}.clear",
            f"{trigger}.{channel}.warm",
        ]
        for variant in variants:
            assert variant.cells.keys() == {"en", "ru", "kk"}
            assert library.variant(variant.variant_id) is variant
    assert len(list(library)) == 120


def test_variant_refuses_an_unknown_id(library: Library) -> None:
    with pytest.raises(BadInputError, match=r"price_drop\.fax\.clear"):
        library.variant("price_drop.fax.clear")


def test_load_library_lists_every_fault_at_once(folder: Path) -> None:
    texts = folder / "texts"
    (texts / "churn_risk.yaml").unlink()
    (texts / "birthday.yaml").write_text("{}", encoding="utf-8")
    break_text(texts / "inactivity.yaml", "\nkk:\n", "\nky:\n")
    break_text(texts / "price_drop.yaml", "{item}", "{discount}")
    break_text(texts / "abandoned_cart.yaml", "You can complete the order", "Only 3 left. Order")
    break_text(texts / "browse_abandonment.yaml", "  warm:\n", "  cold:\n")
    break_text(texts / "delivery_delay.yaml", "delay_days: 3", "delay_days: many")
    break_text(texts / "order_shipped.yaml", "sms:", "smss:")
    break_text(texts / "account_anomaly.yaml", "title:", "title: A\n    title:")
    break_text(texts / "service_disruption.yaml", "Сбой в вашем регионе", "С" * 41)
    break_text(texts / "incident_update.yaml", "есть новости об инциденте.", "есть новости. " * 6)
    break_text(
        texts / "subscription_limit.yaml",
        "{greeting}you have used {used} of {plan_limit} ({used_percent}).",
        "{greeting}you have used" + " as much as" * 5 + " {used} of {plan_limit}.",
    )
    break_text(
        texts / "payment_failure_risk.yaml",
        '      - "Please add',
        '      - "{greeting}Please add',
    )
    break_text(folder / "languages.yaml", 'n_items: {one: "{n} item", other: "{n} items"}', "")
    break_text(
        folder / "slots.yaml",
        "\nitem:",
        "\nthing: {subject: 9, sms: 9, push: 9, in_app: 9, whatsapp: 9, email: 9}\nitem:",
    )

    faults = faults_of(folder)

    for expected in (
        "texts/birthday.yaml: no such trigger",
        "texts/churn_risk.yaml: [Errno 2]",
        "languages.yaml: en: plurals.n_items missing",
        "slots.yaml: thing: no trigger has such a text fact",
        "texts/inactivity.yaml: languages: kk missing",
        "texts/inactivity.yaml: languages: ky unknown",
        "texts/price_drop.yaml: en.clear.subject.facts: slot 'discount' is unknown here",
        "texts/abandoned_cart.yaml: en.clear.sms.facts: '3' is no fact",
        "texts/browse_abandonment.yaml: en: styles: warm missing",
        "texts/delivery_delay.yaml: en.example: delay_days: 'many' is not a count",
        "texts/order_shipped.yaml: en.clear.sms: Field required",
        "texts/order_shipped.yaml: en.clear.smss: Extra inputs are not permitted",
        "texts/account_anomaly.yaml: title stands twice",
        "texts/service_disruption.yaml: ru: with the longest facts: service_disruption.push.clear",
        "texts/incident_update.yaml: ru: without facts: incident_update.sms.clear: ",
        "texts/subscription_limit.yaml: en: with the longest facts: subscription_limit.push.clear",
        "texts/payment_failure_risk.yaml: en.clear.email.1.facts: a greeting is already",
    ):
        assert any(fault.startswith(expected) for fault in faults), (expected, faults)


def test_load_library_names_a_broken_language(folder: Path) -> None:
    path = folder / "languages.yaml"
    break_text(path, 'few: "{n} дня", ', "")
    break_text(path, "Hi {first_name}!", "Hi there!")
    break_text(folder / "texts" / "price_drop.yaml", "{item}", "{discount}")
    faults = faults_of(folder)
    assert (
        "languages.yaml: 0.greetings.whatsapp.named: Value error, slot 'first_name' is missing"
        in (faults)
    )
    assert any("plurals.delay_days: has ['many', 'one']" in fault for fault in faults)
    assert any("'discount'" in fault for fault in faults)  # the texts are read all the same


def test_load_library_refuses_a_text_fact_without_room(folder: Path) -> None:
    break_text(folder / "slots.yaml", "\nplan:", "\n#plan:")
    faults = faults_of(folder)
    assert all("slot 'plan' is unknown here" in fault for fault in faults)
    assert len(faults) == 12  # in-app and e-mail, in three languages and two styles


def test_load_library_refuses_a_russian_sms_of_three_segments(folder: Path) -> None:
    break_text(
        folder / "texts" / "price_drop.yaml",
        "цена {new_price_cents} вместо {old_price_cents}.",
        "цена {new_price_cents} вместо {old_price_cents}. " + "Хорошая новость для вас. " * 3 + "!",
    )
    faults = faults_of(folder)
    assert any("3 SMS segments, at most 2" in fault for fault in faults)
    assert any("with its example: price_drop.sms.clear: 1" in fault for fault in faults)
