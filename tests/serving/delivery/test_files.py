"""Messages as files, and as e-mails whose headers nobody can add lines to."""

import json
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, compat32
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content
from serving.copy.guard.headers import check_headers
from serving.copy.settings import CopySettings
from serving.delivery.files import FolderTransport
from serving.delivery.letter import write_letter
from serving.delivery.parcel import HandedOver, Moment, Parcel, TryAgain
from serving.delivery.settings import load_delivery_settings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
MOMENT = Moment(NOON, lambda: True, lambda _bucket, _rate: None)
SENDER = "Teal <hi@teal.example>"
WORDS = Content(
    subject="Цена ниже", body="<p>Цена</p>", plain_text="Цена", language="ru", source="claude"
)


def make_parcel(
    *,
    message_id: str = "m0",
    customer_id: str = "c0",
    trigger: Trigger = Trigger.PRICE_DROP,
    content: Content = WORDS,
    channel: Channel = Channel.EMAIL,
) -> Parcel:
    end = NOON + timedelta(hours=24)
    return Parcel(message_id, customer_id, channel, trigger, NOON, end, content)


def read(parcel: Parcel) -> EmailMessage:
    letter = write_letter(parcel, sender=SENDER, copy=CopySettings())
    read_back = message_from_bytes(letter.as_bytes(), policy=SMTP)
    assert isinstance(read_back, EmailMessage)
    return read_back


def test_a_letter_has_its_text_first_and_says_who_wrote_it() -> None:
    letter = read(make_parcel())

    kinds = [part.get_content_type() for part in letter.iter_parts()]
    text = letter.get_body(preferencelist=("plain",))
    assert letter.get_content_type() == "multipart/alternative"
    assert kinds == ["text/plain", "text/html"]
    assert text is not None
    assert text.get_content().strip() == "Цена"
    assert letter["Subject"] == "Цена ниже"
    assert letter["From"] == SENDER
    assert letter["Date"].datetime == NOON
    assert letter["X-Opportune-Words"] == "claude"
    assert letter["Message-ID"].endswith("@teal.example>")


def test_the_same_message_is_the_same_letter_and_another_is_not() -> None:
    letters = [
        write_letter(make_parcel(message_id=name), sender=SENDER, copy=CopySettings()).as_bytes()
        for name in ("m0", "m0", "m1")
    ]
    assert letters[0] == letters[1] != letters[2]


@pytest.mark.parametrize(
    ("trigger", "has_way_out"), [(Trigger.PRICE_DROP, True), (Trigger.ORDER_SHIPPED, False)]
)
def test_marketing_alone_carries_the_headers_of_one_click(
    trigger: Trigger, *, has_way_out: bool
) -> None:
    letter = read(make_parcel(trigger=trigger))

    headers = {name: str(value) for name, value in letter.items()}
    assert ("List-Unsubscribe" in headers) is has_way_out
    assert check_headers(headers, is_service=trigger.is_service) == ()


@given(text=st.text(min_size=1, max_size=60))
def test_no_text_becomes_a_header_of_its_own(text: str) -> None:
    hostile = f"{text}\r\nBcc: all@example.com\n\n{text}"
    words = WORDS.model_copy(update={"subject": hostile})

    letter = read(make_parcel(message_id=hostile, customer_id=hostile, content=words))

    assert letter["Bcc"] is None
    assert len(letter.keys()) == len(read(make_parcel()).keys())


def test_letters_and_other_messages_are_files_written_whole_and_once(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path / "out", sender=SENDER, copy=CopySettings())
    short = Content(body="ok", language="en")
    sms = make_parcel(message_id="../../m1", content=short, channel=Channel.SMS)

    receipts = [transport.hand_over(one, MOMENT) for one in (make_parcel(), make_parcel(), sms)]

    places = {Path(one.place) for one in receipts if isinstance(one, HandedOver)}
    assert places == set((tmp_path / "out").iterdir())
    assert {path.suffix for path in places} == {".eml", ".json"}
    (written,) = (path for path in places if path.suffix == ".json")
    assert json.loads(written.read_text(encoding="utf-8"))["message_id"] == "../../m1"


def test_a_folder_that_cannot_be_written_to_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")

    receipt = FolderTransport(tmp_path / "out", sender=SENDER, copy=CopySettings()).hand_over(
        make_parcel(), MOMENT
    )

    assert isinstance(receipt, TryAgain)
    assert "m0" in receipt.reason


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sender", "nobody", "is not an address"),
        ("sender", "A <a@b.c>\nBcc: x@y.z", "is not an address"),
        ("shelf_life_hours", {"price_drop": 1}, "nothing for delivery_delay"),
        ("shelf_life_hours", dict.fromkeys(Trigger, 0), "not above 0 for delivery_delay"),
        ("lease_seconds", 0, "lease_seconds"),
        ("password", "secret", "password"),
    ],
)
def test_settings_that_are_wrong_are_named(
    tmp_path: Path, name: str, value: object, words: str
) -> None:
    changed = {**load_delivery_settings().model_dump(mode="json"), name: value}
    file = tmp_path / "delivery.yaml"
    file.write_text(json.dumps(changed), encoding="utf-8")  # JSON is YAML

    with pytest.raises(ConfigurationError, match=words):
        load_delivery_settings(file)


def test_the_moment_of_a_letter_is_that_of_its_plan_in_any_zone() -> None:
    parcel = make_parcel()
    east = Parcel(
        parcel.message_id,
        parcel.customer_id,
        parcel.channel,
        parcel.trigger,
        NOON.astimezone(timezone(timedelta(hours=5))),
        parcel.expires_at,
        parcel.content,
    )
    assert read(east)["Date"].datetime == NOON


@pytest.mark.parametrize(
    "subject",
    [
        "Аккаунтқа сіз кірдіңіз бе? Алматы, KZ",
        "Кідіріс туралы: енді 6 қаңтар күтеміз",
        "😀 Цена снизилась: Kettle with a rather long name, and more",
        "Sale: plain",
    ],
)
def test_a_subject_arrives_with_all_its_blanks(subject: str) -> None:
    parcel = make_parcel(content=WORDS.model_copy(update={"subject": subject}))
    assert read(parcel)["Subject"] == subject


@pytest.mark.parametrize("n", [30, 76, 160])
def test_the_address_by_which_one_leaves_is_never_encoded(n: int) -> None:
    url = "https://teal.example/leave?".ljust(n, "x")
    copy = CopySettings(email_unsubscribe_url=url)
    letter = write_letter(make_parcel(), sender=SENDER, copy=copy)
    found = message_from_bytes(letter.as_bytes(), policy=compat32)
    assert found["List-Unsubscribe"] == f"<{url}>"
