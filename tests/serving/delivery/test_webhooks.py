"""Signed JSON to receivers that really listen."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from features.vocabulary import Channel, Outcome, Trigger
from serving.copy.content import Content
from serving.delivery.live.addresses import AddressFile, AddressWebhook, Found, NotFound, Unreadable
from serving.delivery.live.hosts import Led, NotLed, resolve_host
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import WebhookSettings
from serving.delivery.live.transport import LiveTransport, Way, WebhookTransport
from serving.delivery.live.webhook import SignedPost
from serving.delivery.parcel import Down, HandedOver, Moment, Parcel, Receipt, Rejected, TryAgain
from tests.serving.delivery.servers import SECRET, Hook, make_certificate, run_hook

NOW = datetime.now(UTC)  # receivers refuse signatures that are five minutes old
PARCEL = Parcel(
    "m1", "c1", Channel.SMS, Trigger.PRICE_DROP, NOW, NOW, Content(body="Арзан", language="kk")
)
MOMENT = Moment(NOW, lambda: True, lambda _bucket, _rate: None)


@contextmanager
def open_post(hook: Hook, **changes: object) -> Iterator[SignedPost]:
    given = {"url": hook.url, "secret": {"env": "SECRET"}, "allow_private": True}
    settings = WebhookSettings.model_validate({**given, "timeout_seconds": 2, **changes})
    with closing(SignedPost(settings, secrets=Secrets({"SECRET": SECRET}))) as post:
        yield post


def hand_over(hook: Hook, parcel: Parcel = PARCEL, **changes: object) -> Receipt:
    with open_post(hook, **changes) as post:
        return WebhookTransport(post).hand_over(parcel, MOMENT)


def test_a_message_is_signed_and_taken_once_by_its_key() -> None:
    parcel = replace(PARCEL, address="+77010000000")
    with run_hook(Hook()) as hook:
        receipts = [hand_over(hook, parcel), hand_over(hook, parcel)]

    assert receipts == [HandedOver("localhost")] * 2
    assert (list(hook.taken), hook.n_again, hook.n_forged) == (["m1"], 1, 0)
    data = hook.taken["m1"]["data"]
    assert (data["to"], data["content"]["body"]) == ("+77010000000", "Арзан")
    assert hook.headers["webhook-id"] == hook.headers["idempotency-key"] == "m1"
    assert hook.headers["host"].startswith("localhost:")


def test_a_secret_that_is_not_the_receivers_is_seen_and_no_message_is_lost_by_it() -> None:
    with run_hook(Hook()) as hook:
        settings = WebhookSettings.model_validate(
            {"url": hook.url, "secret": {"env": "SECRET"}, "allow_private": True}
        )
        other = Secrets({"SECRET": "whsec_AAAAr8GKYqrTwjUPD8ILPZIo2LaLaSw1"})
        with closing(SignedPost(settings, secrets=other)) as post:
            receipt = WebhookTransport(post).hand_over(PARCEL, MOMENT)

    assert receipt == Down("localhost answered 401")
    assert (hook.n_forged, hook.taken) == (1, {})


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (202, {}, HandedOver("localhost")),
        (409, {}, HandedOver("localhost")),
        (
            302,
            {"Location": "/elsewhere"},
            Down("localhost answered 302: redirects are not followed"),
        ),
        (400, {}, Rejected("localhost answered 400")),
        (404, {}, Down("localhost answered 404")),
        (422, {}, Rejected("localhost answered 422")),
        (408, {}, TryAgain("localhost answered 408", hints_down=True)),
        (429, {"Retry-After": "7"}, Down("localhost answered 429", 7.0)),
        (503, {"Retry-After": "soon"}, Down("localhost answered 503")),
        (500, {"Retry-After": "9999"}, TryAgain("localhost answered 500", 9999.0, hints_down=True)),
    ],
)
def test_what_a_receiver_answers_decides_what_becomes_of_the_message(
    status: int, headers: Mapping[str, str], expected: Receipt
) -> None:
    with run_hook(Hook([(status, headers)])) as hook:
        assert hand_over(hook) == expected
    assert hook.n_asked == 1  # redirects are not followed


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"outcome": "delivered"}', HandedOver("localhost", is_delivered=True)),
        (200, b'{"outcome": "converted"}', HandedOver("localhost")),
        (200, b"{" * 70_000, HandedOver("localhost")),
        (200, b"[" * 70_000, HandedOver("localhost")),
        (422, b'{"outcome": "bounced"}', Rejected("localhost answered 422", Outcome.BOUNCED)),
    ],
)
def test_a_receiver_may_say_what_it_knows_of_the_customer(
    status: int, body: bytes, expected: Receipt
) -> None:
    with run_hook(Hook([(status, {})], body)) as hook:
        assert hand_over(hook) == expected


def test_a_receiver_that_is_slow_is_asked_again_and_one_that_is_gone_is_down() -> None:
    def wait() -> None:
        import time

        time.sleep(0.5)

    with run_hook(Hook(delay=wait)) as hook:
        slow = hand_over(hook, timeout_seconds=0.2)
    gone = hand_over(hook)

    assert slow == TryAgain("localhost: ReadTimeout", hints_down=True)
    assert gone == Down("localhost: ConnectError")


def test_private_addresses_are_refused_unless_they_are_allowed() -> None:
    with run_hook(Hook()) as hook:
        refused = hand_over(hook, url=hook.url.replace("http", "https"), allow_private=False)

    assert isinstance(refused, Down)
    assert "private address" in refused.reason
    assert hook.n_asked == 0
    assert isinstance(resolve_host("10.1.2.3", port=80, allow_private=False), NotLed)
    assert resolve_host("10.1.2.3", port=80, allow_private=True) == Led("10.1.2.3")
    assert isinstance(resolve_host("no.such.invalid", port=80, allow_private=True), NotLed)


def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    context, ca_file = make_certificate(tmp_path)
    with run_hook(Hook(), tls=context) as hook:
        with open_post(hook, ca_file=ca_file) as post:
            checked = post.check()
        known = hand_over(hook, ca_file=ca_file)
        unknown = hand_over(hook)

    assert checked is None
    assert known == HandedOver("localhost")
    assert unknown == Down("localhost: ConnectError")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://sms.example.com/"},
        {"url": "https://user:secret@sms.example.com/"},
        {"url": "ftp://sms.example.com/"},
        {"secret": "whsec_in_the_file"},
    ],
)
def test_settings_that_would_leak_are_refused(wrong: dict[str, object]) -> None:
    given = {"url": "https://sms.example.com/", "secret": {"env": "SECRET"}}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WebhookSettings.model_validate(given | wrong)


def test_a_secret_that_cannot_sign_is_named_by_its_variable_alone() -> None:
    settings = WebhookSettings.model_validate(
        {"url": "https://sms.example.com/", "secret": {"env": "SMS_SECRET"}}
    )
    for secret in ("", "whsec_", "whsec_a", "whsec_ключ", "whsec_c2hvcnQ="):
        with pytest.raises(ConfigurationError, match="SMS_SECRET") as fault:
            SignedPost(settings, secrets=Secrets({"SMS_SECRET": secret}))
    assert "SMS_SECRET: a secret of 5 bytes, expected at least 24" in str(fault.value)
    assert "c2hvcnQ" not in str(fault.value)


# ---------------------------------------------------------------- addresses


def test_an_address_is_the_latest_that_is_valid_and_null_takes_it_back(tmp_path: Path) -> None:
    file = tmp_path / "addresses.csv"
    head = "customer_id,channel,address,valid_from\n"
    rows = (
        "c1,sms,+77010000001,2026-01-01T00:00:00Z\n"
        "c1,sms,+77010000002,2026-06-01T00:00:00+05:00\n"
        "c1,email,a@x.example,2026-01-01T00:00:00Z\n"
        "c2,sms,+77010000003,2026-01-01T00:00:00Z\n"
        "c2,sms,,2026-02-01T00:00:00Z\n"
    )
    file.write_text(head + rows, encoding="utf-8")
    early, late = datetime(2026, 5, 31, 18, tzinfo=UTC), datetime(2026, 5, 31, 20, tzinfo=UTC)
    with closing(AddressFile(file)) as book:
        before = book.find("c1", Channel.SMS, now=early)
        after = book.find("c1", Channel.SMS, now=late)
        taken_back = book.find("c2", Channel.SMS, now=late)
        nobody = book.find("c1'; --", Channel.SMS, now=late)
        file.unlink()
        gone = book.find("c1", Channel.SMS, now=late)

    assert isinstance(before, Found)
    assert isinstance(after, Found)
    assert (before.address, after.address) == ("+77010000001", "+77010000002")
    assert (taken_back, nobody) == (NotFound(), NotFound())
    assert isinstance(gone, Unreadable)
    assert "7701" not in repr((before, after))


def test_addresses_may_be_asked_for_and_a_fault_there_loses_no_message() -> None:
    with run_hook(Hook(body=b'{"address": "+77010000001"}')) as hook, open_post(hook) as post:
        found = AddressWebhook(post).find("c1", Channel.SMS, now=NOW)
        hook.answers = [(404, {}), (500, {})]
        none = AddressWebhook(post).find("c1", Channel.SMS, now=NOW)
        hook.body = b"<html>"
        faults = [AddressWebhook(post).find("c1", Channel.SMS, now=NOW) for _ in range(2)]
        hook.body = b"[" * 70_000
        faults.append(AddressWebhook(post).find("c1", Channel.SMS, now=NOW))

    assert isinstance(found, Found)
    assert none == NotFound()
    assert all(isinstance(one, Unreadable) for one in faults)


def test_a_message_without_an_address_or_a_channel_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "addresses.csv"
    file.write_text("customer_id,channel,address,valid_from\n", encoding="utf-8")
    with run_hook(Hook()) as hook, ExitStack() as stack:
        book = stack.enter_context(closing(AddressFile(file)))
        post = stack.enter_context(open_post(hook))
        ways = {
            Channel.SMS: Way(WebhookTransport(post)),
            Channel.PUSH: Way(WebhookTransport(post), needs_address=False),
            Channel.WHATSAPP: Way(None, "no contract yet"),
        }
        transport = LiveTransport(ways, addresses=book)
        sms, push, whatsapp = (
            transport.hand_over(replace(PARCEL, channel=channel), MOMENT) for channel in ways
        )

    assert sms == Rejected("no_address")
    assert push == HandedOver("localhost")
    assert whatsapp == Rejected("channel_closed: no contract yet")
    assert json.loads(json.dumps(hook.taken["m1"]))["data"]["to"] is None
